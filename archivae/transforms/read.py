"""Objects to bytes."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import apache_beam as beam
from apache_beam.pvalue import PCollection

from archivae.errors import ArchivaeError
from archivae.images import is_picture, picture_ending
from archivae.operations.names import ARCHIVE_ENDING
from archivae.stopwatch import take_seconds, timed
from archivae.storage import StoredObject, generation_of, list_source, read_object
from archivae.storage.objects import read_span
from archivae.transforms.item import Item, spelled_out
from archivae.transforms.metrics import StepMetrics

MAX_BYTES = 1 << 30
"""The largest object that is read."""


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
    if source.span is not None:
        return read_span(source.span)
    return read_object(source.uri, limit=max_bytes, generation=generation_of(source.fingerprint))


class ReadObjects(beam.PTransform):
    """Reads the bytes of each `Item` that is going; failures travel on inside the items."""

    def __init__(self, *, pictures_only: bool = True, max_bytes: int = MAX_BYTES) -> None:
        super().__init__()
        self._settings = {"pictures_only": pictures_only, "max_bytes": max_bytes}

    def expand(self, items: PCollection[Item]) -> PCollection[Item]:
        return items | beam.ParDo(_ReadFn(self._settings))


class _ReadFn(beam.DoFn):
    def __init__(self, settings: dict[str, Any]) -> None:
        self._settings = settings

    def setup(self) -> None:
        self._metrics = StepMetrics("read")

    def process(self, item: Item) -> Iterator[Item]:
        item = read_item(item, **self._settings)
        self._metrics.bytes_in.inc(len(item.data))
        self._metrics.add_seconds(take_seconds())
        yield item


class ReadImages(beam.PTransform):
    """Lists a folder, glob, object or list of URIs and reads what it holds: root -> PCollection of `Item`."""

    def __init__(self, source: str, *, exclude: str | None = None) -> None:
        super().__init__()
        self._source = source
        self._exclude = exclude

    def expand(self, root: Any) -> PCollection[Item]:
        return (
            root
            | "Source" >> beam.Create([self._source])
            | "List" >> beam.FlatMap(_list, exclude=self._exclude)
            | "Spread names" >> beam.Reshuffle()
            | "Read" >> ReadObjects()
        )


def _list(source: str, exclude: str | None) -> Iterator[Item]:
    for found in list_source(source, exclude=exclude):
        name = spelled_out(found.name)
        yield Item(replace(found, uri=spelled_out(found.uri), name=name), name)
