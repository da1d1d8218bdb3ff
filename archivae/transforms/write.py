"""Bytes to objects, and what became of each object to the manifest and the dead letters."""

from __future__ import annotations

import math
import time
import uuid
from collections import Counter
from collections.abc import Iterator
from importlib.resources import files

import apache_beam as beam
from apache_beam.pvalue import PCollection
from apache_beam.utils.windowed_value import WindowedValue

from archivae.errors import ArchivaeError
from archivae.stopwatch import take_seconds, timed
from archivae.storage import (
    DeadLetter,
    ManifestRow,
    join,
    own_path,
    read_object,
    scratch_of,
    stat_object,
    write_dead_letters,
    write_fragment,
    write_object,
)
from archivae.transforms.item import Item
from archivae.transforms.metrics import StepMetrics, counter
from archivae.transforms.progress import FINISHED, tally
from archivae.transforms.residency import CodecSource

ROWS_KEPT = 1000
"""Rows are written at the end of a bundle, and when so many have gathered."""


class WriteImages(beam.PTransform):
    """Writes each `Item`'s bytes under ``destination`` and records it: PCollection of `Item` -> of `ManifestRow`.

    Objects appear whole or not at all. Once they are durable, their rows go to ``_archivae/manifest/``, failures also
    to ``_archivae/dead-letters-*.jsonl``. What decoding an archive takes goes along: the weights that its
    files need to ``_archivae/models/``, the specification of the bitstream to ``_archivae/format.md``.
    """

    def __init__(
        self, destination: str, *, operation: str = "encode", options: str = "{}", run: str = "", progress: str = ""
    ) -> None:
        super().__init__()
        self._settings = {
            "destination": destination,
            "operation": operation,
            "options": options,
            "run": run or uuid.uuid4().hex,
            "progress": progress,
        }

    def expand(self, items: PCollection[Item]) -> PCollection[ManifestRow]:
        return items | beam.ParDo(WriteFn(**self._settings))


def write_item(item: Item, destination: str) -> Item:
    """Write what ``item`` holds to its target; the item, failed if that could not be done."""
    if item.status != "going" or item.kept:
        return item
    began = time.perf_counter()
    try:
        with timed("io"):
            write_object(join(destination, item.target), item.data, scratch=scratch_of(destination))
    except ArchivaeError as error:
        return item.failed("write", error)
    return item.with_seconds_since(began)


def manifest_row(item: Item, destination: str, *, operation: str, options: str, run: str) -> ManifestRow:
    """What the manifest says of a finished item."""
    done = item.status == "going"
    facts, size = item.facts, len(item.data) if done else 0
    archived_bytes = item.source.size if operation == "decode" else size
    pixels = facts.height * facts.width
    return ManifestRow(
        source=item.source.uri,
        name=item.source.name,
        bytes=item.source.size,
        sha256=facts.sha256,
        fingerprint=item.source.fingerprint,
        height=facts.height,
        width=facts.width,
        status="done" if done else item.status,  # type: ignore[arg-type]
        coding=facts.coding,  # type: ignore[arg-type]
        archive=join(destination, item.target) if done else "",
        archive_bytes=size,
        bpp=8 * archived_bytes / pixels if done and pixels else 0.0,
        psnr=facts.psnr if math.isfinite(facts.psnr) or done else 0.0,
        quality=facts.quality,
        model=facts.model,
        operation=operation,  # type: ignore[arg-type]
        options=options,
        tasks=facts.tasks,
        strengths=facts.strengths,
        notes=facts.notes,
        error=f"{item.failure.error}: {item.failure.reason}" if item.failure else "",
        run=run,
        seconds=item.seconds,
        written=time.time(),
    )


def deposit_model(destination: str, model_id: str, weights: str) -> None:
    """Put the weight file into the archive, so that the archive carries its own decoder; nothing if it is there."""
    uri = own_path(destination, f"models/{model_id}.safetensors")
    if stat_object(uri) is None:
        write_object(uri, CodecSource(weights).weight_file(), scratch=scratch_of(destination))


def deposit_format(destination: str) -> None:
    """Put the specification of the bitstream into the archive, or this release's in place of another's."""
    uri = own_path(destination, "format.md")
    text = files("archivae.bitstream").joinpath("format.md").read_bytes()
    if stat_object(uri) is None or read_object(uri) != text:
        write_object(uri, text, scratch=scratch_of(destination))


class WriteFn(beam.DoFn):
    """Stores each item, and records what became of it once that is durable."""

    def __init__(self, destination: str, operation: str, options: str, run: str, progress: str) -> None:
        self._destination = destination
        self._words = {"operation": operation, "options": options, "run": run}
        self._progress = progress

    def setup(self) -> None:
        self._metrics = StepMetrics("write")
        self._deposited: set[str] = set()

    def start_bundle(self) -> None:
        self._rows: list[ManifestRow] = []
        self._letters: list[DeadLetter] = []
        self._counts: Counter[str] = Counter()
        self._seconds: dict[str, float] = {}
        self._bytes_out = 0

    def process(self, item: Item) -> Iterator[ManifestRow]:
        if item.status == "skipped":
            self._counts["skipped"] += 1
        else:
            item = self.store(item)
            row = manifest_row(item, self._destination, **self._words)
            self._record(item, row)
            yield row
        tally(self._progress, FINISHED)

    def finish_bundle(self) -> Iterator[WindowedValue]:
        self.flush()
        self._count()
        yield from ()

    def store(self, item: Item) -> Item:
        """The item after writing what it holds; failed if that could not be done."""
        return write_item(item, self._destination)

    def _record(self, item: Item, row: ManifestRow) -> None:
        self._counts[row.status.replace("-", "_")] += 1
        self._bytes_out += row.archive_bytes
        for part, seconds in take_seconds().items():  # at once: what comes next in this thread counts its own
            self._seconds[part] = self._seconds.get(part, 0.0) + seconds
        self._rows.append(row)
        if item.failure:
            failure = item.failure
            self._letters.append(DeadLetter(item.source.uri, failure.step, failure.error, failure.reason))
        if row.status == "done" and row.operation == "encode":
            self._deposit(item.facts.model, item.facts.weights)
        if len(self._rows) >= ROWS_KEPT:
            self.flush()

    def _count(self) -> None:
        """Once a bundle: for small pictures, counting each would take as long as writing it."""
        for name, count in self._counts.items():
            counter(name).inc(count)
        self._metrics.bytes_out.inc(self._bytes_out)
        self._metrics.add_seconds(self._seconds)

    def _deposit(self, model_id: str, weights: str) -> None:
        """What it takes to decode the file; an empty ``model_id``: it needs no model."""
        if model_id in self._deposited:
            return
        if model_id:
            deposit_model(self._destination, model_id, weights)
        deposit_format(self._destination)
        self._deposited.add(model_id)

    def flush(self) -> None:
        """Letters first: a row that says "failed" must never stand without its letter."""
        if self._letters:
            write_dead_letters(self._destination, self._letters, self._words["run"])
        if self._rows:
            write_fragment(self._destination, self._rows)
        self._rows, self._letters = [], []
