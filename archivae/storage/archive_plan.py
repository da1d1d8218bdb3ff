"""Which objects go into which shard, decided and written down before the first is read.

A plan stands under ``_archivae/round/`` until all its shards are published and indexed: a killed job is gone on with
as it was planned, whatever has come to the source since. A plan whose first shard is not the index's next one is over: it
was published, or written by a job that had lost its lease.
"""

from __future__ import annotations

import io
import json
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

import pyarrow as pa
import pyarrow.parquet

from archivae.errors import StorageError
from archivae.storage.archive_index import ArchiveIndex
from archivae.storage.archive_layout import (
    ROUND,
    index_uri,
    is_archive,
    list_shards,
    packed_uri,
    plan_uri,
    shard_plan_uri,
)
from archivae.storage.escaping import spell_text, unspell_text
from archivae.storage.fence import Fence, create_fenced, replace_fenced
from archivae.storage.objects import clear_own, delete_if, read_object, stat_object
from archivae.storage.parquet import read_parquet
from archivae.storage.store import Span, StoredObject
from archivae.untrusted import load_json

_MOST_OF_A_ROUND = 10**9 - 1  # the digits that a shard's number may have
_PLACE = [("uri", pa.string()), ("offset", pa.int64()), ("length", pa.int64()), ("crc", pa.uint32())]
_SPAN = pa.struct([*_PLACE, ("fingerprint", pa.string())])
_SCHEMA = pa.schema(
    [("uri", pa.string()), ("name", pa.string()), ("size", pa.int64()), ("fingerprint", pa.string()), ("span", _SPAN)]
)


@dataclass(frozen=True)
class Round:
    """Shards that are made together: ``count`` of them from number ``first`` on, of ``members`` objects of ``source``."""

    source: str
    options: str  # canonical JSON
    first: int
    count: int
    members: int
    done: bool = False  # indexed; what it left is being cleared away

    @property
    def shards(self) -> range:
        return range(self.first, self.first + self.count)


def next_shard(archive: str) -> int:
    """The number after those of all shards, be they in the index or not: none is ever given twice."""
    indexed = ArchiveIndex(index_uri(archive)).shards if is_archive(archive) else 0
    return max(indexed, *(number + 1 for number in list_shards(archive)), 0)


def write_plan(
    archive: str,
    shards: Iterator[Sequence[StoredObject]],
    *,
    source: str,
    options: str,
    first: int,
    fence: Fence | None = None,
) -> Round:
    """Write down what goes into which shard, numbered from ``first``; memory holds one shard's objects."""
    fence = fence or Fence(archive)
    fence.check()
    clear_own(archive, ROUND)
    count = members = 0
    for objects in shards:
        _write_new(fence, shard_plan_uri(archive, first + count), _shard_plan(objects))
        count += 1
        members += len(objects)
    plan = Round(source, options, first, count, members)
    _write_new(fence, plan_uri(archive), _round_text(plan))  # last: now it counts
    return plan


def read_shard_plan(archive: str, shard: int) -> list[StoredObject]:
    """The objects that go into a shard. StorageError if the plan is damaged."""
    uri = shard_plan_uri(archive, shard)
    data = read_object(uri)
    try:
        table = read_parquet(data, columns=_SCHEMA.names).select(_SCHEMA.names).cast(_SCHEMA)
        return [_planned(row) for row in table.to_pylist()]
    except (pa.ArrowException, OSError, KeyError, TypeError, ValueError) as error:
        raise _not_a_plan(uri, error) from error


def read_round(archive: str) -> Round | None:
    """The round whose plan stands there, finished or not; None if there is none."""
    uri = plan_uri(archive)
    if stat_object(uri) is None:
        return None
    data = read_object(uri)
    try:
        return _round(load_json(data))
    except (TypeError, ValueError, AttributeError) as error:
        raise _not_a_plan(uri, error) from error


