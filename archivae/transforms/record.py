"""What became of objects, gathered over a bundle: rows for the manifest, letters for what failed."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Sequence

import apache_beam as beam
from apache_beam.pvalue import PCollection
from apache_beam.utils.windowed_value import WindowedValue

from archivae.storage import DeadLetter, ManifestRow, write_dead_letters, write_fragment
from archivae.storage.fence import Fence
from archivae.transforms.failures import Allowed, FailureWatch
from archivae.transforms.metrics import counter

ROWS_KEPT = 1000
"""Rows are written at the end of a bundle, and when so many have gathered."""


class Gathered:
    """Rows and letters of one bundle of the job ``run``, until they are written under ``destination``.

    ``make_durable`` is called before that, to write what the rows speak of. LeaseLostError where ``fence`` is lost.
    """

    def __init__(
        self, destination: str, run: str, fence: Fence | None = None, make_durable: Callable[[], None] = lambda: None
    ) -> None:
        self._destination = destination
        self._fence = fence or Fence(destination)
        self._run = run
        self._make_durable = make_durable
        self._watch: FailureWatch | None = None
        self._rows: list[ManifestRow] = []
        self._letters: list[DeadLetter] = []
        self._counts: Counter[str] = Counter()

    def watch_for(self, allowed: int | None) -> None:
        """Have more failures than ``allowed`` stop the run. Nothing if any number is, or if that is done already."""
        if allowed is not None and self._watch is None:
            self._watch = FailureWatch(self._destination, self._run, allowed)

    @property
    def rows(self) -> Sequence[ManifestRow]:
        """Those that are not written yet."""
        return tuple(self._rows)

    def count(self, what: str) -> None:
        """Counted here and told Beam when all is written: for small pictures, telling of each takes as long as writing."""
        self._counts[what] += 1

    def add(self, row: ManifestRow, letter: DeadLetter | None = None) -> None:
        self.count(row.status.replace("-", "_"))
        self._rows.append(row)
        if letter is not None:
            self._letters.append(letter)
        too_many = self._watch is not None and self._watch.is_due(len(self._letters))
        if len(self._rows) >= ROWS_KEPT or too_many:
            self.flush()

    def flush(self) -> None:
        """Letters first: a row that says "failed" must never stand without its letter."""
        if self._rows:
            self._fence.check()
        self._make_durable()
        if self._letters:
            write_dead_letters(self._destination, self._letters, self._run)
        if self._rows:
            self._fence.check()
            write_fragment(self._destination, self._rows)
        if self._letters and self._watch is not None:
            self._watch.look()
        for what, count in self._counts.items():
            counter(what).inc(count)
        self._rows, self._letters, self._counts = [], [], Counter()


class RecordRows(beam.PTransform):
    """Writes rows to the manifest of ``destination``, and failed ones to its dead letters as failures of ``step``.

    ``allowed``: more failures stop the run.
    """

    def __init__(
        self, destination: str, *, run: str, step: str, fence: Fence | None = None, allowed: Allowed = None
    ) -> None:
        super().__init__()
        self._settings = (destination, run, step, fence)
        self._allowed = allowed

    def expand(self, rows: PCollection[ManifestRow]) -> PCollection[ManifestRow]:
        return rows | beam.ParDo(_RecordFn(*self._settings), self._allowed)


class _RecordFn(beam.DoFn):
    def __init__(self, destination: str, run: str, step: str, fence: Fence | None) -> None:
        self._destination = destination
        self._run = run
        self._step = step
        self._fence = fence

    def display_data(self) -> dict[str, str]:
        return {"destination": self._destination, "run": self._run}

    def start_bundle(self) -> None:
        self._gathered = Gathered(self._destination, self._run, self._fence)

    def process(self, row: ManifestRow, allowed: int | None = None) -> Iterator[ManifestRow]:
        self._gathered.watch_for(allowed)
        error, _, reason = row.error.partition(": ")
        letter = DeadLetter(row.source, self._step, error, reason) if row.status == "failed" else None
        self._gathered.add(row, letter)
        yield row

    def finish_bundle(self) -> Iterator[WindowedValue]:
        self._gathered.flush()
        yield from ()
