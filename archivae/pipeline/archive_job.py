"""What a job that makes or extends an archive of shards works on: planned once, gone on with after a kill."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import chain, islice

from archivae.errors import DestinationError, UsageError
from archivae.operations.archive_assign import assign
from archivae.operations.archive_new import unarchived
from archivae.operations.names import kept_name
from archivae.pipeline.options import Settings
from archivae.storage import StoredObject, read_fragment, read_fragments, read_manifest
from archivae.storage.archive_index import ArchiveIndex, IndexRow
from archivae.storage.archive_layout import index_uri, is_archive, packed_uri, shard_uri
from archivae.storage.archive_plan import Round, is_packed, next_shard, pending_round, read_shard_plan, write_plan
from archivae.storage.archive_rewrite import Rewrite, Taken, write_rewrite
from archivae.storage.globs import parse_glob
from archivae.storage.names import normal, plain
from archivae.storage.overlap import overlap
from archivae.transforms import Item, Job
from archivae.transforms.plan import list_inputs
from archivae.transforms.read import read_item

_MISSING_LOOKED_AT = 10_000
"""Of so many objects that an archive lacks the manifest is asked why; more of them are simply new."""


def plan_shards(job: Job, settings: Settings) -> Round | None:
    """The shards to make: of an unfinished job, or newly planned; None if there is nothing to do.

    DestinationError where another job is unfinished, where there is nothing to append to, or where the archive is
    finished and the source holds more.
    """
    pending = _pending(job)
    if pending is not None:
        return pending
    replaced: list[Taken] = []
    sources = iter(_left(job, settings, replaced))
    first = next(sources, None)
    if first is None:
        return None
    shards = assign(chain([first], sources), settings.shard_size, settings.rate)
    free = next_shard(job.destination)
    return write_plan(
        job.destination,
        _with_replaced(shards, replaced, free, job),
        source=normal(job.source),
        options=job.options,
        first=free,
        fence=job.fence,
    )


def _with_replaced(
    shards: Iterator[list[StoredObject]], replaced: list[Taken], first: int, job: Job
) -> Iterator[list[StoredObject]]:
    """The shards; what they replace is written down when it is known, and before the plan counts."""
    count = 0
    for shard in shards:
        yield shard
        count += 1
    if replaced:
        write_rewrite(job.fence, Rewrite(first + count, tuple(replaced)))


def objects_left(job: Job, settings: Settings) -> Iterator[StoredObject]:
    """What `plan_shards` would have the job work on, nothing being written."""
    pending = _pending(job)
    if pending is None:
        return iter(_left(job, settings, []))
    left = (shard for shard in pending.shards if not is_packed(job.destination, shard))
    return chain.from_iterable(read_shard_plan(job.destination, shard) for shard in left)


def published_before(job: Job, plan: Round) -> int:
    """How many pictures lie in those of the round's shards that are published."""
    uris = (packed_uri(job.destination, shard) for shard in plan.shards if is_packed(job.destination, shard))
    return sum(len(ArchiveIndex(uri)) for uri in uris)


def _pending(job: Job) -> Round | None:
    _check_apart(job)
    pending = pending_round(job.destination, job.fence if job.token else None)
    if pending is not None and (pending.source, pending.options) != (normal(job.source), job.options):
        raise DestinationError(
            f"a job over {job.destination} is unfinished, of {pending.source} with {pending.options}: "
            f"run it again to its end first"
        )
    return pending


def _check_apart(job: Job) -> None:
    """UsageError if the archive's own shards would be listed as pictures: single files and ``_archivae`` never are."""
    glob = parse_glob(plain(job.source))
    takes_shards = glob is None or glob.names.match(shard_uri(job.destination, 0).rpartition("/")[2])
    if takes_shards and overlap(job.source, job.destination) == "is":
        raise UsageError(f"an archive cannot lie where its pictures do, {job.source!r}: choose another destination")


def _left(job: Job, settings: Settings, replaced: list[Taken]) -> Iterable[StoredObject]:
    """What is to be put into new shards; what that replaces is added to ``replaced`` on the way."""
    if not is_archive(job.destination):
        if settings.append:
            raise DestinationError(f"expected an archive at {job.destination}, found none: archivae encode --archive")
        return list_inputs(job)
    is_new = _Changes(job, settings.keep_old, replaced) if settings.update else _never
    new = unarchived(list_inputs(job), ArchiveIndex(index_uri(job.destination)).rows(), is_new)
    if settings.append:
        return _unexplained(job, new, {"not-a-picture"})
    more = next(_unexplained(job, new, {"not-a-picture", "failed"}), None)
    if more is not None:
        raise DestinationError(
            f"the archive {job.destination} is finished, and {job.source} holds what it lacks, such as "
            f"{more.name!r}: archivae append puts that into new shards"
        )
    return ()


def _never(source: StoredObject, row: IndexRow) -> bool:
    return False


class _Changes:
    """Tells sources that changed since they were archived: by the manifest, and if that knows otherwise by their SHA-256."""

    def __init__(self, job: Job, keep_old: bool, replaced: list[Taken]) -> None:
        rows = (row for row in read_manifest(job.destination).values() if row.status == "done")
        self._fingerprints = {(row.source, row.sha256): row.fingerprint for row in rows}
        self._index = ArchiveIndex(index_uri(job.destination))
        self._keep_old = keep_old
        self._replaced = replaced

    def __call__(self, source: StoredObject, row: IndexRow) -> bool:
        known = self._fingerprints.get((source.uri, row.sha256.hex()))
        if known == source.fingerprint or self._has(source, row.sha256):
            return False
        self._replaced.append(Taken(row, self._version(row) if self._keep_old else ""))
        return True

    def _has(self, source: StoredObject, sha256: bytes) -> bool:
        """Whether a source has this SHA-256 still; False where it can't be read, of which the job will tell."""
        read = read_item(Item(source, source.name), pictures_only=False)
        return read.facts.sha256 == sha256.hex()

    def _version(self, row: IndexRow) -> str:
        """A name for the earlier version that no other picture has."""
        for digits in range(12, 65):
            name = kept_name(row.name, row.sha256, digits)
            other = self._index.find(name)
            if other is None or other.sha256 == row.sha256:
                break
        return name


def _unexplained(job: Job, new: Iterator[StoredObject], statuses: set[str]) -> Iterator[StoredObject]:
    """Those of ``new`` that the manifest does not know to have ended with one of ``statuses``, unchanged since."""
    looked_at = {source.name: source for source in islice(new, _MISSING_LOOKED_AT)}
    more = next(new, None)
    if more is not None:
        return chain(looked_at.values(), [more], new)
    for fragment in read_fragments(job.destination) if looked_at else ():
        for row in read_fragment(fragment):
            known = looked_at.get(row.name)
            if row.status in statuses and known is not None and known.fingerprint == row.fingerprint:
                del looked_at[row.name]
    return iter(looked_at.values())