def pending_round(archive: str, fence: Fence | None = None) -> Round | None:
    """The round that a killed job left unfinished; None if there is none. What a finished one left is cleared away.

    That a round was published, but not finished, counts for a job alone that has the destination, and gives its fence.
    """
    plan = read_round(archive)
    if plan is None and fence is not None:
        fence.check()
        clear_own(archive, ROUND)  # what a job wrote last that lost its lease
    if plan is None or not (plan.done or (fence is not None and _is_published(archive, plan))):
        return plan
    end_round(archive, plan, fence)
    return None


def _is_published(archive: str, plan: Round) -> bool:
    return is_archive(archive) and ArchiveIndex(index_uri(archive)).shards > plan.first


def is_packed(archive: str, shard: int) -> bool:
    """Whether a shard of the round under way is published, with its part of the index."""
    return stat_object(packed_uri(archive, shard)) is not None


def end_round(archive: str, plan: Round, fence: Fence | None = None) -> None:
    """Clear away all that an indexed round leaves. Killed meanwhile, it says of itself that it is done.

    LeaseLostError or StorageError if another round stands there by now.
    """
    fence = fence or Fence(archive)
    uri, done = plan_uri(archive), replace(plan, done=True)
    found = stat_object(uri)
    if found is not None:
        there = read_round(archive)
        if there is not None and replace(there, done=True) != done:
            fence.check()
            raise StorageError(f"{uri!r} was changed meanwhile by something that holds no lease; run again")
        over = replace_fenced(fence, uri, [_round_text(done)], found.fingerprint)
        for folder in ("members", "packed", "plan"):
            fence.check()
            clear_own(archive, f"{ROUND}/{folder}")
        delete_if(uri, over)
    fence.check()
    clear_own(archive, ROUND)


def _write_new(fence: Fence, uri: str, data: bytes) -> None:
    """LeaseLostError or StorageError if another job plans there at the same time."""
    if create_fenced(fence, uri, [data]) is None:
        raise StorageError(f"{uri!r} is there with another plan, of something that holds no lease; run again")


def _round(content: Any) -> Round:
    """ValueError or TypeError for what `_round_text` never wrote."""
    plan = Round(**content)
    numbers = (plan.first, plan.count, plan.members)
    if any(type(number) is not int or not 0 <= number <= _MOST_OF_A_ROUND for number in numbers):
        raise ValueError(f"a round of {plan.count!r} shards from {plan.first!r} with {plan.members!r} members")
    if not (isinstance(plan.source, str) and isinstance(plan.options, str) and isinstance(plan.done, bool)):
        raise ValueError("a round without its source or options")
    return plan


def _round_text(plan: Round) -> bytes:
    return json.dumps(asdict(plan), sort_keys=True).encode("ascii")


def _shard_plan(objects: Sequence[StoredObject]) -> bytes:
    rows = [
        _encodable(asdict(found)) for found in objects
    ]  # of members of packs, whose tars are others': no member's name
    sink = io.BytesIO()
    pa.parquet.write_table(pa.Table.from_pylist(rows, schema=_SCHEMA), sink, compression="zstd")
    return sink.getvalue()


def _encodable(row: dict[str, Any]) -> dict[str, Any]:
    """With names that are no UTF-8 spelled out: Parquet holds no others."""
    span = row["span"] and {**row["span"], "uri": spell_text(row["span"]["uri"])}
    return {**row, "uri": spell_text(row["uri"]), "name": spell_text(row["name"]), "span": span}


def _planned(row: dict[str, Any]) -> StoredObject:
    span = row["span"] and Span(**{**row["span"], "uri": unspell_text(row["span"]["uri"])})
    return StoredObject(**{**row, "uri": unspell_text(row["uri"]), "name": unspell_text(row["name"]), "span": span})


def _not_a_plan(uri: str, error: Exception) -> StorageError:
    return StorageError(
        f"expected {uri!r} to be the plan of an unfinished job, found something else or a damaged file ({error}); "
        f"delete the folder it lies in, and begin again"
    )
