"""What is left to do: a listing joined with the manifest and with what the destination already holds.

The join also spreads the *names* over the workers, before anything is read.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import apache_beam as beam
from apache_beam.pvalue import PCollection

from archivae.errors import ArchivaeError, DestinationError, StorageError, UnsafeNameError
from archivae.images import ENDINGS
from archivae.operations.archive import span_of
from archivae.operations.names import (
    ARCHIVE_ENDING,
    archive_name,
    assign_decoded_names,
    collision_group,
    member_name,
    target_uri,
)
from archivae.storage import ManifestRow, StoredObject, list_source, read_fragment, read_fragments
from archivae.storage.archive_index import ArchiveIndex, IndexRow
from archivae.storage.archive_layout import index_uri, is_archive
from archivae.storage.archive_plan import Round
from archivae.storage.escaping import escape_name
from archivae.storage.fence import Fence
from archivae.storage.listing import Part, list_part, list_parts
from archivae.storage.names import is_own, normal, stored_name
from archivae.storage.objects import store_of
from archivae.storage.store import why_unreadable
from archivae.storage.tfrecord import with_records
from archivae.transforms.failures import MaxFailures
from archivae.transforms.item import Item
from archivae.transforms.masks import is_mask
from archivae.transforms.progress import PLANNED, tally


@dataclass(frozen=True)
class Job:
    """What a run over a collection is told.

    ``options`` is the canonical JSON of all that decides the outputs. ``named``: the source is one object or a list of
    objects, not a folder or glob, so each is meant to be what the operation takes. ``shards``: what goes into which
    shard of an archive; None where each picture becomes a file of its own. ``retry_failed``: what failed and has not
    changed since is worked on again. ``masks``: the pattern of objects that are masks of others
    (`archivae.operations.restoration`), and no pictures of their own. ``token``, ``inherits``: of the lease that the job
    has, if it has one. ``overwrite_foreign``: what lies at a target may be replaced, whoever wrote it. ``max_failures``:
    more of them end the job.
    """

    operation: str
    source: str
    destination: str
    options: str
    run: str
    format: str = "png"
    overwrite: bool = False
    progress: str = ""
    named: bool = False
    shards: Round | None = None
    retry_failed: bool = True
    masks: str = ""
    token: str = ""
    inherits: bool = False
    overwrite_foreign: bool = False
    max_failures: MaxFailures | None = None

    @property
    def fence(self) -> Fence:
        """What every write of the job goes through."""
        return Fence(self.destination, self.token, self.inherits)


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
    rows = sorted(group.rows, key=lambda row: row.written)
    newest = {row.name: row for row in rows}
    targets = _targets(group, job)
    for source in sorted(group.sources, key=lambda s: s.name):
        target = targets.get(source.name, "")
        item = Item(source, source.name if job.operation == "encode" else target)
        stored = target if job.operation == "encode" else stored_name(job.destination, target)
        row, made = newest.get(source.name), _made(rows, source, stored, job)
        there = stored in group.outputs
        settled = row is not None and _is_settled(row, source, job, there)
        problem = _problem(made, source, target, job)
        if settled and row is not None and row.status == "failed":
            yield Item(source, target, status="skipped")
        elif unread := why_unreadable(source):
            yield item.failed("list", StorageError(unread))
        elif problem:
            yield item.failed("plan", problem)
        elif settled:
            yield Item(source, target, status="skipped")
        elif not _is_taken(source, job):
            yield item.not_a_picture()
        else:
            unrecorded = row is None and there and job.operation == "encode"
            found = target_uri(job.destination, target) if unrecorded else ""
            replaces = made.archive_bytes if made and there else None
            yield replace(item, found=found, replaces=replaces, taken=there)


def group_key(name: str, operation: str) -> str:
    """The key under which a source's name is settled."""
    return escape_name(name) if operation == "encode" else collision_group(name)


def as_key(text: str) -> bytes:
    """A name as a key, or a value, of Beam's: it carries no text that is no Unicode."""
    return text.encode("utf-8", "surrogatepass")


