"""Shards of an archive: what is left to do for them, and how their finished members get into them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace
from typing import Any

import apache_beam as beam
from apache_beam.pvalue import PCollection

from archivae.operations.archive_pack import pack_shard, publish_round
from archivae.operations.archive_rewrite import finish_rewrite, follow_manifest
from archivae.operations.names import ARCHIVE_ENDING
from archivae.storage import ManifestRow
from archivae.storage.archive_layout import members_folder, shard_number
from archivae.storage.archive_plan import Round, is_packed, read_shard_plan
from archivae.storage.escaping import escape_name
from archivae.storage.fence import Fence
from archivae.storage.objects import store_of
from archivae.transforms.failures import is_stopped
from archivae.transforms.item import Item
from archivae.transforms.plan import Group, Job, ReadRows, as_key, from_key, settle
from archivae.transforms.progress import PLANNED, tally


class PlanMembers(beam.PTransform):
    """From the pipeline's root to a PCollection of `Item`: one for each member of each shard that is not published.

    Members that are finished come as skipped items, ``kept``.
    """

    def __init__(self, job: Job) -> None:
        super().__init__()
        self._job = job

    def expand(self, root: Any) -> PCollection[Item]:
        destination = self._job.destination
        shards = (
            root
            | "Shards" >> beam.Create(list(_round_of(self._job).shards))
            | "Spread shards" >> beam.Reshuffle()
            | "Not published" >> beam.Filter(lambda shard: not is_packed(destination, shard))
        )
        sources = shards | "Read plans" >> beam.FlatMap(_planned, destination)
        outputs = shards | "List members" >> beam.FlatMap(_finished, destination)
        rows = root | "Rows" >> ReadRows(self._job)
        return (
            {"sources": sources, "rows": rows, "outputs": outputs}
            | "Join" >> beam.CoGroupByKey()
            | "Settle" >> beam.FlatMap(_settle_member, self._job)
        )


class PackShards(beam.PTransform):
    """From planned items and the rows of those that were written to nothing: shards and the index are published.

    What travels to a shard are the names of its members alone.
    """

    def __init__(self, job: Job) -> None:
        super().__init__()
        self._job = job

    def expand(self, inputs: tuple[PCollection[Item], PCollection[ManifestRow]]) -> PCollection[None]:
        items, rows = inputs
        plan = _round_of(self._job)
        # Each shard once without a name: one of whose members none came through must be published too.
        every = items.pipeline | "Every shard" >> beam.Create([(shard, "") for shard in plan.shards])
        kept = items | "Finished before" >> beam.FlatMap(_kept_member)
        written = rows | "Finished now" >> beam.FlatMap(_written_member)
        return (
            (every, kept, written)
            | beam.Flatten()
            | "By shard" >> beam.GroupByKey()
            | "Whole shards" >> beam.Filter(_is_whole, self._job)
            | "Pack" >> beam.Map(_pack, self._job.fence)
            | "Wait for all" >> beam.combiners.Count.Globally()
            | "Whole round" >> beam.Filter(_is_whole, self._job)
            | "Publish" >> beam.Map(_publish, plan, self._job.fence)
        )


def _round_of(job: Job) -> Round:
    if job.shards is None:
        raise ValueError("expected a job that makes an archive, found one without shards")
    return job.shards


def _planned(shard: int, destination: str) -> Iterator[tuple[bytes, tuple[int, Any]]]:
    for source in read_shard_plan(destination, shard):
        yield as_key(escape_name(source.name)), (shard, source)


def _finished(shard: int, destination: str) -> Iterator[tuple[bytes, bytes]]:
    folder = members_folder(destination, shard)
    for entry in store_of(folder).walk(folder):
        yield as_key(entry.name.removesuffix(ARCHIVE_ENDING)), as_key(entry.name)


def _settle_member(joined: tuple[bytes, dict[str, Iterable[Any]]], job: Job) -> Iterator[Item]:
    _, parts = joined
    rows, outputs = tuple(parts["rows"]), frozenset(map(from_key, parts["outputs"]))
    for shard, source in parts["sources"]:
        place = replace(job, destination=members_folder(job.destination, shard))
        for item in settle(Group((source,), rows, outputs), place):
            tally(job.progress, PLANNED)
            yield replace(item, shard=shard, kept=item.status == "skipped" and item.target in outputs)


def _kept_member(item: Item) -> Iterator[tuple[int, str]]:
    if item.status == "skipped" and item.kept and item.shard is not None:
        yield item.shard, escape_name(item.source.name)


def _written_member(row: ManifestRow) -> Iterator[tuple[int, str]]:
    shard = shard_number(row.archive)
    if row.status == "done" and shard is not None:
        yield shard, escape_name(row.name)


def _is_whole(what: object, job: Job) -> bool:
    """Not so of a run that was stopped, which left members out; the next one goes on with the round."""
    return job.max_failures is None or not is_stopped(job.destination, job.run)


def _publish(packed: int, plan: Round, fence: Fence) -> None:
    archive = fence.destination
    moved = publish_round(archive, plan, fence)
    follow_manifest(archive, fence, moved)
    finish_rewrite(archive, fence)


def _pack(members: tuple[int, Iterable[str]], fence: Fence) -> int:
    shard, names = members
    return pack_shard(fence.destination, shard, filter(None, names), fence)
