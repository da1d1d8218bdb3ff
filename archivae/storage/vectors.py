"""Vectors of pictures in Parquet: a folder of files, each with a row a picture, that readers take as one table.

Columns: ``uri``, ``vector`` (a list of float32, all of one length), ``model`` (its id), ``written`` (seconds since 1970,
UTC). A picture that changed and was embedded again has several rows, of which the last written counts.
"""

from __future__ import annotations

import io
import time
import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.parquet

from archivae.errors import StorageError
from archivae.storage.names import join, normal, scratch_of
from archivae.storage.objects import read_object, store_of, write_object
from archivae.storage.parquet import read_parquet

Vectors = npt.NDArray[np.float32]
_SUFFIX = ".parquet"


@dataclass(frozen=True, eq=False)
class Embeddings:
    """``uris`` and the vector of each, (N, D), sorted by URI; ``model`` is the id of what made them."""

    model: str
    uris: tuple[str, ...]
    vectors: Vectors


def part_name() -> str:
    """A name that no other file has."""
    return f"part-{uuid.uuid4().hex}{_SUFFIX}"


def write_part(destination: str, name: str, model: str, uris: Sequence[str], vectors: Vectors) -> None:
    """Write one file with the vector, (N, D), that ``model`` gave for each URI."""
    count, length = vectors.shape
    flat = pa.array(np.ascontiguousarray(vectors, np.float32).ravel())
    columns = {
        "uri": pa.array(list(uris), pa.string()),
        "vector": pa.FixedSizeListArray.from_arrays(flat, length).cast(pa.list_(pa.float32())),
        "model": pa.array([model] * count, pa.string()),
        "written": pa.array([time.time()] * count, pa.float64()),
    }
    sink = io.BytesIO()
    pa.parquet.write_table(pa.table(columns), sink, compression="zstd")
    write_object(join(destination, name), sink.getvalue(), scratch=scratch_of(destination))


def read_embeddings(source: str) -> Embeddings:
    """All vectors under ``source``, a folder that embed filled. StorageError if there are none, or of several models."""
    folder = normal(source)
    files = [entry.uri for entry in store_of(folder).walk(folder, depth=1) if entry.name.endswith(_SUFFIX)]
    newest: dict[str, _Row] = {}
    for row in (row for uri in files for row in _rows(uri)):
        if row.uri not in newest or row.written >= newest[row.uri].written:
            newest[row.uri] = row
    models = sorted({row.model for row in newest.values()})
    if len(models) != 1:
        found = f"those of {', '.join(models)}" if models else "none"
        raise StorageError(f"expected vectors of one model under {source!r}, found {found}: is it what embed wrote?")
    uris = sorted(newest)
    return Embeddings(models[0], tuple(uris), np.stack([newest[uri].vector for uri in uris]))


class _Row(NamedTuple):
    uri: str
    vector: Vectors
    model: str
    written: float


def _rows(uri: str) -> list[_Row]:
    data = read_object(uri)
    try:
        table = read_parquet(data)
        vectors = [np.asarray(vector.values.to_numpy(zero_copy_only=False), np.float32) for vector in table["vector"]]
        uris, models, written = (table[name].to_pylist() for name in ("uri", "model", "written"))
    except (pa.ArrowException, OSError, KeyError, AttributeError) as error:
        raise StorageError(
            f"expected {uri!r} to hold vectors, found something else or a damaged file: {error}"
        ) from error
    return [_Row(*row) for row in zip(uris, vectors, models, written, strict=True)]
