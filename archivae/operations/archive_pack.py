"""Finished members into a shard, and shards into an archive."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import chain, count

import google_crc32c

from archivae.bitstream import read_bitstream
from archivae.bitstream.container import QUALITY_STEP, Bitstream
from archivae.errors import ArchivaeError, StorageError
from archivae.operations.names import member_name
from archivae.storage import join, read_object, stat_object
from archivae.storage.archive_index import ArchiveIndex, IndexRow, index_pieces, merge_rows
from archivae.storage.archive_layout import (
    index_uri,
    members_folder,
    members_name,
    packed_uri,
    shard_uri,
)
from archivae.storage.archive_plan import Round, end_round, is_packed, pending_round, read_round
from archivae.storage.fence import Fence, create_fenced, replace_fenced
from archivae.storage.objects import LARGEST_SPAN, clear_own, delete_object
from archivae.storage.tar import END, header, padding
from archivae.storage.threads import map_in_order

_READ_AHEAD = 32
"""Members that are read before they are written, so that requests overlap."""


def pack_shard(archive: str, shard: int, names: Iterable[str], fence: Fence | None = None) -> int:
    """Publish the shard of the finished members with these names, as they are archived, whole.

    How many were packed, 0 if it is published. Of no members no shard is made, but it counts as published. Killed at any
    point, it is done again with the same bytes. A shard is created, never replaced: where other bytes lie under its number,
    as of a killed run that read other sources, it takes the first free one after the round's.
    """
    fence = fence or Fence(archive)
    if is_packed(archive, shard):
        return 0
    ordered = sorted(names)
    rows: list[IndexRow] = []
    if ordered:
        read = partial(_read_member, members_folder(archive, shard))

        def pieces(number: int) -> Iterator[bytes]:
            rows.clear()
            return shard_pieces(number, ordered, read, rows)

        create_shard(fence, _numbers(archive, shard), pieces)
    if create_fenced(fence, packed_uri(archive, shard), index_pieces(rows)) is None:
        raise StorageError(f"{packed_uri(archive, shard)!r} was written meanwhile by something that holds no lease")
    fence.check()
    clear_own(archive, members_name(shard))
    return len(rows)


def create_shard(fence: Fence, numbers: Iterator[int], pieces: Callable[[int], Iterator[bytes]]) -> int:
    """Create a shard under the first of ``numbers`` that is free, or has these very bytes; which it was."""
    for number in numbers:
        if create_fenced(fence, shard_uri(fence.destination, number), pieces(number)) is not None:
            return number
    raise ValueError("expected numbers without an end")


def _numbers(archive: str, shard: int) -> Iterator[int]:
    """A shard's own number, then those after all of its round."""
    yield shard
    plan = read_round(archive)
    yield from count(plan.shards.stop if plan else shard + 1)


def publish_round(archive: str, plan: Round, fence: Fence | None = None) -> set[int]:
    """Make the index of the archive with the shards of the round in it, which counts from then on.

    The numbers of those that had to take another one. StorageError if one of its shards is not published yet.
    """
    fence = fence or Fence(archive)
    fence.check()
    if pending_round(archive, fence) is None:
        return set()  # done before: a worker was lost after its work
    missing = [shard for shard in plan.shards if not is_packed(archive, shard)]
    if missing:
        raise StorageError(f"expected all shards of {archive!r} to be published, missing {missing[:9]}; run again")
    found = stat_object(index_uri(archive))
    if plan.first and found is None:
        raise StorageError(f"the index of {archive!r} is gone: archivae reindex, then run again")
    before = ArchiveIndex(index_uri(archive)).rows() if found else ()
    moved: set[int] = set()
    added = (map(_rows_of, run) for run in runs(_spans(archive, plan, moved)))
    merged = index_pieces(merge_rows([before, *map(chain.from_iterable, added)]))
    replace_fenced(fence, index_uri(archive), merged, found.fingerprint if found else None)
    end_round(archive, plan, fence)
    return moved


@dataclass(frozen=True)
class NamedSpan:
    """The index of a shard, until it is merged: the first and last name in it, and where it lies."""

    first: str
    last: str
    uri: str


def runs(spans: Iterable[NamedSpan]) -> list[list[NamedSpan]]:
    """Spans in lists that are each sorted throughout: of a list, one index at a time need be open.

    Mostly there is one: shards follow one another as their names do, but for names that are archived escaped.
    """
    found: list[list[NamedSpan]] = []
    for span in spans:
        after = next((run for run in found if run[-1].last < span.first), None)
        if after is None:
            found.append([span])
        else:
            after.append(span)
    return found


def _spans(archive: str, plan: Round, moved: set[int]) -> Iterator[NamedSpan]:
    """The indexes of a round's shards; the numbers of those that had to take another one go to ``moved`` on the way."""
    for shard in plan.shards:
        index = ArchiveIndex(packed_uri(archive, shard))
        if index.groups:
            if index.shards != shard + 1:
                moved.add(shard)
            yield NamedSpan(index.first_name, index.last_name, packed_uri(archive, shard))


def _rows_of(span: NamedSpan) -> Iterator[IndexRow]:
    return ArchiveIndex(span.uri).rows()


def index_row(stream: Bitstream, data: bytes, name: str, shard: int, offset: int) -> IndexRow:
    """What the index says of an ``.avae`` file, all of which is in the file."""
    return IndexRow(
        name=name,
        shard=shard,
        offset=offset,
        length=len(data),
        height=stream.height,
        width=stream.width,
        crc=google_crc32c.value(data),
        quality=stream.quality / QUALITY_STEP,
        sha256=stream.source_sha256,
    )


def shard_pieces(
    shard: int, names: Sequence[str], read: Callable[[str], tuple[bytes, Bitstream]], rows: list[IndexRow]
) -> Iterator[bytes]:
    """The bytes of a shard with members of these names, in this order, which ``read`` gives; a row of the index for each
    goes to ``rows`` on the way."""
    at = 0
    for name, (data, stream) in zip(names, map_in_order(read, names, _READ_AHEAD), strict=True):
        head = header(member_name(name), len(data))
        rows.append(index_row(stream, data, name, shard, at + len(head)))
        yield head
        yield data
        yield bytes(padding(len(data)))
        at += len(head) + len(data) + padding(len(data))
    yield END


def _read_member(folder: str, name: str) -> tuple[bytes, Bitstream]:
    """A finished member, its checksums verified; a damaged one is deleted, for it would stop every run to come."""
    uri = join(folder, member_name(name))
    data = read_object(uri, limit=LARGEST_SPAN)
    try:
        return data, read_bitstream(data)
    except ArchivaeError as error:
        delete_object(uri)
        raise StorageError(f"{uri!r} was damaged since it was written ({error}), and deleted: run again") from error