def from_key(key: bytes) -> str:
    """The text that `as_key` was given."""
    return key.decode("utf-8", "surrogatepass")


def _targets(group: Group, job: Job) -> dict[str, str]:
    if job.operation == "encode":
        return {source.name: archive_name(source.name) for source in group.sources}
    ending = ENDINGS[job.format]  # type: ignore[index]
    return assign_decoded_names([source.name for source in group.sources if _is_taken(source, job)], ending)


def _is_taken(source: StoredObject, job: Job) -> bool:
    """Whether the operation takes ``source``: what lies beside the ``.avae`` files in a folder decode does not."""
    return job.operation != "decode" or job.named or source.name.endswith(ARCHIVE_ENDING)


def _made(rows: Sequence[ManifestRow], source: StoredObject, stored: str, job: Job) -> ManifestRow | None:
    """The newest row, of ``rows`` by age, that speaks of what was written and is called ``stored`` in the destination."""
    done = [row for row in rows if row.status == "done"]
    if (
        job.shards is not None or job.operation == "embed"
    ):  # members of shards and vectors are known by their source's name
        named = [row for row in done if row.name == source.name]
    else:  # the destination itself may have been moved since
        named = [row for row in done if stored and row.archive.endswith(f"/{stored}")]
    return named[-1] if named else None


def _problem(made: ManifestRow | None, source: StoredObject, target: str, job: Job) -> ArchivaeError | None:
    """Why ``source`` can't be done, whatever is in it."""
    try:
        target_uri(job.destination, target or source.name)
    except UnsafeNameError as error:
        return error
    if job.overwrite_foreign or made is None or made.source == source.uri:
        return None
    return DestinationError(
        f"{made.archive} was made of {made.source}: choose another destination, or --overwrite-foreign to replace it"
    )


def _is_settled(row: ManifestRow, source: StoredObject, job: Job, target_there: bool) -> bool:
    unchanged = (row.source, row.fingerprint, row.options) == (source.uri, source.fingerprint, job.options)
    over = row.status == "not-a-picture" or (row.status == "failed" and not job.retry_failed)
    there = target_there or job.operation == "embed"  # vectors of many pictures lie in one object
    return unchanged and (over or (row.status == "done" and there))


def list_inputs(job: Job) -> Iterator[StoredObject]:
    """The source's objects, members of TFRecord files and archives too; masks aside, and but for decode ``.avae`` files."""
    if job.operation == "decode" and is_archive(job.source):
        yield from list_members(normal(job.source))
        return
    yield from _taken(list_source(job.source, exclude=job.destination), job)


def list_input_parts(job: Job) -> Iterator[Part | IndexPart]:
    """What of the job's source each worker is to list."""
    if job.operation == "decode" and is_archive(job.source):
        archive = normal(job.source)
        yield from (IndexPart(archive, group) for group in range(ArchiveIndex(index_uri(archive)).groups))
        return
    yield from list_parts(job.source, exclude=job.destination)


def list_input_part(part: Part | IndexPart, job: Job) -> Iterator[StoredObject]:
    """The objects of one part of `list_input_parts`."""
    if isinstance(part, IndexPart):
        rows = ArchiveIndex(index_uri(part.archive)).read_group(part.group)
        return (_member(part.archive, row) for row in rows)
    return _taken(list_part(part), job)


@dataclass(frozen=True)
class IndexPart:
    """One row group of an archive's index."""

    archive: str
    group: int


def _taken(sources: Iterator[StoredObject], job: Job) -> Iterator[StoredObject]:
    for source in sources if job.operation == "decode" else with_records(sources):
        taken = job.operation == "decode" or not source.name.endswith(ARCHIVE_ENDING)
        if taken and not (job.masks and is_mask(job.masks, source)):
            yield source


def list_members(archive: str) -> Iterator[StoredObject]:
    """The pictures in an archive's shards, each with the URI that it would have as a file of its own."""
    return (_member(archive, row) for row in ArchiveIndex(index_uri(archive)).rows())


