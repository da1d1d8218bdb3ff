"""Finished members into a shard, and shards into an archive."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import partial
from itertools import chain

import google_crc32c

from archivae.bitstream import read_bitstream
from archivae.bitstream.container import QUALITY_STEP, Bitstream
from archivae.errors import ArchivaeError, StorageError
from archivae.operations.names import member_name
from archivae.storage import join, read_object, scratch_of
from archivae.storage.archive_index import ArchiveIndex, IndexRow, merge_rows, write_index
from archivae.storage.archive_layout import (
    index_uri,
    is_archive,
    members_folder,
    members_name,
    packed_uri,
    shard_uri,
)
from archivae.storage.archive_plan import Round, end_round, is_packed, pending_round
from archivae.storage.objects import LARGEST_SPAN, clear_own, delete_object, write_pieces
from archivae.storage.tar import END, header, padding
from archivae.storage.threads import map_in_order

_READ_AHEAD = 32
"""Members that are read before they are written, so that requests overlap."""


def pack_shard(archive: str, shard: int, names: Iterable[str]) -> int:
    """Publish the shard of the finished members with these names, as they are archived, whole.

    How many were packed, 0 if it is published. Of no members no shard is made, but it counts as published. Killed at any
    point, it is done again with the same bytes.
    """
    if is_packed(archive, shard):
        return 0
    ordered = sorted(names)
    rows: list[IndexRow] = []
    if ordered:
        write_pieces(
            shard_uri(archive, shard), _shard_pieces(archive, shard, ordered, rows), scratch=scratch_of(archive)
        )
    write_index(packed_uri(archive, shard), rows, archive)
    clear_own(archive, members_name(shard))
    return len(rows)


def publish_round(archive: str, plan: Round) -> None:
    """Make the index of the archive with the shards of the round in it, which counts from then on.

    StorageError if one of its shards is not published yet.
    """
    if pending_round(archive) is None:
        return  # done before: a worker was lost after its work
    missing = [shard for shard in plan.shards if not is_packed(archive, shard)]
    if missing:
        raise StorageError(f"expected all shards of {archive!r} to be published, missing {missing[:9]}; run again")
    if plan.first and not is_archive(archive):
        raise StorageError(f"the index of {archive!r} is gone: archivae reindex, then run again")
    before = ArchiveIndex(index_uri(archive)).rows() if is_archive(archive) else ()
    added = (map(_rows_of, run) for run in runs(_spans(archive, plan)))
    write_index(index_uri(archive), merge_rows([before, *map(chain.from_iterable, added)]), archive)
    end_round(archive, plan)


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


def _spans(archive: str, plan: Round) -> Iterator[NamedSpan]:
    for shard in plan.shards:
        index = ArchiveIndex(packed_uri(archive, shard))
        if index.groups:
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


def _shard_pieces(archive: str, shard: int, names: list[str], rows: list[IndexRow]) -> Iterator[bytes]:
    """The bytes of a shard; a row of the index for each member goes to ``rows`` on the way."""
    at = 0
    read = partial(_read_member, members_folder(archive, shard))
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
