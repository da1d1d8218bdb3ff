"""Bytes to objects, and what became of each object to the manifest and the dead letters."""

from __future__ import annotations

import math
import time
import uuid
from collections import defaultdict
from collections.abc import Callable, Iterator
from dataclasses import replace
from importlib.resources import files
from typing import Any

import apache_beam as beam
from apache_beam.pvalue import PCollection
from apache_beam.utils.windowed_value import WindowedValue

from archivae.errors import ArchivaeError, DestinationError, LeaseLostError
from archivae.operations.names import target_uri
from archivae.stopwatch import take_seconds, timed
from archivae.storage import (
    DeadLetter,
    ManifestRow,
    StoredObject,
    own_path,
    read_object,
    scratch_of,
    stat_object,
    write_object,
)
from archivae.storage.archive_layout import members_folder, shard_uri
from archivae.storage.fence import Fence, write_fenced
from archivae.storage.overlap import overlap
from archivae.storage.targets import write_target
from archivae.transforms.ahead import Ahead
from archivae.transforms.failures import Allowed
from archivae.transforms.item import Item
from archivae.transforms.metrics import StepMetrics
from archivae.transforms.ownership import Ownership
from archivae.transforms.progress import FINISHED, tally
from archivae.transforms.record import Gathered
from archivae.transforms.residency import CodecSource

OBJECTS_AHEAD = 8
WRITE_PICTURES = ("decode", "restore", "transform")
"""Operations whose outputs could be taken for sources, or be written over them."""
BYTES_AHEAD = 128 << 20
"""What may be on its way to the store at once; a larger object is written alone."""


class WriteImages(beam.PTransform):
    """Writes each `Item`'s bytes under ``destination`` and records it: PCollection of `Item` -> of `ManifestRow`.

    Objects appear whole or not at all. Once they are durable, their rows go to ``_archivae/manifest/``, failures also
    to ``_archivae/dead-letters-*.jsonl``. What lies at a target and was not written from that very source, as the
    manifest says, is replaced with ``overwrite_foreign`` alone. decode, restore and transform also refuse a destination
    that is, holds or lies in the source. More failures than ``allowed`` stop the run. What decoding an archive takes
    goes along: the weights that its files need to ``_archivae/models/``, the specification of the bitstream to
    ``_archivae/format.md``. A job that has the destination by a lease gives its ``fence``: once that is lost,
    LeaseLostError ends the pipeline.
    """

    def __init__(
        self,
        destination: str,
        *,
        operation: str = "encode",
        options: str = "{}",
        run: str = "",
        progress: str = "",
        fence: Fence | None = None,
        overwrite_foreign: bool = False,
        allowed: Allowed = None,
    ) -> None:
        super().__init__()
        self._allowed = allowed
        self._overwrite_foreign = overwrite_foreign
        self._settings: dict[str, Any] = {
            "destination": destination,
            "operation": operation,
            "options": options,
            "run": run or uuid.uuid4().hex,
            "progress": progress,
            "fence": fence,
        }

    def expand(self, items: PCollection[Item]) -> PCollection[ManifestRow]:
        write = WriteFn(**self._settings, overwrite_foreign=self._overwrite_foreign)
        return items | beam.ParDo(write, self._allowed)


def write_item(
    item: Item,
    destination: str,
    fence: Fence | None = None,
    written_bytes: Callable[[str, str], int | None] = lambda target, source: None,
    overwrite_foreign: bool = False,
) -> Item:
    """Write what ``item`` holds to its target; the item, failed if that could not be done.

    ``written_bytes``: asked for the size of what a source was written to a target as before, where the item doesn't know.
    LeaseLostError if the destination is another job's by now.
    """
    if item.status != "going" or item.kept:
        return item
    began = time.perf_counter()
    uri, fence = _place(item, destination), fence or Fence(destination)

    def is_ours(found: StoredObject) -> bool:
        known = written_bytes(uri, item.source.uri) if item.replaces is None else item.replaces
        # A job that was killed may have replaced it, and not have come to say so.
        return known == found.size or (fence.inherits and bool(known))

    lay_there = False
    try:
        with timed("io"):
            if item.shard is None:
                look_first = item.taken is not False
                lay_there = not write_target(
                    fence, uri, item.data, is_ours=is_ours, overwrite_foreign=overwrite_foreign, look_first=look_first
                )
            else:  # no place for anything but ours
                write_fenced(fence, uri, item.data)
    except LeaseLostError:
        raise
    except ArchivaeError as error:
        return item.failed("write", error)
    return replace(item, lay_there=lay_there).with_seconds_since(began)


def overlap_problem(operation: str, source: str, destination: str) -> DestinationError | None:
    """Why an operation that writes pictures must not read ``source``; None where it may."""
    if operation not in WRITE_PICTURES:
        return None
    found = overlap(source, destination)
    if not found:
        return None
    what = "the source itself" if found == "is" else f"the source {source}"
    verb = "is" if found == "is" else found
    return DestinationError(f"{destination} {verb} {what}, whose pictures could be lost: choose another destination")


def _place(item: Item, destination: str) -> str:
    """Where the file lies: at its name, or until its shard is published among that shard's members."""
    folder = destination if item.shard is None else members_folder(destination, item.shard)
    return target_uri(folder, item.target)


