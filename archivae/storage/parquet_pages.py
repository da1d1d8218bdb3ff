"""The heads of a Parquet file's pages, which say what a page unpacks to: Arrow allocates what they promise.

Thrift's compact protocol, as far as a ``PageHeader`` needs it. Sources: thrift-compact-protocol.md of Apache Thrift;
parquet.thrift of Apache Parquet.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from typing import Any

import pyarrow as pa

_STOP, _TRUE, _FALSE, _BYTE, _I16, _I32, _I64, _DOUBLE, _BINARY, _LIST, _SET, _MAP, _STRUCT = range(13)
_DEEPEST = 8
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
    reader = _Compact(data, at, min(end, at + _LARGEST_HEADER))
    return _head(reader.struct(_DEEPEST)), reader.at


class _Compact:
    """Reads values from ``at`` on; ArrowInvalid where they reach past ``end``."""

    def __init__(self, data: bytes, at: int, end: int) -> None:
        self._data, self.at, self._end = data, at, end

    def struct(self, depth: int) -> dict[int, Any]:
        """The fields of a struct by their numbers."""
        if depth == 0:
            raise pa.ArrowInvalid("a page's header is nested too deeply")
        fields: dict[int, Any] = {}
        number = 0
        while (head := self._byte()) != _STOP:
            number = number + (head >> 4) if head >> 4 else self._signed()
            fields[number] = self._value(head & 15, depth)
        return fields

    def _value(self, kind: int, depth: int) -> Any:
        if kind in (_TRUE, _FALSE):
            return kind == _TRUE
        if kind == _BYTE:
            return self._byte()
        if kind in (_I16, _I32, _I64):
            return self._signed()
        if kind == _DOUBLE:
            return self._skip(8)
        if kind == _BINARY:
            return self._skip(self._unsigned())
        if kind == _STRUCT:
            return self.struct(depth - 1)
        raise pa.ArrowInvalid(f"a page's header holds a value of kind {kind}")  # it has no lists, sets or maps

    def _byte(self) -> int:
        if self.at >= self._end:
            raise pa.ArrowInvalid("a page's header is cut short")
        self.at += 1
        return self._data[self.at - 1]

    def _skip(self, count: int) -> None:
        if count > self._end - self.at:
            raise pa.ArrowInvalid("a page's header is cut short")
        self.at += count

    def _unsigned(self) -> int:
        value = 0
        for shift in range(0, 70, 7):
            byte = self._byte()
            value |= (byte & 127) << shift
            if byte < 128:
                return value
        raise pa.ArrowInvalid("a number of a page's header has no end")

    def _signed(self) -> int:
        value = self._unsigned()
        return value >> 1 ^ -(value & 1)
