"""Parquet from outside: bounded before it is unpacked, and read without Arrow's threads.

A few kilobytes of Parquet can unpack to gigabytes: pages are compressed, and a value that repeats stands once. The footer is
looked at first. As it may lie, the table is then read in batches, texts as numbers into a dictionary, and counted on the way.

One of Arrow's threads may still hold a Python object, the file or its bytes, when the interpreter ends. Letting go of it then
aborts the process, all of whose work was done (https://github.com/apache/arrow/issues/34314).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import pyarrow as pa
import pyarrow.compute
import pyarrow.parquet

from archivae.storage.parquet_footer import check_histograms
from archivae.storage.parquet_pages import check_pages

_BATCH = 4096
_TRAILER = 8  # the footer's length, and a mark
_LARGEST_FOOTER = 1 << 20
_MOST_ENTRIES = 1 << 16  # of any list in the footer: row groups, columns
_WIDEST = 64  # bytes of a value of fixed length; ours have 32


@dataclass(frozen=True)
class Limits:
    """The most that a table may hold: rows, and bytes of its values, unpacked."""

    rows: int
    size: int


def limits_of(size: int) -> Limits:
    """What a file of ``size`` bytes may unpack to: generous for lists of like names, and far from what harms."""
    return Limits(rows=(1 << 16) + size, size=min((32 << 20) + 64 * size, 4 << 30))


def read_parquet(data: bytes, *, limits: Limits | None = None, columns: Sequence[str] | None = None) -> pa.Table:
    """The table of a Parquet file, of ``columns`` alone if some are given (those that are not there are left out).

    ArrowException, of which ArrowInvalid is a ValueError, or OSError if it is damaged, or more than ``limits``, by default
    `limits_of` its size.
    """
    limits = limits or limits_of(len(data))
    length = _footer_length(data)
    check_footer(length, len(data))
    check_histograms(data[len(data) - _TRAILER - length : len(data) - _TRAILER])
    file = open_parquet(pa.BufferReader(data))
    kept = [name for name in file.schema_arrow.names if columns is None or name in columns]
    check_metadata(file.metadata, limits)
    for group in range(file.metadata.num_row_groups):
        check_pages(data, 0, file.metadata.row_group(group), limits.size, kept)
    batches = [*bounded_batches(file.iter_batches(_BATCH, columns=kept, use_threads=False), limits)]
    metadata = file.schema_arrow.metadata
    schema = pa.schema([_dense_field(file.schema_arrow.field(name)) for name in kept], metadata)
    return pa.Table.from_batches([batch.replace_schema_metadata(metadata) for batch in batches], schema)


def check_footer(length: int, size: int) -> None:
    """ArrowInvalid for a footer that is too long for a file of ``size`` bytes: parsed, it takes many times its length."""
    if length > _LARGEST_FOOTER + size // 16:
        raise pa.ArrowInvalid(f"a footer of {length:,} bytes in a file of {size:,}")


def open_parquet(source: Any) -> pyarrow.parquet.ParquetFile:
    """A file that reads its texts as dictionaries; `bounded_batches` writes them out."""
    options = {
        "pre_buffer": False,
        "page_checksum_verification": True,
        "thrift_string_size_limit": _LARGEST_FOOTER,
        "thrift_container_size_limit": _MOST_ENTRIES,
    }
    metadata = pyarrow.parquet.ParquetFile(source, **options).metadata
    schema = metadata.schema
    texts = [schema.column(n).path for n in range(len(schema)) if schema.column(n).physical_type == "BYTE_ARRAY"]
    if any(schema.column(n).length > _WIDEST for n in range(len(schema))):
        raise pa.ArrowInvalid(f"values of more than {_WIDEST} bytes each")
    return pyarrow.parquet.ParquetFile(source, metadata=metadata, read_dictionary=texts, **options)


def check_metadata(metadata: Any, limits: Limits) -> None:
    """ArrowInvalid where the footer itself says that there is more than ``limits``."""
    groups = [metadata.row_group(number) for number in range(metadata.num_row_groups)]
    if metadata.num_rows > limits.rows or sum(group.num_rows for group in groups) > limits.rows:
        raise pa.ArrowInvalid(f"{metadata.num_rows:,} rows, more than {limits.rows:,}")
    unpacked = sum(group.column(n).total_uncompressed_size for group in groups for n in range(group.num_columns))
    if unpacked > limits.size:
        raise pa.ArrowInvalid(f"{unpacked:,} bytes unpacked, more than {limits.size:,}")


def bounded_batches(batches: Iterator[pa.RecordBatch], limits: Limits) -> Iterator[pa.RecordBatch]:
    """The batches with their texts written out. ArrowInvalid before there is more than ``limits``."""
    rows = size = 0
    for batch in batches:
        rows += batch.num_rows
        size += sum(map(_dense_bytes, batch.columns))
        if rows > limits.rows or size > limits.size:
            raise pa.ArrowInvalid(f"more than {limits.rows:,} rows or {limits.size:,} bytes unpacked")
        schema = pa.schema([_dense_field(field) for field in batch.schema])
        yield pa.RecordBatch.from_arrays([*map(_dense, batch.columns)], schema=schema)


def _footer_length(data: bytes) -> int:
    if len(data) < 12 or data[-4:] != b"PAR1":
        raise pa.ArrowInvalid("no Parquet file: it has no footer")
    length = int.from_bytes(data[-8:-4], "little")
    if length > len(data) - _TRAILER:
        raise pa.ArrowInvalid(f"a footer of {length:,} bytes in a file of {len(data):,}")
    return length


def _dense_bytes(array: pa.Array) -> int:
    """What an array takes once its texts are written out."""
    if pa.types.is_list(array.type) or pa.types.is_large_list(array.type):
        return array.nbytes + _dense_bytes(array.flatten())
    if pa.types.is_struct(array.type):
        return sum(map(_dense_bytes, array.flatten()))
    if pa.types.is_dictionary(array.type):
        lengths = pyarrow.compute.binary_length(array.dictionary)
        return int(pyarrow.compute.sum(lengths.cast(pa.int64()).take(array.indices)).as_py() or 0) + 8 * len(array)
    return int(array.nbytes)


def _dense(array: pa.Array) -> pa.Array:
    return array.cast(_dense_type(array.type))


def _dense_field(field: pa.Field) -> pa.Field:
    return field.with_type(_dense_type(field.type))


def _dense_type(kind: pa.DataType) -> pa.DataType:
    if pa.types.is_dictionary(kind):
        return kind.value_type
    if pa.types.is_list(kind):
        return pa.list_(_dense_field(kind.value_field))
    if pa.types.is_large_list(kind):
        return pa.large_list(_dense_field(kind.value_field))
    if pa.types.is_struct(kind):
        return pa.struct([_dense_field(kind.field(n)) for n in range(kind.num_fields)])
    return kind
