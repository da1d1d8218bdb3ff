"""A job that fails too often ends early: workers stop taking up what is left, and finish what they have begun.

Workers know of each other by the destination alone: each counts the dead letters of the run, and the first that finds too
many leaves a mark there, ``_archivae/stopped-RUN.json``, for which all look.
"""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from typing import Any, TypeVar

import apache_beam as beam
from apache_beam.pvalue import AsSingleton, PCollection

from archivae.errors import StorageError
from archivae.storage import own_path, read_object, scratch_of, stat_object, write_object
from archivae.storage.dead_letters import count_failed
from archivae.storage.names import scheme_of
from archivae.storage.objects import delete_object
from archivae.transforms.item import Item
from archivae.untrusted import load_json

T = TypeVar("T")
Allowed = int | AsSingleton | None
"""How many objects of a run may fail, known now or when the job was planned; None: any number."""

_LOOKS_APART = 5.0
"""Seconds between two looks for the mark in a bucket; in a folder it is looked for before each object."""
_LARGEST_MARK = 4096  # bytes
_SHARES = 8
"""Failures are recorded, and counted over all workers, when so large a share of those left may have come together."""


@dataclass(frozen=True)
class MaxFailures:
    """``number`` objects, or ``percent`` of those that a job works on: so many may fail."""

    number: Fraction
    percent: bool = False

    def of(self, objects: int) -> int:
        """
        >>> MaxFailures(Fraction(5), percent=True).of(59), MaxFailures(Fraction(5)).of(59)
        (2, 5)
        """
        return int(self.number * objects / 100) if self.percent else int(self.number)

    def allowed(self, planned: PCollection[Any]) -> Allowed:
        """For a job over what is ``planned``: items, or whatever else stands for one object each."""
        if not self.percent:
            return int(self.number)
        counted = planned | "Work to do" >> beam.Filter(_is_to_be_done) | "Count" >> beam.combiners.Count.Globally()
        return AsSingleton(counted | "May fail" >> beam.Map(self.of))


class UnlessStopped(beam.PTransform):
    """Lets pass what is to be worked on until the run is stopped, and what is settled already."""

    def __init__(self, destination: str, run: str) -> None:
        super().__init__()
        self._settings = (destination, run)

    def expand(self, planned: PCollection[T]) -> PCollection[T]:
        return planned | beam.ParDo(_UnlessStoppedFn(*self._settings))


class FailureWatch:
    """The failures of a run over all workers, from one worker's side: more than ``allowed`` stop it."""

    def __init__(self, destination: str, run: str, allowed: int) -> None:
        self._destination = destination
        self._run = run
        self._allowed = allowed
        self._known = 0

    def is_due(self, letters: int) -> bool:
        """Whether so many new letters are to be written now, and counted."""
        left = self._allowed - self._known
        return left >= 0 and letters > left // _SHARES

    def look(self) -> None:
        """Count what is written; stop the run if it is too much."""
        self._known = count_failed(self._destination, self._run, self._allowed)
        if self._known > self._allowed:
            stop(self._destination, self._run, self._allowed)


def stop(destination: str, run: str, allowed: int) -> None:
    """Leave the mark; once it lies there, it stays as it is."""
    if not is_stopped(destination, run):
        text = json.dumps({"allowed": allowed}).encode("ascii")
        write_object(_mark(destination, run), text, scratch=scratch_of(destination))
    _stopped.add(_mark(destination, run))


def is_stopped(destination: str, run: str) -> bool:
    """Whether too much of a run failed."""
    mark = _mark(destination, run)
    if mark not in _stopped and stat_object(mark) is not None:
        _stopped.add(mark)
    return mark in _stopped


def take_mark(destination: str, run: str) -> int | None:
    """How many failures were allowed to a run that was stopped, its mark being deleted; None if it was not."""
    mark = _mark(destination, run)
    if stat_object(mark) is None:
        return None
    try:
        allowed = int(load_json(read_object(mark, limit=_LARGEST_MARK))["allowed"])
    except (KeyError, TypeError, ValueError, OverflowError) as error:
        raise StorageError(f"expected {mark!r} to say how many failures were allowed, found something else") from error
    delete_object(mark)
    return allowed


_stopped: set[str] = set()
"""Marks that this process knows of."""


class _UnlessStoppedFn(beam.DoFn):
    def __init__(self, destination: str, run: str) -> None:
        self._destination = destination
        self._run = run

    def setup(self) -> None:
        self._looked = -_LOOKS_APART
        self._stopped = False

    def process(self, element: Any) -> Iterator[Any]:
        if not _is_to_be_done(element) or not self._is_stopped():
            yield element

    def _is_stopped(self) -> bool:
        now = time.monotonic()
        known = _mark(self._destination, self._run) in _stopped
        if known or not scheme_of(self._destination) or now - self._looked >= _LOOKS_APART:
            self._looked = now
            self._stopped = is_stopped(self._destination, self._run)
        return self._stopped


def _is_to_be_done(element: Any) -> bool:
    return not isinstance(element, Item) or element.status == "going"


def _mark(destination: str, run: str) -> str:
    return own_path(destination, f"stopped-{run}.json")
