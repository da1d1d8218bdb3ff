"""Whole ``.avae`` files as `archivae.encode` makes them, but without decoding them to see."""

from __future__ import annotations

import hashlib

from archivae.bitstream import Bitstream, Coding, write_bitstream
from archivae.bitstream.container import QUALITY_STEP
from archivae.models import PhotoCodec
from archivae.models.photo.codec import TILE_SIDE
from benchmarks.pictures import Pixels


def steps_of(quality: float) -> int:
    """Quality, 0 to 100, in steps of 1/256."""
    return round(quality * QUALITY_STEP)


def encode_unverified(codec: PhotoCodec, pixels: Pixels, quality: float) -> bytes:
    """The file of one picture, (H, W, 3) uint8."""
    steps = steps_of(quality)
    (tiles,) = codec.encode([pixels], steps)
    height, width, channels = pixels.shape
    source = hashlib.sha256(pixels.tobytes()).digest()
    return write_bitstream(
        Bitstream(height, width, channels, Coding.LEARNED, source, codec.id, steps, TILE_SIDE, tuple(tiles))
    )
