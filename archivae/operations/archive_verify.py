"""Is an archive what it should be? Each check gives what is wrong, in words that name it; nothing if all is well."""

from __future__ import annotations

import hashlib
import math
import random
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from archivae.bitstream import Bitstream, read_bitstream
from archivae.errors import ArchivaeError, UsageError
from archivae.images import MAX_PIXELS, Picture
from archivae.models import parse_codec
from archivae.operations.archive import span_of
from archivae.operations.archive_pack import index_row
from archivae.operations.codec import FindCodec
from archivae.operations.compare import level_against
from archivae.operations.decode import decode_stream
from archivae.operations.names import member_name
from archivae.storage import own_path, read_object, stat_object
from archivae.storage.archive_index import ArchiveIndex, IndexRow
from archivae.storage.archive_layout import index_uri, is_archive, list_shards, shard_uri
from archivae.storage.objects import check_member, read_framed_span, read_range, store_of
from archivae.storage.tar import END, header, padding

PSNR_TOLERANCE = 0.05
"""In dB: how far another kind of processor may decode from what was measured while encoding."""

_FRAME = "the tar's own bytes around it are damaged, the picture itself is not"


@dataclass(frozen=True)
class Original:
    """What a picture is compared with: its source's URI, and the PSNR that the manifest has; None if it has none.

    ``options``: of the job that made it, as the manifest has them: they say how the source was read.
    """

    uri: str
    psnr: float | None
    options: str = "{}"


def require_archive(uri: str) -> None:
    """UsageError where there is no archive of shards to verify, nor what is left of one."""
    if not is_archive(uri) and not list_shards(uri):
        raise UsageError(f"expected an archive of shards at {uri!r}, found none; check the name")


def sampled_places(sizes: Sequence[int], share: float) -> Iterator[tuple[int, range]]:
    """Of row groups with so many rows: the numbers of those to read, and which of their rows are in the sample.

    Every so-manieth row of all, from a random one on; at least one, so that other runs see others.
    """
    step = max(1, round(1 / share))
    start = random.randrange(min(step, max(1, sum(sizes))))
    first = 0
    for group, size in enumerate(sizes):
        if places := range((start - first) % step, size, step):
            yield group, places
        first += size


def check_picture(archive: str, row: IndexRow, find_codec: FindCodec, original: Original | None = None) -> list[str]:
    """What is wrong with one picture: its place in the shard, its bytes, what it decodes to, and against its source."""
    try:
        data, problems = read_member(archive, row)
        stream = read_bitstream(data, max_pixels=MAX_PIXELS)
        decoded = decode_stream(stream, find_codec)
        if original is not None:
            problems += _check_original(original, stream, decoded)
    except (ArchivaeError, ValueError, OverflowError) as error:
        problems = [str(error)]
    return [f"{row.name}: {problem}" for problem in problems]


def read_member(archive: str, row: IndexRow) -> tuple[bytes, list[str]]:
    """A picture's ``.avae`` file out of its shard, and what is wrong around it. An ArchivaeError if it is itself damaged, or
    another's."""
    head, fill = header(member_name(row.name), row.length), bytes(padding(row.length))
    span = span_of(archive, row)
    before, data, after = read_framed_span(span, len(head), len(fill))
    check_member(span, before)
    problems = [] if (before, after) == (head, fill) else [_FRAME]
    stream = read_bitstream(data, max_pixels=MAX_PIXELS)
    if index_row(stream, data, row.name, row.shard, row.offset) != row:
        problems.append("the index says other of it than the file itself")
    return data, problems


def check_whole(archive: str) -> Iterator[str]:
    """What is wrong with an archive beside its pictures: its models, its index, and how its shards are filled."""
    try:
        yield from check_models(archive)
        yield from check_shards(archive, ArchiveIndex(index_uri(archive)).rows())
    except ArchivaeError as error:
        yield str(error)


def check_shards(archive: str, rows: Iterable[IndexRow]) -> Iterator[str]:
    """Whether the pictures of the index, in its order, fill their shards without a gap, and each shard ends as it should."""
    ends: dict[int, int] = {}
    for row in rows:
        start = row.offset - len(header(member_name(row.name), row.length))
        if start != ends.get(row.shard, 0):
            uri = shard_uri(archive, row.shard)
            yield f"{uri}: what lies before {row.name!r} is damaged, or the index lacks it (archivae reindex)"
        ends[row.shard] = row.offset + row.length + padding(row.length)
    for shard, end in sorted(ends.items()):
        yield from _check_end(shard_uri(archive, shard), end)


def check_models(archive: str) -> Iterator[str]:
    """Whether each model that the archive carries is the one that its name says."""
    folder = own_path(archive, "models")
    for entry in store_of(folder).walk(folder, depth=1):
        try:
            found = parse_codec(read_object(entry.uri)).model_id().hex()
        except ArchivaeError as error:
            yield f"{entry.uri}: {error}"
            continue
        if entry.name != f"{found}.safetensors":
            yield f"{entry.uri}: it holds model {found}"


def _check_end(uri: str, end: int) -> Iterator[str]:
    try:
        found = stat_object(uri)
        if found is None:
            yield f"{uri} is missing"
        elif found.size != end + len(END) or read_range(uri, end, len(END)) != END:
            yield f"{uri}: expected {end + len(END)} bytes with zeros at their end, found {found.size}; it is damaged"
    except ArchivaeError as error:
        yield str(error)


def _check_original(original: Original, stream: Bitstream, decoded: Picture) -> list[str]:
    source = read_object(original.uri)
    if hashlib.sha256(source).digest() != stream.source_sha256:
        return [f"{original.uri} is not what it was made of: the SHA-256 differs"]
    recorded = original.psnr
    if recorded is None:
        return []
    level = level_against(source, original.options, stream, decoded)
    if level == recorded or abs(level - recorded) <= PSNR_TOLERANCE:
        return []
    return [f"it decodes to {_decibels(level)}, the manifest says {_decibels(recorded)}"]


def _decibels(level: float) -> str:
    return "the very pixels" if math.isinf(level) else f"{level:.2f} dB"