def _member(archive: str, row: IndexRow) -> StoredObject:
    name = member_name(row.name)
    uri = f"{archive.rstrip('/')}/{name}"
    return StoredObject(uri, name, row.length, f"crc32c:{row.length}:{row.crc:08x}", span=span_of(archive, row))


def list_outputs(destination: str) -> Iterator[str]:
    """Names of what lies in the destination, ours aside; none if there is no such folder yet.

    What can't be looked at is left out: whatever lies there, nothing is written over it.
    """
    found = store_of(destination).walk(normal(destination), unread=True)
    return (entry.name for entry in found if not is_own(entry.name) and not why_unreadable(entry))


def plan_here(job: Job) -> Iterator[Item]:
    """What `PlanWork` gives, made in this process."""
    groups: defaultdict[str, _Parts] = defaultdict(_Parts)
    for source in list_inputs(job):
        groups[group_key(source.name, job.operation)].sources.append(source)
    for fragment in read_fragments(job.destination):
        for row in read_fragment(fragment):
            groups[group_key(row.name, job.operation)].rows.append(row)
    for name in list_outputs(job.destination):
        groups[_output_key(name, job.operation)].outputs.append(name)
    for parts in groups.values():
        yield from settle(parts.group(), job)


@dataclass
class _Parts:
    sources: list[StoredObject] = field(default_factory=list)
    rows: list[ManifestRow] = field(default_factory=list)
    outputs: list[str] = field(default_factory=list)

    def group(self) -> Group:
        return Group(tuple(self.sources), tuple(self.rows), frozenset(self.outputs))


class ReadRows(beam.PTransform):
    """The rows of the destination's manifest, under the keys of the names that they speak of."""

    def __init__(self, job: Job) -> None:
        super().__init__()
        self._job = job

    def expand(self, root: Any) -> PCollection[tuple[bytes, ManifestRow]]:
        return (
            root
            | "Manifest" >> beam.Create([self._job.destination])
            | "List fragments" >> beam.FlatMap(read_fragments)
            | "Spread fragments" >> beam.Reshuffle()
            | "Read fragments" >> beam.FlatMap(read_fragment)
            | "Key rows" >> beam.Map(lambda row, op: (as_key(group_key(row.name, op)), row), self._job.operation)
        )


class PlanWork(beam.PTransform):
    """From the pipeline's root to a PCollection of `Item`: one for each object of the source."""

    def __init__(self, job: Job) -> None:
        super().__init__()
        self._job = job

    def expand(self, root: Any) -> PCollection[Item]:
        job = self._job
        sources = (
            root
            | "Source" >> beam.Create([job])
            | "Parts of the source" >> beam.FlatMap(list_input_parts)
            | "Spread parts" >> beam.Reshuffle()
            | "List source" >> beam.FlatMap(list_input_part, job)
            | "Key sources" >> beam.Map(lambda source, op: (as_key(group_key(source.name, op)), source), job.operation)
        )
        rows = root | "Rows" >> ReadRows(job)
        outputs = (
            root
            | "Destination" >> beam.Create([job.destination])
            | "List destination" >> beam.FlatMap(_keyed_outputs, job.operation)
        )
        return (
            {"sources": sources, "rows": rows, "outputs": outputs}
            | "Join" >> beam.CoGroupByKey()
            | "Settle" >> beam.FlatMap(_settle_joined, job)
        )


def _output_key(name: str, operation: str) -> str:
    return name.removesuffix(ARCHIVE_ENDING) if operation == "encode" else collision_group(name)


def _keyed_outputs(destination: str, operation: str) -> Iterator[tuple[bytes, bytes]]:
    return ((as_key(_output_key(name, operation)), as_key(name)) for name in list_outputs(destination))


def _settle_joined(joined: tuple[bytes, dict[str, Iterable[Any]]], job: Job) -> Iterator[Item]:
    _, parts = joined
    known = _Parts([*parts["sources"]], [*parts["rows"]], [*map(from_key, parts["outputs"])])
    for item in settle(known.group(), job):
        tally(job.progress, PLANNED)
        yield item
