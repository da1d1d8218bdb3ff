"""The body of a FRAM chunk: the frames after the first, each a file of its own, and the time of every frame."""

from __future__ import annotations

import struct
from dataclasses import dataclass

from archivae.bitstream.container import check

_COUNTS = struct.Struct("<II")
MOST_FRAMES = 1 << 18


@dataclass(frozen=True)
class FramesChunk:
    """``milliseconds`` of every frame, the first included; ``files``, whole ``.avae`` files of those after the first,
    empty where the frames are within a stored original."""

    milliseconds: tuple[int, ...]
    loops: int
    files: tuple[bytes, ...]


def pack_frames(chunk: FramesChunk) -> bytes:
    """The body. CorruptBitstreamError where the numbers don't fit the format."""
    count = len(chunk.milliseconds)
    check(2 <= count <= MOST_FRAMES, f"{count} frames, expected 2 to {MOST_FRAMES}")
    check(len(chunk.files) in (0, count - 1), f"{len(chunk.files)} files for {count} frames")
    check(max(*chunk.milliseconds, chunk.loops) < 2**32, "a time or number of loops that is too large")
    lengths = [len(file) for file in chunk.files] or [0] * (count - 1)
    table = struct.pack(f"<{count}I{count - 1}Q", *chunk.milliseconds, *lengths)
    return _COUNTS.pack(count, chunk.loops) + table + b"".join(chunk.files)


def unpack_frames(body: bytes) -> FramesChunk:
    """What `pack_frames` was given. CorruptBitstreamError where lengths don't add up."""
    check(len(body) >= _COUNTS.size, f"a FRAM chunk of {len(body)} bytes")
    count, loops = _COUNTS.unpack_from(body)
    check(2 <= count <= MOST_FRAMES, f"{count} frames, expected 2 to {MOST_FRAMES}")
    at = _COUNTS.size + 4 * count + 8 * (count - 1)
    check(at <= len(body), f"a table of {count} frames does not fit into {len(body)} bytes")
    milliseconds = struct.unpack_from(f"<{count}I", body, _COUNTS.size)
    lengths = struct.unpack_from(f"<{count - 1}Q", body, _COUNTS.size + 4 * count)
    check(sum(lengths) == len(body) - at, f"frames of {sum(lengths)} bytes where {len(body) - at} are left")
    if not any(lengths):
        return FramesChunk(milliseconds, loops, ())
    files = []
    for length in lengths:
        files.append(body[at : at + length])
        at += length
    return FramesChunk(milliseconds, loops, tuple(files))
