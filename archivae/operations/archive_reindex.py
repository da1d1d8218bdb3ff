"""An index made anew from the shards. What is damaged in them is left out and named; all else is found."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from archivae.bitstream import read_bitstream
from archivae.errors import ArchivaeError, StorageError
from archivae.operations.archive_pack import NamedSpan, index_row, runs
from archivae.operations.names import ARCHIVE_ENDING
from archivae.storage import join, own_path, stat_object
from archivae.storage.archive_index import ArchiveIndex, IndexRow, index_pieces, merge_rows, write_index
from archivae.storage.archive_layout import index_uri, list_shards
from archivae.storage.archive_plan import Round, read_round
from archivae.storage.fence import Fence, replace_fenced
from archivae.storage.objects import LARGEST_SPAN, clear_own
from archivae.storage.ranged_file import Ahead
from archivae.storage.store import StoredObject
from archivae.storage.tar import Read, TarMember, scan

_PARTS = "reindex"


@dataclass(frozen=True)
class Reindexed:
    """What became of a scan: how many pictures are in the index now, and what was damaged, in words."""

    pictures: int
    damage: tuple[str, ...]


def reindex(archive: str, fence: Fence | None = None) -> Reindexed:
    """Write a new index from the shards, over whatever stands in its place. StorageError if there are no shards.

    The shards of an unfinished job are left to that.
    """
    plan = read_round(archive)
    shards = {number: shard for number, shard in list_shards(archive).items() if _is_finished(number, plan)}
    if not shards:
        raise StorageError(
            f"expected finished shards (shard-00000.tar, ...) in {archive!r}, found none; check the name, "
            f"or run the job that makes them to its end"
        )
    fence = fence or Fence(archive)
    fence.check()
    clear_own(archive, _PARTS)
    before = stat_object(index_uri(archive))
    parts: list[NamedSpan] = []
    damage: list[str] = []
    for number in sorted(shards):
        rows = _sound_rows(shards[number], number, damage)
        if rows:
            parts.append(_write_part(archive, rows))
    merged = index_pieces(merge_rows(map(_rows_of, runs(parts))))
    replace_fenced(fence, index_uri(archive), merged, before.fingerprint if before else None)
    clear_own(archive, _PARTS)
    return Reindexed(len(ArchiveIndex(index_uri(archive))), tuple(damage))


def scan_shard(shard: StoredObject, number: int) -> Iterator[IndexRow | str]:
    """A row for each whole picture of a shard, in words what is none. Memory holds one picture."""
    read = Ahead(shard.uri).read
    for found in scan(read, shard.size):
        if isinstance(found, int):
            yield f"{shard.uri} is damaged at byte {found}"
            continue
        try:
            yield _row(found, read, number)
        except ArchivaeError as error:
            yield f"{shard.uri}, {found.name!r} at byte {found.offset}: {error}"


def _is_finished(number: int, plan: Round | None) -> bool:
    return plan is None or plan.done or number < plan.first


def _sound_rows(shard: StoredObject, number: int, damage: list[str]) -> list[IndexRow]:
    """The rows of a shard, sorted by name, of equal names the last; what is damaged is added to ``damage``."""
    rows: dict[str, IndexRow] = {}
    for found in scan_shard(shard, number):
        if isinstance(found, IndexRow):
            rows[found.name] = found
        else:
            damage.append(found)
    return [rows[name] for name in sorted(rows)]


def _write_part(archive: str, rows: Sequence[IndexRow]) -> NamedSpan:
    uri = own_path(archive, f"{_PARTS}/{rows[0].shard}.parquet")
    write_index(uri, rows, archive)
    return NamedSpan(rows[0].name, rows[-1].name, uri)


def _rows_of(parts: Sequence[NamedSpan]) -> Iterator[IndexRow]:
    for part in parts:
        yield from ArchiveIndex(part.uri).rows()


def _row(member: TarMember, read: Read, number: int) -> IndexRow:
    """Nothing of a tar's headers is trusted: the name is checked, the size limited, the file's checksums verified."""
    join("/", member.name)
    name = member.name.removesuffix(ARCHIVE_ENDING)
    if name == member.name or member.length > LARGEST_SPAN:
        raise StorageError(f"expected an {ARCHIVE_ENDING} file of at most {LARGEST_SPAN} bytes")
    data = read(member.offset, member.length)
    return index_row(read_bitstream(data), data, name, number, member.offset)
