"""A collection's figures: sizes from its listing, the rest from a few of its pictures, encoded here."""

from __future__ import annotations

import hashlib
import heapq
import time
from collections.abc import Iterable

from archivae.errors import ArchivaeError, UsageError
from archivae.images import open_picture, picture_ending
from archivae.operations.codec import named_codec, with_effort
from archivae.operations.encode import encode_file
from archivae.operations.rate import Rate
from archivae.pipeline.estimate.reckoning import Collection
from archivae.storage import StoredObject, read_object

_DAY = 86400.0


def measure(objects: Iterable[StoredObject], rate: Rate, model: str, count: int, effort: int = 0) -> Collection:
    """List all that is named like a picture, and encode ``count`` of them, chosen by a hash of their names.

    UsageError if none of those can be encoded.
    """
    codec = with_effort(named_codec(model, "cpu"), effort)
    pictures = [found for found in objects if found.size > 0 and picture_ending(found.name)]
    now = time.time()
    # An object without a date counts as new: that errs on the dear side.
    ages = [((now - found.written) / _DAY if found.written else 0.0, found.size) for found in pictures]
    before = after = 0
    pixels = seconds = 0.0
    for found in heapq.nsmallest(count, pictures, key=_lot):
        try:
            data = read_object(found.uri)
            began = time.process_time()
            encoded = encode_file(data, codec, rate)
            seconds += time.process_time() - began
            height, width = open_picture(data).pixels.shape[:2]
        except ArchivaeError:
            continue
        before, after, pixels = before + len(data), after + len(encoded.data), pixels + height * width / 1e6
    if not before:
        raise UsageError(f"expected pictures that can be encoded, found none among {len(pictures)} by name")
    size = sum(found.size for found in pictures)
    return Collection(len(pictures), size, ages, after / before, pixels * size / before, seconds / pixels)


def _lot(found: StoredObject) -> bytes:
    """A place in the draw that is the same in every run."""
    return hashlib.sha256(found.name.encode("utf-8", "surrogateescape")).digest()
