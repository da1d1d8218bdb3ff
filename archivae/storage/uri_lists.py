"""Files that list objects by URI: ``.txt`` and ``.lst`` one a line, ``.csv`` and ``.parquet`` in a column."""

from __future__ import annotations

import io
import os
from collections.abc import Mapping
from pathlib import PurePosixPath

import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet

from archivae.errors import UsageError
from archivae.storage.escaping import spell_text, unspell_text
from archivae.storage.names import normal, scheme_of
from archivae.storage.objects import read_object, write_object
from archivae.storage.parquet import read_parquet

_COLUMN = "uri"
_NAMES = "name"
_SPELLED = b"archivae.spelled"  # names that are no UTF-8 are spelled as `archivae.storage.escaping` says
_TEXT = (".txt", ".lst")
_TABLES = (".csv", ".parquet")


def is_uri_list(uri: str) -> bool:
    """Whether the name says that this is a list of objects."""
    return _suffix(uri) in _TEXT + _TABLES


def read_uri_list(uri: str) -> list[str]:
    """The objects a list names, each once, in its order; relative ones are relative to the list's own folder.

    UsageError if it is no such list.
    """
    data = read_object(uri)
    names = _lines(uri, data) if _suffix(uri) in _TEXT else _column(uri, data)
    folder = uri.rpartition("/")[0]
    return list(dict.fromkeys(_resolve(folder, name) for name in names))


def read_given_names(uri: str) -> dict[str, str]:
    """The names that a ``.parquet`` list gives its objects in a column ``name``, by URI; none for any other list."""
    if _suffix(uri) != ".parquet":
        return {}
    table = _table(uri, read_object(uri))
    if not all(_is_only_text(table, name) for name in (_COLUMN, _NAMES)):
        return {}
    return dict(zip(_values(uri, table, _COLUMN), _values(uri, table, _NAMES), strict=True))


def write_uri_list(uri: str, names: Mapping[str, str], scratch: str) -> None:
    """Write a ``.parquet`` list of the objects that are the keys of ``names``, each with its name."""
    sink = io.BytesIO()
    columns = {_COLUMN: [*names], _NAMES: [*names.values()]}
    table = pa.table({column: pa.array(map(spell_text, texts), pa.string()) for column, texts in columns.items()})
    table = table.replace_schema_metadata({_SPELLED: b"1"})
    pa.parquet.write_table(table, sink, compression="zstd")
    write_object(uri, sink.getvalue(), scratch=scratch)


def _suffix(uri: str) -> str:
    return PurePosixPath(uri).suffix.lower()


def _resolve(folder: str, name: str) -> str:
    if scheme_of(name) or name.lower().startswith("file://") or os.path.isabs(name):
        return normal(name)
    return normal(f"{folder}/{name}")


def _lines(uri: str, data: bytes) -> list[str]:
    """Lines as they are but for their end: a space may belong to a name."""
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise UsageError(f"expected {uri!r} to list one URI a line in UTF-8, found other bytes: {error}") from error
    lines = (line.removesuffix("\r") for line in text.split("\n"))
    return [line for line in lines if line.strip() and not line.lstrip().startswith("#")]


def _column(uri: str, data: bytes) -> list[str]:
    table = _table(uri, data)
    strings = [field.name for field in table.schema if _is_text(field.type)]
    name = _COLUMN if _COLUMN in strings else next(iter(strings), None)
    if name is None or (_COLUMN in table.column_names and name != _COLUMN):
        raise UsageError(
            f"expected {uri!r} to have a column {_COLUMN!r} of strings, found {_described(table)}; add or rename one"
        )
    if _suffix(uri) == ".csv" and ("/" in name or PurePosixPath(name).suffix):
        raise UsageError(f"expected {uri!r} to begin with its columns' names, found {name!r}; put {_COLUMN!r} above it")
    if not _is_only_text(table, name):
        raise UsageError(f"expected {uri!r} to have one column {name!r}, found several; leave one")
    return [value for value in _values(uri, table, name) if value]


def _is_only_text(table: pa.Table, name: str) -> bool:
    return table.column_names.count(name) == 1 and _is_text(table.schema.field(name).type)


def _values(uri: str, table: pa.Table, name: str) -> list[str]:
    try:
        values = table.column(name).to_pylist()
        return (
            [value and unspell_text(value) for value in values] if _SPELLED in (table.schema.metadata or {}) else values
        )
    except UnicodeDecodeError as error:
        raise UsageError(f"expected {uri!r} to list URIs in UTF-8, found other bytes: {error}") from error


def _table(uri: str, data: bytes) -> pa.Table:
    try:
        return _read_table(_suffix(uri), data)
    except (pa.ArrowException, OSError, KeyError, UnicodeDecodeError) as error:
        raise UsageError(f"expected {uri!r} to be a readable {_suffix(uri)} table of URIs, found: {error}") from error


def _read_table(suffix: str, data: bytes) -> pa.Table:
    if suffix == ".parquet":
        return read_parquet(data)
    # Left to itself Arrow reads names such as 0001 as numbers.
    return pa.csv.read_csv(
        pa.BufferReader(data), convert_options=pa.csv.ConvertOptions(column_types={_COLUMN: pa.string()})
    )


def _is_text(kind: pa.DataType) -> bool:
    value = kind.value_type if pa.types.is_dictionary(kind) else kind
    return bool(pa.types.is_string(value) or pa.types.is_large_string(value) or pa.types.is_string_view(value))


def _described(table: pa.Table) -> str:
    return ", ".join(f"{field.name!r} ({field.type})" for field in table.schema) or "no columns"
