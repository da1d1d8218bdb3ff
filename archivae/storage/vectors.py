"""Vectors of pictures in Parquet: one file, or a folder of parts that readers take as one table.

Columns: ``uri`` and ``vector`` (a list of float32, all of one length); the file's metadata has the model's id under
`MODEL`. Parts have ``written`` too (seconds since 1970, UTC): a picture that changed and was embedded again has several
rows, of which the last written counts. The one file is sorted by URI and has a row a picture.
"""

from __future__ import annotations

import hashlib
import io
import json
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
from archivae.storage.escaping import spell_text, unspell_text
from archivae.storage.fence import Fence
from archivae.storage.names import join, normal, own_path, scratch_of
from archivae.storage.objects import read_object, stat_object, store_of, write_object
from archivae.storage.parquet import read_parquet
from archivae.storage.targets import foreign, write_target
from archivae.untrusted import LARGEST_JSON, load_json, shown

Vectors = npt.NDArray[np.float32]
SUFFIX = ".parquet"
_WHOLES_KEPT = 2
"""The one that lies there, and the one that shall take its place."""
MODEL = b"archivae.model"


@dataclass(frozen=True, eq=False)
class Embeddings:
    """``uris`` and the vector of each, (N, D), sorted by URI; ``model`` is the id of what made them."""

    model: str
    uris: tuple[str, ...]
    vectors: Vectors


def part_name() -> str:
    """A name that no other file has."""
    return f"part-{uuid.uuid4().hex}{SUFFIX}"


def parts_folder(uri: str) -> str:
    """Where the parts of the one file ``uri`` gather, with all that is recorded of the job that makes them."""
    folder, _, name = normal(uri).rpartition("/")
    return own_path(folder, f"vectors/{name}")


def write_part(destination: str, name: str, model: str, uris: Sequence[str], vectors: Vectors) -> None:
    """Write one file with the vector, (N, D), that ``model`` gave for each URI."""
    columns = _columns(uris, vectors) | {"written": pa.array([time.time()] * len(uris), pa.float64())}
    write_object(join(destination, name), _file(columns, model), scratch=scratch_of(destination))


def write_whole(uri: str, embeddings: Embeddings, overwrite_foreign: bool = False, fence: Fence | None = None) -> None:
    """Write the one file ``uri``, whole or not at all: equal vectors, equal bytes.

    DestinationError if another lies there that was not written so, unless ``overwrite_foreign``.
    """
    data = _file(_columns(embeddings.uris, embeddings.vectors), embeddings.model)
    scratch = scratch_of(parts_folder(uri))
    # What is to be written is recorded first: then a job that is killed in between leaves nothing that looks foreign.
    known = [*_known_wholes(uri)[-_WHOLES_KEPT + 1 :], hashlib.sha256(data).hexdigest()]
    write_object(_record_of(uri), json.dumps(known).encode("ascii"), scratch=scratch)
    fence = fence or Fence(parts_folder(uri))
    write_target(fence, normal(uri), data, is_ours=lambda _: _is_our_whole(uri), overwrite_foreign=overwrite_foreign)


def check_whole(uri: str, overwrite_foreign: bool) -> None:
    """DestinationError if `write_whole` would raise it as things are."""
    if not overwrite_foreign and stat_object(uri) is not None and not _is_our_whole(uri):
        raise foreign(normal(uri))


def _is_our_whole(uri: str) -> bool:
    return hashlib.sha256(read_object(uri)).hexdigest() in _known_wholes(uri)


def _known_wholes(uri: str) -> list[str]:
    """The SHA-256 of the last files that were written, or about to be, as ``uri``."""
    record = _record_of(uri)
    if stat_object(record) is None:
        return []
    try:
        return [text for text in load_json(read_object(record, limit=LARGEST_JSON)) if isinstance(text, str)]
    except (TypeError, ValueError) as error:
        raise StorageError(
            f"expected {record!r} to name what was written, found something else ({shown(error)}); delete it"
        ) from error


def _record_of(uri: str) -> str:
    return own_path(parts_folder(uri), "whole.json")


def read_embeddings(source: str, model: str = "") -> Embeddings:
    """All vectors in ``source``, the file or the folder that embed was given; of ``model`` alone if an id is given.

    StorageError if there are none, or of several models.
    """
    newest: dict[str, _Row] = {}
    for row in (row for uri in list_vectors(source) for row in _rows(uri) if model in ("", row.model)):
        if row.uri not in newest or row.written >= newest[row.uri].written:
            newest[row.uri] = row
    models = sorted({row.model for row in newest.values()})
    if len(models) != 1:
        found = f"those of {', '.join(models)}" if models else "none"
        raise StorageError(f"expected vectors of one model under {source!r}, found {found}: is it what embed wrote?")
    uris = sorted(newest)
    return Embeddings(models[0], tuple(uris), np.stack([newest[uri].vector for uri in uris]))


def list_vectors(source: str) -> list[str]:
    """The files of `read_embeddings`."""
    place = normal(source)
    if stat_object(place) is not None:
        return [place]
    return sorted(entry.uri for entry in store_of(place).walk(place, depth=1) if entry.name.endswith(SUFFIX))


class _Row(NamedTuple):
    uri: str
    vector: Vectors
    model: str
    written: float


def _columns(uris: Sequence[str], vectors: Vectors) -> dict[str, pa.Array]:
    flat = pa.array(np.ascontiguousarray(vectors, np.float32).ravel())
    lists = pa.FixedSizeListArray.from_arrays(flat, vectors.shape[1]).cast(pa.list_(pa.float32()))
    return {"uri": pa.array(list(map(spell_text, uris)), pa.string()), "vector": lists}


def _file(columns: dict[str, pa.Array], model: str) -> bytes:
    sink = io.BytesIO()
    table = pa.table(columns).replace_schema_metadata({MODEL: model})
    pa.parquet.write_table(table, sink, compression="zstd")
    return sink.getvalue()


def _rows(uri: str) -> list[_Row]:
    data = read_object(uri)
    try:
        table = read_parquet(data, columns=("uri", "vector", "written"))
        model = table.schema.metadata[MODEL].decode("ascii")
        vectors = [np.asarray(vector.values.to_numpy(zero_copy_only=False), np.float32) for vector in table["vector"]]
        written = table["written"].to_pylist() if "written" in table.column_names else [0.0] * len(vectors)
        uris = [unspell_text(uri) for uri in table["uri"].to_pylist()]
    except (pa.ArrowException, OSError, KeyError, AttributeError, TypeError, ValueError) as error:
        raise StorageError(
            f"expected {uri!r} to hold vectors, found something else or a damaged file: {error}"
        ) from error
    return [_Row(name, vector, model, when) for name, vector, when in zip(uris, vectors, written, strict=True)]
