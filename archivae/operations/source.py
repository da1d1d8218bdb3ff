"""What goes into encode, and what comes out."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from archivae.bitstream import Bitstream, Coding, write_bitstream
from archivae.images import Picture
from archivae.images.notes import NO_NOTES, Notes, said
from archivae.operations.chunks import alpha_chunk, ancillary_chunks, deep_chunk


@dataclass(frozen=True)
class Source:
    """A picture to encode: ``data`` is its file, empty where there is none (an array)."""

    picture: Picture
    data: bytes

    @property
    def sha256(self) -> bytes:
        """Of the file; where there is none, of the pixels."""
        return hashlib.sha256(self.data or self.picture.pixels.tobytes()).digest()

    @cached_property
    def ancillary(self) -> dict[bytes, bytes]:
        """The chunks of its metadata."""
        return ancillary_chunks(self.picture.metadata)

    @cached_property
    def alpha(self) -> dict[bytes, bytes]:
        """The chunk of its transparency, verified; made once, however often the picture is coded."""
        return alpha_chunk(self.picture)

    @property
    def is_exact_only(self) -> bool:
        """Whether nothing but a file without loss holds what was wished for."""
        return self.picture.deep is not None or self.picture.own_bytes == "must"


@dataclass(frozen=True)
class Encoded:
    """An ``.avae`` file and what is to be said of it.

    ``psnr`` in dB, infinite where nothing was lost. ``quality`` in steps of 1/256: as asked for or, under a target, as
    chosen; 0 where none was. ``encodes``: how often the codec coded the picture to get there.
    """

    data: bytes
    coding: Coding
    psnr: float
    notes: Notes
    quality: int = 0
    encodes: int = field(default=0, compare=False)


def own_bytes_notes(picture: Picture) -> Notes:
    """The notes of a file that holds the source's own bytes: nothing is lost or changed."""
    names = [name for frame in picture.frames for name in frame.notes.lost]
    return said(f"kept within the source's own bytes: {', '.join(dict.fromkeys(names))}") if names else NO_NOTES


def archive_file(source: Source, coding: Coding, **fields: Any) -> bytes:
    """The bytes of an ``.avae`` file of ``source``; ``fields`` are those of `Bitstream` that the coding has."""
    height, width, channels = source.picture.pixels.shape
    # An original carries its metadata and transparency within its own bytes.
    within = coding is Coding.ORIGINAL
    ancillary = {} if within else source.ancillary
    optional = ({} if within else source.alpha) | deep_chunk(source.picture) | fields.pop("optional", {})
    return write_bitstream(
        Bitstream(height, width, channels, coding, source.sha256, ancillary=ancillary, optional=optional, **fields)
    )
