"""What goes into encode, and what comes out."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from typing import Any

from archivae.bitstream import Bitstream, Coding, write_bitstream
from archivae.bitstream.container import EXIF_TAG, ICC_TAG, XMP_TAG
from archivae.images import Metadata, Picture


@dataclass(frozen=True)
class Source:
    """A picture to encode: ``data`` is its file, empty where there is none (an array)."""

    picture: Picture
    data: bytes

    @property
    def sha256(self) -> bytes:
        """Of the file; where there is none, of the pixels."""
        return hashlib.sha256(self.data or self.picture.pixels.tobytes()).digest()


@dataclass(frozen=True)
class Encoded:
    """An ``.avae`` file and what is to be said of it.

    ``psnr`` in dB, infinite where nothing was lost. ``quality`` in steps of 1/256: as asked for or, under a target, as
    chosen; 0 where none was. ``encodes``: how often the codec coded the picture to get there.
    """

    data: bytes
    coding: Coding
    psnr: float
    notes: tuple[str, ...]
    quality: int = 0
    encodes: int = field(default=0, compare=False)


def archive_file(source: Source, coding: Coding, **fields: Any) -> bytes:
    """The bytes of an ``.avae`` file of ``source``; ``fields`` are those of `Bitstream` that the coding has."""
    height, width, channels = source.picture.pixels.shape
    # An original carries its metadata within its own bytes.
    ancillary = {} if coding is Coding.ORIGINAL else _ancillary(source.picture.metadata)
    return write_bitstream(Bitstream(height, width, channels, coding, source.sha256, ancillary=ancillary, **fields))


def _ancillary(metadata: Metadata) -> dict[bytes, bytes]:
    parts = {EXIF_TAG: metadata.exif, ICC_TAG: metadata.icc, XMP_TAG: metadata.xmp}
    return {tag: data for tag, data in parts.items() if data}
