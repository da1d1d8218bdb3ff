"""New pictures, made chunk by chunk."""

from __future__ import annotations

import io
import json
import tarfile
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Literal, TypeVar

import apache_beam as beam
from apache_beam.pvalue import PCollection

from archivae.errors import LeaseLostError
from archivae.images import ENDINGS, OutputFormat
from archivae.images.notes import said
from archivae.operations.files import pixels_file
from archivae.operations.generate import Order, Pixels
from archivae.operations.sheet import sheet
from archivae.stopwatch import take_seconds, timed
from archivae.storage import (
    ManifestRow,
    StoredObject,
    own_path,
    read_fragment,
    read_fragments,
    read_object,
)
from archivae.storage.fence import Fence, write_fenced
from archivae.transforms.failures import MaxFailures
from archivae.transforms.item import Facts, Item
from archivae.transforms.metrics import StepMetrics
from archivae.transforms.models import ModelSource
from archivae.transforms.plan import list_outputs
from archivae.transforms.progress import PLANNED, tally

T = TypeVar("T")
FOLDER = 4096
"""So many pictures lie in a folder: a whole number of chunks."""
SHEET = "contact_sheet.png"


@dataclass(frozen=True)
class GenerationJob:
    """What a run is told. ``options`` is the canonical JSON of all that decides the pictures.

    ``shards``: a chunk becomes one tar file instead of an object a picture. ``token``: of the lease that the job has, if any.
    """

    order: Order
    model: ModelSource | None
    destination: str
    options: str
    run: str
    format: OutputFormat = "png"
    shards: bool = False
    overwrite: bool = False
    progress: str = ""
    overwrite_foreign: bool = False
    max_failures: MaxFailures | None = None
    operation: Literal["generate"] = "generate"
    token: str = ""

    @property
    def fence(self) -> Fence:
        """What every write of the job goes through."""
        return Fence(self.destination, self.token)

    def objects(self, chunk: int) -> list[str]:
        """The names of what a chunk is written to.

        >>> from archivae.operations.generate import Samples
        >>> GenerationJob(Samples(130), None, "d", "{}", "r").objects(2)
        ['0000/00000128.png', '0000/00000129.png']
        """
        if self.shards:
            return [f"{chunk:06d}.tar"]
        return [picture_name(number, self.format) for number in self.order.numbers(chunk)]

    @property
    def objects_in_all(self) -> int:
        """How many objects are to be written."""
        return self.order.chunks if self.shards else self.order.count


@dataclass(frozen=True)
class Made:
    """Of a chunk's objects: those that are ``done``, and the bytes of all that lie there and are ours, as they were written."""

    done: frozenset[str] = frozenset()
    ours: Mapping[str, int] = field(default_factory=dict)


class PlanChunks(beam.PTransform):
    """From the pipeline's root to the numbers of the chunks, each with what of it was made before, as `Made`."""

    def __init__(self, job: GenerationJob) -> None:
        super().__init__()
        self._job = job

    def expand(self, root: Any) -> PCollection[tuple[int, Made]]:
        job = self._job
        chunks = root | "Order" >> beam.Create([job]) | "Chunks" >> beam.FlatMap(_chunks)
        rows = (
            root
            | "Manifest" >> beam.Create([job.destination])
            | "List fragments" >> beam.FlatMap(read_fragments)
            | "Spread fragments" >> beam.Reshuffle()
            | "Read fragments" >> beam.FlatMap(read_fragment)
            | "Key rows" >> beam.FlatMap(_keyed_row, job)
        )
        outputs = (
            root
            | "Destination" >> beam.Create([job.destination])
            | "List destination" >> beam.FlatMap(list_outputs)
            | "Key outputs" >> beam.FlatMap(lambda name, job: _keyed(name, name, job), job)
        )
        return (
            {"chunks": chunks, "rows": rows, "outputs": outputs}
            | "Join" >> beam.CoGroupByKey()
            | "Settle" >> beam.FlatMap(_settled, job)
        )


class GenerateImages(beam.PTransform):
    """Makes each chunk that is not done: PCollection of chunks, as of `PlanChunks`, to PCollection of `Item`.

    The first chunk also leaves a contact sheet in ``_archivae/contact_sheet.png``. What fails fails with its chunk.
    """

    def __init__(self, job: GenerationJob) -> None:
        super().__init__()
        self._job = job

    def expand(self, chunks: PCollection[tuple[int, Made]]) -> PCollection[Item]:
        return chunks | beam.ParDo(_GenerateFn(self._job))


