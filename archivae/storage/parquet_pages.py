"""The heads of a Parquet file's pages, which say what a page unpacks to: Arrow allocates what they promise.

Source of the fields: parquet.thrift of Apache Parquet.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from typing import Any

import pyarrow as pa

from archivae.storage.thrift import CompactReader

_LARGEST_HEADER = 64 * 1024  # statistics, with a least and a greatest value, may be in it
_MOST_PAGES = 1 << 16

# Fields of PageHeader, and of the headers of pages of data inside it, by number.
_UNPACKED, _PACKED, _DATA, _DICTIONARY, _DATA_V2 = 2, 3, 5, 7, 8
_COUNT = 1
_ENCODING = {_DATA: 2, _DICTIONARY: 2, _DATA_V2: 4}
_DELTA_BYTE_ARRAY = 7
"""The one encoding in which a short page may spell long values without a dictionary."""


def check_pages(data: bytes, start: int, group: Any, most_bytes: int, names: Collection[str]) -> None:
    """ArrowInvalid where the pages of the columns ``names`` of a row group unpack to more than ``most_bytes``.

    ``data``: the bytes of the file from ``start`` on, which have all of the group.
    """
    total = 0
    for column in map(group.column, range(group.num_columns)):
        if column.path_in_schema.partition(".")[0] not in names:
            continue
        first = column.data_page_offset
        if column.has_dictionary_page and 0 < (column.dictionary_page_offset or 0) < first:
            first = column.dictionary_page_offset
        at, values, pages = first - start, 0, 0
        end = at + column.total_compressed_size
        if not 0 <= at <= end <= len(data):
            raise pa.ArrowInvalid("a column that lies outside the file")
        while at < end:
            head, at = _page(data, at, end)
            values += head.values
            total += head.unpacked
            at += head.packed
            pages += 1
            # Each value takes 4 bytes at least once it is unpacked: a number, or where its text begins.
            if pages > _MOST_PAGES or 4 * values > most_bytes or total > most_bytes or at > end:
                raise pa.ArrowInvalid(f"pages of more than {most_bytes:,} bytes unpacked")
            if values >= column.num_values:
                break
        if values > max(column.num_values, 0):
            raise pa.ArrowInvalid(f"pages of {values:,} values where the footer says {column.num_values:,}")


@dataclass(frozen=True, slots=True)
class _Head:
    """Of a page: its bytes as they lie there, and unpacked; its values, 0 for a dictionary."""

    packed: int
    unpacked: int
    values: int


def _head(fields: dict[int, Any]) -> _Head:
    values = 0
    for kind in (_DATA, _DATA_V2, _DICTIONARY):
        inside = fields.get(kind)
        if isinstance(inside, dict):
            if inside.get(_ENCODING[kind]) == _DELTA_BYTE_ARRAY:
                raise pa.ArrowInvalid("pages of texts that share their beginnings (DELTA_BYTE_ARRAY) are not read")
            count = _size(inside.get(_COUNT))
            values += 0 if kind == _DICTIONARY else count
    return _Head(_size(fields.get(_PACKED)), _size(fields.get(_UNPACKED)), values)


def _size(number: Any) -> int:
    if not isinstance(number, int) or number < 0:
        raise pa.ArrowInvalid("a page without a size or count")
    return number


def _page(data: bytes, at: int, end: int) -> tuple[_Head, int]:
    reader = CompactReader(data, at, min(end, at + _LARGEST_HEADER))
    return _head(reader.struct()), reader.at
