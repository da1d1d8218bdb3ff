"""Thrift's compact protocol, as far as the heads of a Parquet file need it: bounded by the bytes that are there.

Source: thrift-compact-protocol.md of Apache Thrift.
"""

from __future__ import annotations

from typing import Any

import pyarrow as pa

_STOP, _TRUE, _FALSE, _BYTE, _I16, _I32, _I64, _DOUBLE, _BINARY, _LIST, _SET, _MAP, _STRUCT = range(13)
_DEEPEST = 8
_LONG = 15  # of a list's head: its length follows as a number


class CompactReader:
    """Reads values from ``at`` on; ArrowInvalid where they reach past ``end``."""

    def __init__(self, data: bytes, at: int, end: int) -> None:
        self._data, self.at, self._end = data, at, end

    def struct(self, depth: int = _DEEPEST) -> dict[int, Any]:
        """The fields of a struct by their numbers; texts are passed over."""
        if depth == 0:
            raise pa.ArrowInvalid("a Parquet file's head is nested too deeply")
        fields: dict[int, Any] = {}
        number = 0
        while (head := self._byte()) != _STOP:
            number = number + (head >> 4) if head >> 4 else self._signed()
            kind = head & 15
            fields[number] = kind == _TRUE if kind in (_TRUE, _FALSE) else self._value(kind, depth)
        return fields

    def _value(self, kind: int, depth: int) -> Any:
        if kind in (_TRUE, _FALSE, _BYTE):  # in a list, a truth value takes a byte
            return self._byte()
        if kind in (_I16, _I32, _I64):
            return self._signed()
        if kind == _DOUBLE:
            return self._skip(8)
        if kind == _BINARY:
            return self._skip(self._unsigned())
        if kind in (_LIST, _SET):
            return self._list(depth)
        if kind == _STRUCT:
            return self.struct(depth - 1)
        raise pa.ArrowInvalid(f"a Parquet file's head holds a value of kind {kind}")  # it has no maps

    def _list(self, depth: int) -> list[Any]:
        head = self._byte()
        count = head >> 4 if head >> 4 < _LONG else self._unsigned()
        if count > self._end - self.at:  # each takes a byte at least
            raise pa.ArrowInvalid(f"a Parquet file's head has a list of {count:,}, more than it has bytes")
        return [self._value(head & 15, depth) for _ in range(count)]

    def _byte(self) -> int:
        if self.at >= self._end:
            raise pa.ArrowInvalid("a Parquet file's head is cut short")
        self.at += 1
        return self._data[self.at - 1]

    def _skip(self, count: int) -> None:
        if count > self._end - self.at:
            raise pa.ArrowInvalid("a Parquet file's head is cut short")
        self.at += count

    def _unsigned(self) -> int:
        value = 0
        for shift in range(0, 70, 7):
            byte = self._byte()
            value |= (byte & 127) << shift
            if byte < 128:
                return value
        raise pa.ArrowInvalid("a number of a Parquet file's head has no end")

    def _signed(self) -> int:
        value = self._unsigned()
        return value >> 1 ^ -(value & 1)