def manifest_row(item: Item, destination: str, *, operation: str, options: str, run: str) -> ManifestRow:
    """What the manifest says of a finished item."""
    done = item.status == "going"
    facts, size = item.facts, len(item.data) if done else 0
    archived_bytes = item.source.size if operation == "decode" else size
    pixels = facts.height * facts.width
    # Of an .avae file the bytes tell what it was made of. A picture that lay there may be an original: it must not become ours.
    ours = operation == "encode" or not item.lay_there
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
        archive=_archived_in(item, destination) if done else "",
        archive_bytes=size if ours else 0,
        bpp=8 * archived_bytes / pixels if done and pixels else 0.0,
        psnr=facts.psnr if math.isfinite(facts.psnr) or done else 0.0,
        quality=facts.quality,
        model=facts.model,
        operation=operation,  # type: ignore[arg-type]
        options=options,
        tasks=facts.tasks,
        strengths=facts.strengths,
        lost=facts.notes.lost,
        changed=facts.notes.changed,
        said=facts.notes.said,
        error=f"{item.failure.error}: {item.failure.reason}" if item.failure else "",
        run=run,
        seconds=item.seconds,
        written=time.time(),
    )


def _archived_in(item: Item, destination: str) -> str:
    return target_uri(destination, item.target) if item.shard is None else shard_uri(destination, item.shard)


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
    """Stores items, some at once, as a store makes each wait; records what became of each once that is durable."""

    ahead = OBJECTS_AHEAD

    def __init__(
        self,
        destination: str,
        operation: str,
        options: str,
        run: str,
        progress: str,
        fence: Fence | None = None,
        overwrite_foreign: bool = False,
    ) -> None:
        self._destination = destination
        self._fence = fence or Fence(destination)
        self._overwrite_foreign = overwrite_foreign
        self._words = {"operation": operation, "options": options, "run": run}
        self._progress = progress

    def display_data(self) -> dict[str, str]:
        return {"destination": self._destination, **self._words}

    def setup(self) -> None:
        self._metrics = StepMetrics("write")
        self._deposited: set[str] = set()
        self._ownership = Ownership(self._destination)
        self._problems: dict[str, DestinationError | None] = {}
        self._storing = Ahead(self._stored, self.ahead, BYTES_AHEAD)

    def teardown(self) -> None:
        self._storing.close()

    def start_bundle(self) -> None:
        self._gathered = Gathered(self._destination, self._words["run"], self._fence, self.make_durable)
        self._seconds: defaultdict[str, float] = defaultdict(float)
        self._bytes_out = 0

    def process(
        self,
        item: Item,
        allowed: int | None = None,
        timestamp: Any = beam.DoFn.TimestampParam,
        window: Any = beam.DoFn.WindowParam,
    ) -> Iterator[WindowedValue]:
        self._gathered.watch_for(allowed)
        if item.status == "skipped":
            self._gathered.count("skipped")
            tally(self._progress, FINISHED)
            return
        for stored in self._storing.add((item, timestamp, window), len(item.data)):
            yield self._recorded(stored)

    def finish_bundle(self) -> Iterator[WindowedValue]:
        for stored in self._storing.drain():
            yield self._recorded(stored)
        self._gathered.flush()
        self._metrics.bytes_out.inc(self._bytes_out)
        self._metrics.add_seconds(self._seconds)

    def store(self, item: Item) -> Item:
        """The item after writing what it holds; failed if that could not be done."""
        try:
            problem = self._overlap(item.origin) if item.status == "going" else None
        except ArchivaeError as error:
            problem = error
        if problem is not None:
            return item.failed("write", problem)
        return write_item(item, self._destination, self._fence, self._written_bytes, self._overwrite_foreign)

    def _written_bytes(self, target: str, source: str) -> int | None:
        return self._ownership.written_bytes(target, source, self._gathered.rows)

    def _overlap(self, origin: str) -> ArchivaeError | None:
        """What is wrong with where the destination lies to the source that the user named, if nobody looked yet."""
        if origin and origin not in self._problems:
            self._problems[origin] = overlap_problem(self._words["operation"], origin, self._destination)
        return self._problems.get(origin)

    def make_durable(self) -> None:
        """Called before rows are written: what they speak of, and `store` kept back, is written now."""

    def _stored(self, arrived: tuple[Item, Any, Any]) -> tuple[WindowedValue, dict[str, float]]:
        item, timestamp, window = arrived
        return WindowedValue(self.store(item), timestamp, (window,)), take_seconds()

    def _recorded(self, stored: tuple[WindowedValue, dict[str, float]]) -> WindowedValue:
        found, seconds = stored
        row = manifest_row(found.value, self._destination, **self._words)
        for part, spent in seconds.items():
            self._seconds[part] += spent
        self._record(found.value, row)
        tally(self._progress, FINISHED)
        return found.with_value(row)

    def _record(self, item: Item, row: ManifestRow) -> None:
        self._bytes_out += row.archive_bytes
        if row.status == "done" and row.operation == "encode":
            self._deposit(item.facts.model, item.facts.weights)
        failure = item.failure
        letter = DeadLetter(item.source.uri, failure.step, failure.error, failure.reason) if failure else None
        self._gathered.add(row, letter)

    def _deposit(self, model_id: str, weights: str) -> None:
        """What it takes to decode the file; an empty ``model_id``: it needs no model."""
        if model_id in self._deposited:
            return
        self._fence.check()
        if model_id:
            deposit_model(self._destination, model_id, weights)
        deposit_format(self._destination)
        self._deposited.add(model_id)
