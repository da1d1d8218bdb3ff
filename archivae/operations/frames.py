"""Animations and documents of several pages: frames coded one by one, joined into one file."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace
from functools import partial

from archivae.bitstream import Coding, FramesChunk, pack_frames, read_bitstream, write_bitstream
from archivae.bitstream.container import FRAMES_TAG
from archivae.errors import TargetError
from archivae.images.notes import NO_NOTES, Notes, said
from archivae.operations.rate import MaxBytes, Rate, TargetBpp
from archivae.operations.source import Encoded, Source, archive_file, own_bytes_notes


def frames_of(source: Source, rate: Rate) -> list[Source]:
    """Each frame as a picture of its own. TargetError for a rate that only a whole file can meet."""
    if isinstance(rate, MaxBytes | TargetBpp):
        raise TargetError("expected one picture for a size to be met, found several frames: ask for a quality instead")
    if source.picture.own_bytes == "must":
        return []
    return [Source(replace(frame, own_bytes="may"), b"") for frame in source.picture.frames]


def join_frames(source: Source, frames: Sequence[Encoded]) -> Encoded:
    """One file of all ``frames``, or of the source's own bytes where those take less, or must be.

    Its PSNR is the worst frame's; it counts as learned if any frame is.
    """
    joined = _joined(source, frames) if frames else None
    own = _own(source)
    if joined is None or (own is not None and len(own) <= len(joined.data)):
        assert own is not None
        why = NO_NOTES if joined is None else said("source's own bytes stored: smaller so")
        return Encoded(own, Coding.ORIGINAL, math.inf, why + own_bytes_notes(source.picture))
    return replace(joined, notes=source.picture.notes + _later_notes(source))


def _joined(source: Source, frames: Sequence[Encoded]) -> Encoded:
    first, *rest = frames
    stream = read_bitstream(first.data)
    optional = stream.optional | _chunk(source, tuple(frame.data for frame in rest))
    data = write_bitstream(replace(stream, source_sha256=source.sha256, optional=optional))
    learned = [frame for frame in frames if frame.coding is Coding.LEARNED]
    return Encoded(
        data,
        Coding.LEARNED if learned else Coding.LOSSLESS,
        min(frame.psnr for frame in frames),
        NO_NOTES,
        learned[0].quality if learned else 0,
        sum(frame.encodes for frame in frames),
    )


def _own(source: Source) -> bytes | None:
    if not source.data or source.picture.own_bytes == "never":
        return None
    return archive_file(source, Coding.ORIGINAL, payload=source.data, optional=_chunk(source, ()))


def _chunk(source: Source, files: tuple[bytes, ...]) -> dict[bytes, bytes]:
    sequence = source.picture.sequence
    assert sequence is not None
    return {FRAMES_TAG: pack_frames(FramesChunk(sequence.milliseconds, sequence.loops, files))}


def _later_notes(source: Source) -> Notes:
    """Notes specific to later frames."""
    first, *rest = source.picture.frames
    notes = NO_NOTES
    for number, frame in enumerate(rest, 2):
        notes += frame.notes.without(first.notes).each(partial("frame {}: {}".format, number))
    return notes
