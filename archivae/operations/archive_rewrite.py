"""Pictures out of an archive, for good: their shards are written anew without them, and the index and manifest follow.

The order makes a kill harmless: what shall go is written down; new shards are created; the index names them, all at once;
the manifest follows; then the old shards are deleted. No shard is ever replaced, and no number given twice.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from itertools import chain, count

from archivae.bitstream import Bitstream, read_bitstream
from archivae.errors import ArchivaeError, DestinationError, StorageError
from archivae.operations.archive import span_of
from archivae.operations.archive_pack import create_shard, shard_pieces
from archivae.operations.names import archived_names, member_name
from archivae.storage import ManifestRow, join, read_fragment, read_fragments, stat_object
from archivae.storage.archive_index import ArchiveIndex, IndexRow, index_pieces, merge_rows
from archivae.storage.archive_layout import ROUND, index_uri, is_archive, list_shards, shard_number, shard_uri
from archivae.storage.archive_plan import next_shard, pending_round
from archivae.storage.archive_rewrite import Rewrite, Taken, end_rewrite, read_rewrite, write_rewrite
from archivae.storage.escaping import escape_name, unescape_name
from archivae.storage.fence import Fence, replace_fenced
from archivae.storage.manifest import fragment_bytes
from archivae.storage.objects import clear_own, delete_if, delete_object, read_span
from archivae.storage.ranged_file import Ahead
from archivae.storage.tar import TarMember, scan


def remove(archive: str, names: Collection[str], fence: Fence) -> list[str]:
    """Take pictures out of an archive for good, be it of shards or of single files; the names that it does not know.

    A name is the source's own, or the one under which the picture is archived, escaped if need be.
    DestinationError while a job over shards is unfinished: it may hold them too.
    """
    finish_rewrite(archive, fence)
    if pending_round(archive, fence) is not None:
        raise DestinationError(f"a job over {archive} is unfinished: run it again to its end first, then rm")
    index = ArchiveIndex(index_uri(archive)) if is_archive(archive) else None
    candidates = {name: archived_names(name) for name in names}
    rows = {each: index.find(each) for each in chain.from_iterable(candidates.values())} if index else {}
    recorded = _recorded(archive, {each for each in chain.from_iterable(candidates.values()) if rows.get(each) is None})

    def is_there(archived: str) -> bool:
        return bool(rows.get(archived)) or archived in recorded or (index is None and _has_file(archive, archived))

    found = {name: next(filter(is_there, archived), None) for name, archived in candidates.items()}
    erased = tuple(dict.fromkeys(archived for archived in found.values() if archived is not None))
    if erased:
        taken = tuple(Taken(row) for each in erased if (row := rows.get(each)) is not None)
        write_rewrite(fence, Rewrite(next_shard(archive) if index else 0, taken, erased))
        finish_rewrite(archive, fence)
    return sorted(name for name, archived in found.items() if archived is None)


def finish_rewrite(archive: str, fence: Fence) -> None:
    """Do what is written down to be taken out, from wherever a killed job left it; nothing if nothing is."""
    found = read_rewrite(archive)
    if found is None:
        return
    rewrite, fingerprint = found
    if is_archive(archive):
        index = ArchiveIndex(index_uri(archive))
        out = [taken for taken in rewrite.taken if rewrite.erased or _is_replaced(index, taken)]
        if not out and not rewrite.erased and pending_round(archive, fence) is not None:
            return  # the newer ones are still to be made
        _rewrite_shards(archive, rewrite, out, fence)
        follow_manifest(archive, fence, {t.row.shard for t in out}, out, rewrite.erased)
        _delete_shards(archive, {t.row.shard for t in out}, rewrite.erased, fence)
    else:
        for name in rewrite.erased:
            fence.check()
            delete_object(join(archive, member_name(name)))
        follow_manifest(archive, fence, (), (), rewrite.erased)
    fence.check()
    end_rewrite(archive, fingerprint)


def follow_manifest(
    archive: str,
    fence: Fence,
    shards: Collection[int],
    taken: Iterable[Taken] = (),
    erased: Collection[str] = (),
) -> None:
    """Have the manifest say where the pictures are that lay in ``shards``, as the index does; rows of ``erased`` go."""
    renamed = {(t.row.shard, t.row.name): t.renamed for t in taken}
    index = ArchiveIndex(index_uri(archive)) if shards else None
    for uri in read_fragments(archive) if shards or erased else ():
        found = stat_object(uri)
        rows = read_fragment(uri)
        kept = [row for row in rows if escape_name(row.name) not in erased]
        kept = [new for row in kept if (new := _followed(row, archive, index, shards, renamed)) is not None]
        if kept == rows or found is None:
            continue
        if kept:
            replace_fenced(fence, uri, [fragment_bytes(kept)], found.fingerprint)
        else:
            fence.check()
            delete_if(uri, found.fingerprint)


def _followed(
    row: ManifestRow,
    archive: str,
    index: ArchiveIndex | None,
    shards: Collection[int],
    renamed: Mapping[tuple[int, str], str],
) -> ManifestRow | None:
    """The row as it is to be; None if the archive has nothing of what it tells."""
    shard = shard_number(row.archive) if row.status == "done" and row.operation == "encode" else None
    if index is None or shard is None or shard not in shards:
        return row
    archived = escape_name(row.name)
    name = renamed.get((shard, archived), archived)
    place = index.find(name) if name else None
    if place is None or place.sha256.hex() != row.sha256:
        return None
    return replace(row, name=unescape_name(name), archive=shard_uri(archive, place.shard))


@dataclass(frozen=True)
class _Copy:
    """What stays of a shard: ``rows`` by the names that they have in the new one, whose own are in ``made``."""

    archive: str
    rows: Mapping[str, IndexRow]
    made: list[IndexRow] = field(default_factory=list)

    def pieces(self, number: int) -> Iterator[bytes]:
        """The bytes of the new shard."""
        self.made.clear()
        return shard_pieces(number, sorted(self.rows), self._read, self.made)

    def _read(self, name: str) -> tuple[bytes, Bitstream]:
        row = self.rows[name]
        try:
            data = read_span(span_of(self.archive, row))
            return data, read_bitstream(data)
        except ArchivaeError as error:
            raise StorageError(
                f"{shard_uri(self.archive, row.shard)!r} can't be copied without what is to go: {row.name!r} in it is damaged "
                f"({error}). archivae reindex leaves out what is damaged; then run again"
            ) from error


def _rewrite_shards(archive: str, rewrite: Rewrite, out: Collection[Taken], fence: Fence) -> None:
    """Create new shards of what stays, and have the index name them in place of the old; nothing where that is done."""
    uri = index_uri(archive)
    before = stat_object(uri)
    copies = _copies(archive, rewrite, out)
    if not copies or before is None:
        return
    number = rewrite.first
    for shard in sorted(copies):
        number = create_shard(fence, count(number), copies[shard].pieces) + 1
    untouched = (row for row in ArchiveIndex(uri).rows() if row.shard not in copies)
    made = sorted((row for copy in copies.values() for row in copy.made), key=lambda row: row.name)
    replace_fenced(fence, uri, index_pieces(merge_rows([untouched, made])), before.fingerprint)


def _copies(archive: str, rewrite: Rewrite, out: Collection[Taken]) -> dict[int, _Copy]:
    """What stays of each shard that the index still names, or lacks something of; none once the new ones are named."""
    shards = {taken.row.shard for taken in out}
    index = ArchiveIndex(index_uri(archive))
    stays: defaultdict[int, dict[str, IndexRow]] = defaultdict(dict)
    for row in index.rows():
        if row.shard in shards:
            stays[row.shard]  # named still, though nothing may stay
            if row.name not in rewrite.erased:
                stays[row.shard][row.name] = row
    for taken in out:
        if taken.renamed and index.find(taken.renamed) is None:
            stays[taken.row.shard][taken.renamed] = taken.row
    return {shard: _Copy(archive, rows) for shard, rows in stays.items()}


def _is_replaced(index: ArchiveIndex, taken: Taken) -> bool:
    """Whether the index has another picture under the name by now."""
    row = index.find(taken.row.name)
    return row is not None and (row.shard, row.offset) != (taken.row.shard, taken.row.offset)


def _delete_shards(archive: str, shards: Collection[int], erased: Collection[str], fence: Fence) -> None:
    """Delete shards that the index names no more: those given, and any with a member of ``erased``."""
    named = {row.shard for row in ArchiveIndex(index_uri(archive)).rows()}
    if erased:
        fence.check()
        clear_own(archive, ROUND)  # no job is under way: what lies there is left over
    members = {member_name(name) for name in erased}
    for number, entry in list_shards(archive).items():
        if number in named:
            continue
        found = scan(Ahead(entry.uri).read, entry.size) if erased else ()
        if number in shards or any(isinstance(each, TarMember) and each.name in members for each in found):
            fence.check()
            delete_if(entry.uri, entry.fingerprint)


def _recorded(archive: str, names: Collection[str]) -> set[str]:
    """Those of ``names``, as they are archived, that the manifest has a row of."""
    rows = (row for uri in read_fragments(archive) for row in read_fragment(uri)) if names else iter(())
    return {archived for row in rows if (archived := escape_name(row.name)) in names}


def _has_file(archive: str, name: str) -> bool:
    return stat_object(join(archive, member_name(name))) is not None
