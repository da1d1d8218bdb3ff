"""Objects to bytes."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import apache_beam as beam
from apache_beam.pvalue import PCollection
from apache_beam.utils.windowed_value import WindowedValue

from archivae.errors import ArchivaeError
from archivae.images import encoded_picture, is_picture, picture_ending
from archivae.operations.names import ARCHIVE_ENDING
from archivae.stopwatch import take_seconds, timed
from archivae.storage import StoredObject
from archivae.storage.listing import Part, list_part, list_parts
from archivae.storage.objects import read_listed
from archivae.storage.tfrecord import check_not_compressed, is_tfrecord, with_records
from archivae.transforms.ahead import Ahead
from archivae.transforms.item import Item
from archivae.transforms.metrics import StepMetrics

MAX_BYTES = 1 << 30
"""The largest object that is read."""
OBJECTS_AHEAD = 8
BYTES_AHEAD = 128 << 20
"""What may lie read and waiting; a larger object is read alone."""


def read_item(item: Item, *, pictures_only: bool, max_bytes: int = MAX_BYTES) -> Item:
    """``item`` with its source's bytes and their SHA-256; failed if they can't be had.

    With ``pictures_only``, what is no picture by content nor by name is put aside as "not-a-picture".
    """
    if item.status != "going":
        return item
    began = time.perf_counter()
    try:
        with timed("io"):
            data = _read(item.source, max_bytes)
    except ArchivaeError as error:
        return item.failed("read", error)
    facts = replace(item.facts, sha256=hashlib.sha256(data).hexdigest())
    item = replace(item, data=data, facts=facts).with_seconds_since(began)
    named_picture = picture_ending(item.source.name) or item.source.name.endswith(ARCHIVE_ENDING)
    return item.not_a_picture() if pictures_only and not named_picture and not is_picture(data) else item


def _read(source: StoredObject, max_bytes: int) -> bytes:
    """The object, or the picture in it where it is a record of a TFRecord file."""
    if source.span is None:
        check_not_compressed(source)
    data = read_listed(source, max_bytes)
    return encoded_picture(data) if source.span and is_tfrecord(source.span.uri) else data


class ReadObjects(beam.PTransform):
    """Reads the bytes of each `Item` that is going; failures travel on inside the items."""

    def __init__(self, *, pictures_only: bool = True, max_bytes: int = MAX_BYTES) -> None:
        super().__init__()
        self._settings = {"pictures_only": pictures_only, "max_bytes": max_bytes}

    def expand(self, items: PCollection[Item]) -> PCollection[Item]:
        return items | beam.ParDo(_ReadFn(self._settings))


class _ReadFn(beam.DoFn):
    """Reads ahead: while one object is passed on, which takes as long as all that is done with it, the next ones come."""

    def __init__(self, settings: dict[str, Any]) -> None:
        self._settings = settings

    def setup(self) -> None:
        self._metrics = StepMetrics("read")
        self._reading = Ahead(self._read, OBJECTS_AHEAD, BYTES_AHEAD)

    def teardown(self) -> None:
        self._reading.close()

    def process(
        self, item: Item, timestamp: Any = beam.DoFn.TimestampParam, window: Any = beam.DoFn.WindowParam
    ) -> Iterator[WindowedValue]:
        for found in self._reading.add((item, timestamp, window), max(item.source.size, 0)):
            yield self._passed_on(found)

    def finish_bundle(self) -> Iterator[WindowedValue]:
        for found in self._reading.drain():
            yield self._passed_on(found)

    def _read(self, arrived: tuple[Item, Any, Any]) -> tuple[WindowedValue, dict[str, float]]:
        item, timestamp, window = arrived
        return WindowedValue(read_item(item, **self._settings), timestamp, (window,)), take_seconds()

    def _passed_on(self, found: tuple[WindowedValue, dict[str, float]]) -> WindowedValue:
        value, seconds = found
        self._metrics.bytes_in.inc(len(value.value.data))
        self._metrics.add_seconds(seconds)
        return value


class ReadImages(beam.PTransform):
    """Lists a folder, glob, object, list of URIs or tar and reads what it holds: root -> PCollection of `Item`.

    A TFRecord file gives an item for each of its records.
    """

    def __init__(self, source: str, *, exclude: str | None = None) -> None:
        super().__init__()
        self._source = source
        self._exclude = exclude

    def expand(self, root: Any) -> PCollection[Item]:
        return (
            root
            | "Source" >> beam.Create([self._source])
            | "Parts" >> beam.FlatMap(list_parts, exclude=self._exclude)
            | "Spread parts" >> beam.Reshuffle()
            | "List" >> beam.FlatMap(_items, self._source)
            | "Spread names" >> beam.Reshuffle()
            | "Read" >> ReadObjects()
        )


def _items(part: Part, origin: str) -> Iterator[Item]:
    for found in with_records(list_part(part)):
        yield Item(found, found.name, origin=origin)
