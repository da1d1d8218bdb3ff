"""An archive's pictures, each checked where it lies: the same checks that the command makes in one process."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

import apache_beam as beam
from apache_beam.pvalue import PCollection, TaggedOutput

from archivae.errors import ArchivaeError, VerificationError
from archivae.operations.archive import Archive, open_archive
from archivae.operations.archive_verify import Original, check_picture, check_whole, sampled_places
from archivae.operations.names import member_name
from archivae.storage import ManifestRow, read_fragment, read_fragments
from archivae.storage.archive_index import ArchiveIndex, IndexRow
from archivae.storage.archive_layout import index_uri, shard_uri
from archivae.storage.escaping import escape_name, unescape_name
from archivae.storage.names import normal
from archivae.transforms.metrics import StepMetrics
from archivae.transforms.plan import Job
from archivae.transforms.progress import FINISHED, PLANNED, tally

_DAMAGED = "damaged"


@dataclass(frozen=True)
class Check:
    """One picture to check, and what to compare it with."""

    row: IndexRow
    original: Original | None = None


class PlanChecks(beam.PTransform):
    """From the pipeline's root to two PCollections: of `Check`, and of failed `ManifestRow` for what could not be read.

    ``share`` of the pictures, up to 1, at random; ``against``: the originals' folder, or nothing.
    """

    def __init__(self, job: Job, share: float, against: str) -> None:
        super().__init__()
        self._job = job
        self._share = share
        self._against = normal(against) if against else ""

    def expand(self, root: Any) -> tuple[PCollection[Check], PCollection[ManifestRow]]:
        archive = normal(self._job.source)
        rows = (
            root
            | "Archive" >> beam.Create([archive])
            | "List groups" >> beam.FlatMap(_groups, self._share)
            | "Spread groups" >> beam.Reshuffle()
            | "Read index" >> beam.FlatMap(_rows, archive, self._job.progress)
        )
        if not self._against:
            checks = rows | "Spread pictures" >> beam.Reshuffle() | "Alone" >> beam.Map(Check)
            return checks, root | "Nothing else is read" >> beam.Create([])
        recorded = (
            root
            | "Manifest" >> beam.Create([archive])
            | "List fragments" >> beam.FlatMap(read_fragments)
            | "Spread fragments" >> beam.Reshuffle()
            | "Read fragments" >> beam.FlatMap(_recorded, self._job).with_outputs(_DAMAGED, main="recorded")
        )
        checks = (
            {"rows": rows | "Key pictures" >> beam.Map(lambda row: (row.name, row)), "recorded": recorded["recorded"]}
            | "Join" >> beam.CoGroupByKey()
            | "With originals" >> beam.FlatMap(_with_original, self._against)
        )
        return checks, recorded[_DAMAGED]


class VerifyPictures(beam.PTransform):
    """Checks pictures of an archive: PCollection of `Check` -> of `ManifestRow`, "done" for what is whole, else "failed"."""

    def __init__(self, job: Job, accelerator: str) -> None:
        super().__init__()
        self._job = job
        self._accelerator = accelerator

    def expand(self, checks: PCollection[Check]) -> PCollection[ManifestRow]:
        return checks | beam.ParDo(_VerifyFn(self._job, self._accelerator))


class VerifyWhole(beam.PTransform):
    """Checks what no single picture shows: index, models, the shards' ends. root -> one failed row if anything is wrong."""

    def __init__(self, job: Job) -> None:
        super().__init__()
        self._job = job

    def expand(self, root: Any) -> PCollection[ManifestRow]:
        archive = normal(self._job.source)
        return root | "Whole archive" >> beam.Create([archive]) | "Check" >> beam.FlatMap(_whole, self._job)


class _VerifyFn(beam.DoFn):
    def __init__(self, job: Job, accelerator: str) -> None:
        self._job = job
        self._accelerator = accelerator

    def display_data(self) -> dict[str, str]:
        return {"archive": self._job.source, "accelerator": self._accelerator}

    def setup(self) -> None:
        self._metrics = StepMetrics("verify")
        self._archive: Archive | None = None

    def process(self, check: Check) -> Iterator[ManifestRow]:
        if self._archive is None:
            self._archive = open_archive(self._job.source, accelerator=self._accelerator)
        began = time.perf_counter()
        row, archive = check.row, self._archive
        problems = check_picture(archive.uri, row, archive.codec, check.original)
        self._metrics.pictures.inc()
        self._metrics.pixels.inc(row.height * row.width)
        self._metrics.bytes_in.inc(row.length)
        tally(self._job.progress, FINISHED)
        yield _picture_row(self._job, archive.uri, row, problems, time.perf_counter() - began)


def _groups(archive: str, share: float) -> Iterator[tuple[int, range]]:
    """The row groups of the index, and which rows of each are checked; none where there is no index, which is told of a
    whole archive."""
    try:
        yield from sampled_places(ArchiveIndex(index_uri(archive)).group_sizes, share)
    except ArchivaeError:
        return


def _rows(group: tuple[int, range], archive: str, progress: str) -> Iterator[IndexRow]:
    number, places = group
    try:
        rows = ArchiveIndex(index_uri(archive)).read_group(number)
    except ArchivaeError:  # told of the whole archive
        return
    for place in places:
        tally(progress, PLANNED)
        yield rows[place]


def _recorded(fragment: str, job: Job) -> Iterator[Any]:
    try:
        rows = read_fragment(fragment)
    except ArchivaeError as error:
        yield TaggedOutput(_DAMAGED, _failed_row(job, fragment, [str(error)]))
        return
    yield from ((escape_name(row.name), row) for row in rows)


def _with_original(joined: tuple[str, dict[str, Iterable[Any]]], against: str) -> Iterator[Check]:
    name, parts = joined
    newest = max(parts["recorded"], key=lambda row: row.written, default=None)
    original = Original(f"{against}/{unescape_name(name)}", None)
    if newest is not None and newest.status == "done":
        original = replace(original, psnr=newest.psnr, options=newest.options)
    for row in parts["rows"]:
        yield Check(row, original)


def _whole(archive: str, job: Job) -> Iterator[ManifestRow]:
    problems = list(check_whole(archive))
    if problems:
        yield _failed_row(job, index_uri(archive), problems)


def _picture_row(job: Job, archive: str, row: IndexRow, problems: Sequence[str], seconds: float) -> ManifestRow:
    return ManifestRow(
        source=f"{archive.rstrip('/')}/{member_name(row.name)}",
        name=unescape_name(row.name),
        bytes=row.length,
        sha256=row.sha256.hex(),
        fingerprint=f"crc32c:{row.length}:{row.crc:08x}",
        height=row.height,
        width=row.width,
        status="failed" if problems else "done",
        archive=shard_uri(archive, row.shard),
        bpp=8 * row.length / (row.height * row.width) if row.height * row.width else 0.0,
        quality=row.quality,
        operation="verify",
        options=job.options,
        error=_told(problems),
        run=job.run,
        seconds=seconds,
        written=time.time(),
    )


def _failed_row(job: Job, uri: str, problems: Sequence[str]) -> ManifestRow:
    """Of a file that is no picture."""
    return ManifestRow(
        source=uri, name=uri.rpartition("/")[2], bytes=0, sha256="", fingerprint="", height=0, width=0, status="failed",
        operation="verify", options=job.options, error=_told(problems), run=job.run, written=time.time(),
    )  # fmt: skip


def _told(problems: Sequence[str]) -> str:
    return f"{VerificationError.__name__}: {'; '.join(problems)}" if problems else ""
