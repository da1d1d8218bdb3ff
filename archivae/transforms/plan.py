"""What is left to do: a listing joined with the manifest and with what the destination already holds.

The join also spreads the *names* over the workers, before anything is read.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

import apache_beam as beam

from archivae.errors import DestinationError, StorageError
from archivae.images import ENDINGS
from archivae.storage import ManifestRow, StoredObject, join, list_source, read_fragment, read_fragments
from archivae.operations.names import ARCHIVE_ENDING, archive_name, assign_decoded_names, collision_group
from archivae.transforms.item import Item
from archivae.transforms.progress import PLANNED, tally


@dataclass(frozen=True)
class Job:
    """What a run over a collection is told. ``options`` is the canonical JSON of all that decides the outputs."""

    operation: str
    source: str
    destination: str
    options: str
    run: str
    format: str = "png"
    overwrite: bool = False
    progress: str = ""


@dataclass(frozen=True)
class Group:
    """Names that must be settled together, with what is known of them.

    ``sources`` from the listing, ``rows`` from the manifest, ``outputs`` (names) from the destination.
    """

    sources: tuple[StoredObject, ...]
    rows: tuple[ManifestRow, ...]
    outputs: frozenset[str]


def settle(group: Group, job: Job) -> Iterator[Item]:
    """An item for each source of ``group``: to be done, skipped, or refused as another source holds its name."""
    newest = {row.name: row for row in sorted(group.rows, key=lambda row: row.written)}
    targets = _targets(group, job)
    for source in sorted(group.sources, key=lambda s: s.name):
        item = Item(source, source.name if job.operation == "encode" else targets[source.name])
        row = newest.get(source.name)
        if not job.overwrite and row is not None and row.status == "done" and row.source != source.uri:
            reason = f"{row.archive} was made of {row.source}: choose another destination, or --overwrite"
            yield item.failed("plan", DestinationError(reason))
        elif not source.name.endswith(ARCHIVE_ENDING) and job.operation == "decode":
            yield item.not_a_picture()
        elif row is not None and _is_settled(row, source, job, targets[source.name] in group.outputs):
            yield Item(source, targets[source.name], status="skipped")
        else:
            unrecorded = row is None and targets[source.name] in group.outputs and job.operation == "encode"
            found = join(job.destination, targets[source.name]) if unrecorded else ""
            yield Item(item.source, item.target, found=found)


def group_key(name: str, operation: str) -> str:
    """The key under which a source's name is settled."""
    return name if operation == "encode" else collision_group(name)


def _targets(group: Group, job: Job) -> dict[str, str]:
    names = [source.name for source in group.sources]
    if job.operation == "encode":
        return {name: archive_name(name) for name in names}
    ending = ENDINGS[job.format]  # type: ignore[index]
    return assign_decoded_names(names, ending)


def _is_settled(row: ManifestRow, source: StoredObject, job: Job, target_there: bool) -> bool:
    unchanged = (row.source, row.fingerprint, row.options) == (source.uri, source.fingerprint, job.options)
    return unchanged and (row.status == "not-a-picture" or (row.status == "done" and target_there))


def list_inputs(job: Job) -> Iterator[StoredObject]:
    """What the job's source holds; encode never takes ``.avae`` files."""
    for source in list_source(job.source, exclude=job.destination):
        if job.operation == "decode" or not source.name.endswith(ARCHIVE_ENDING):
            yield source


def list_outputs(destination: str) -> Iterator[str]:
    """Names of what lies in the destination, ours aside; none if there is no such folder yet."""
    try:
        yield from (found.name for found in list_source(destination.rstrip("/") + "/"))
    except StorageError:
        return


class PlanWork(beam.PTransform):
    """From the pipeline's root to a PCollection of `Item`: one for each object of the source."""

    def __init__(self, job: Job) -> None:
        super().__init__()
        self._job = job

    def expand(self, root: Any) -> beam.PCollection[Item]:
        job = self._job
        sources = (
            root
            | "Source" >> beam.Create([job])
            | "List source" >> beam.FlatMap(list_inputs)
            | "Key sources" >> beam.Map(lambda source, op: (group_key(source.name, op), source), job.operation)
        )
        rows = (
            root
            | "Manifest" >> beam.Create([job.destination])
            | "List fragments" >> beam.FlatMap(read_fragments)
            | "Spread fragments" >> beam.Reshuffle()
            | "Read fragments" >> beam.FlatMap(read_fragment)
            | "Key rows" >> beam.Map(lambda row, op: (group_key(row.name, op), row), job.operation)
        )
        outputs = (
            root
            | "Destination" >> beam.Create([job.destination])
            | "List destination" >> beam.FlatMap(list_outputs)
            | "Key outputs" >> beam.Map(_keyed_output, job.operation)
        )
        return (
            {"sources": sources, "rows": rows, "outputs": outputs}
            | "Join" >> beam.CoGroupByKey()
            | "Settle" >> beam.FlatMap(_settle_joined, job)
        )


def _keyed_output(name: str, operation: str) -> tuple[str, str]:
    key = name.removesuffix(ARCHIVE_ENDING) if operation == "encode" else collision_group(name)
    return key, name


def _settle_joined(joined: tuple[str, dict[str, Iterable[Any]]], job: Job) -> Iterator[Item]:
    _, parts = joined
    for item in settle(Group(tuple(parts["sources"]), tuple(parts["rows"]), frozenset(parts["outputs"])), job):
        tally(job.progress, PLANNED)
        yield item