def generate_chunk(job: GenerationJob, chunk: int, made: Made = Made()) -> list[Item]:
    """The items of one chunk, to be written; those that are done as skipped."""
    names = job.objects(chunk)
    if made.done.issuperset(names):
        return [Item(_source(job, name), name, status="skipped") for name in names]
    model = job.model.running() if job.model is not None else None
    with timed("model"):
        pictures = job.order.make(chunk, model, read_object)
    if chunk == 0:
        write_fenced(job.fence, own_path(job.destination, SHEET), pixels_file(sheet(pictures), "png"))
    with timed("pixels"):
        files = [pixels_file(picture, job.format) for picture in pictures]
    facts = _facts(pictures[0], model.id if model is not None else "")
    if job.shards:
        members = [picture_name(number, job.format) for number in job.order.numbers(chunk)]
        note = f"{len(members)} pictures, {members[0]} to {members[-1]}"
        files, facts = [_tar(members, files)], replace(facts, notes=said(note))
    return [
        Item(_source(job, name), name, status="skipped")
        if name in made.done
        else Item(_source(job, name), name, data=data, facts=facts, replaces=made.ours.get(name))
        for name, data in zip(names, files, strict=True)
    ]


def picture_name(number: int, format: OutputFormat) -> str:
    """Where a picture goes.

    >>> picture_name(5000, "png")
    '0001/00005000.png'
    """
    return f"{number // FOLDER:04d}/{number:08d}{ENDINGS[format]}"


class _GenerateFn(beam.DoFn):
    def __init__(self, job: GenerationJob) -> None:
        self._job = job

    def setup(self) -> None:
        self._metrics = StepMetrics("generate")

    def process(self, chunk: tuple[int, Made]) -> Iterator[Item]:
        number, made = chunk
        try:
            items = generate_chunk(self._job, number, made)
        except LeaseLostError:
            raise
        except Exception as error:
            names = self._job.objects(number)
            items = [Item(_source(self._job, name), name).failed("generate", error) for name in names]
        self._metrics.pictures.inc(len(items))
        self._metrics.bytes_out.inc(sum(len(item.data) for item in items))
        self._metrics.add_seconds(take_seconds())
        yield from items


def _chunks(job: GenerationJob) -> Iterator[tuple[int, int]]:
    return ((number, number) for number in range(job.order.chunks))


def _keyed_row(row: ManifestRow, job: GenerationJob) -> Iterator[tuple[int, ManifestRow]]:
    """The row of a picture that was made, as this job would or otherwise."""
    if row.status == "done" and row.operation == "generate":
        yield from _keyed(row.name, row, job)


def _keyed(name: str, value: T, job: GenerationJob) -> Iterator[tuple[int, T]]:
    """``value`` under the chunk that ``name`` belongs to, if it is one of this job's names."""
    stem = name.rpartition("/")[2].partition(".")[0]
    if not stem.isdecimal():
        return
    chunk = int(stem) if job.shards else int(stem) // job.order.chunk
    if chunk < job.order.chunks and name in job.objects(chunk):
        yield chunk, value


def _settled(joined: tuple[int, dict[str, Iterable[Any]]], job: GenerationJob) -> Iterator[tuple[int, Made]]:
    number, parts = joined
    if not list(parts["chunks"]):
        return
    for _ in job.objects(number):
        tally(job.progress, PLANNED)
    there = frozenset(parts["outputs"])
    newest = {row.name: row for row in sorted(parts["rows"], key=lambda row: row.written) if row.name in there}
    alike = (name for name, row in newest.items() if row.options == job.options and not job.overwrite)
    yield number, Made(frozenset(alike), {name: row.archive_bytes for name, row in newest.items()})


def _source(job: GenerationJob, name: str) -> StoredObject:
    """What stands in the manifest for a source: there is none but the order."""
    digest = json.dumps([job.options, name])
    return StoredObject(f"archivae:generate/{name}", name, 0, digest)


def _facts(picture: Pixels, model_id: str) -> Facts:
    height, width = picture.shape[:2]
    return Facts(height=height, width=width, model=model_id)


def _tar(names: Sequence[str], files: Sequence[bytes]) -> bytes:
    """A tar file of ``files``, the same for the same files: no times, no owners."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w", format=tarfile.USTAR_FORMAT) as tar:
        for name, data in zip(names, files, strict=True):
            member = tarfile.TarInfo(name)
            member.size = len(data)
            tar.addfile(member, io.BytesIO(data))
    return buffer.getvalue()
