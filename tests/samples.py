"""Pictures and a codec that the tests of operations, transforms and whole jobs share."""

from __future__ import annotations

import io
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from archivae.bitstream import Tile
from archivae.models import PhotoCodec
from archivae.models.photo.grey import from_rgb
from archivae.operations.codec import named_codec

MODEL = str(Path(__file__).parent / "golden" / "small.safetensors")
"""Random weights: good enough for pictures of low contrast, such as `photo` makes."""


def small_codec() -> PhotoCodec:
    """The process's copy of `MODEL`, on the CPU."""
    return named_codec(MODEL, "cpu")


class DecodesWhole:
    """For codecs that tests make up: their errors are those of what their ``decode`` gives, or it raises."""

    def squared_errors(
        self, originals: Sequence[np.ndarray], pictures: Sequence[Sequence[Tile]], quality: int, side: int
    ) -> list[int]:
        decoded = self.decode(pictures, *originals[0].shape[:2], quality, side)
        pairs = zip(originals, decoded, strict=True)
        return [int(((original.astype(int) - from_rgb(rgb, original.shape[2])) ** 2).sum()) for original, rgb in pairs]


def photo(height: int = 64, width: int = 64, seed: int = 1) -> np.ndarray:
    """Soft patches under noise, (height, width, 3) uint8: lossless coding does badly, the codec well (over 15 dB)."""
    generator = np.random.default_rng(seed)
    patches = generator.integers(90, 130, (height // 16 + 1, width // 16 + 1, 3), dtype=np.uint8)
    soft = Image.fromarray(patches).resize((width, height), Image.Resampling.BICUBIC)
    return (np.asarray(soft) + generator.integers(-8, 9, (height, width, 3))).clip(0, 255).astype(np.uint8)


def file_of(pixels: np.ndarray, kind: str = "PNG", **options: Any) -> bytes:
    """A picture file; (H, W, 1) becomes grey."""
    file = io.BytesIO()
    Image.fromarray(pixels[:, :, 0] if pixels.ndim == 3 and pixels.shape[2] == 1 else pixels).save(
        file, kind, **options
    )
    return file.getvalue()


def two_colours(height: int = 8, width: int = 8) -> np.ndarray:
    """Stripes, (height, width, 3) uint8: lossless coding does well, JPEG files are larger."""
    return np.where(np.indices((height, width)).sum(0)[:, :, None] % 9 < 4, (200, 10, 30), (0, 0, 0)).astype(np.uint8)


def stark_jpeg(height: int = 96, width: int = 128) -> bytes:
    """A small JPEG of more contrast than `MODEL` can do and more tones than lossless coding can: kept as it is."""
    patches = np.random.default_rng(1).choice(np.array([0, 255], np.uint8), (height // 16, width // 16, 3))
    return file_of(np.asarray(Image.fromarray(patches).resize((width, height), Image.Resampling.BICUBIC)), "JPEG")


def pixels_of(data: bytes) -> np.ndarray:
    """What Pillow sees in a picture file."""
    return np.asarray(Image.open(io.BytesIO(data)))


def photo_file(height: int = 64, width: int = 64, seed: int = 1) -> bytes:
    """`photo` as a PNG file."""
    return file_of(photo(height, width, seed))
