"""The entropy coder of docs/format.md in plain Python integers; it shares no code with rans.py.

A table is ``(radius, frequencies)``: frequencies of the values -radius .. radius, then of the escape; they add up to
2^14. Table 0 is ``None``.
"""

from __future__ import annotations

from collections.abc import Sequence

Table = tuple[int, Sequence[int]]
Interval = tuple[int, int, int]  # start, size, and bits: of 2^bits

FLOOR = 2**32


def encode(values: Sequence[int], indices: Sequence[int], tables: Sequence[Table | None]) -> bytes:
    intervals: list[Interval] = []
    for value, index in zip(values, indices, strict=True):
        table = tables[index]
        if table is not None:
            intervals += _intervals(value, table)
    state, words = FLOOR, []
    for start, size, bits in reversed(intervals):
        if state >= size * 2 ** (64 - bits):
            words.append(state % 2**32)
            state //= 2**32
        state = state // size * 2**bits + start + state % size
    return state.to_bytes(8, "little") + b"".join(word.to_bytes(4, "little") for word in reversed(words))


def decode(data: bytes, indices: Sequence[int], tables: Sequence[Table | None]) -> list[int]:
    """Raises ValueError where the stream is not one an encoder can have made."""
    reader = Reader(data)
    values = [0 if (table := tables[index]) is None else reader.value(table) for index in indices]
    if reader.state != FLOOR or reader.words:
        raise ValueError("the stream does not end where an encoder begins")
    return values


def _intervals(value: int, table: Table) -> list[Interval]:
    radius, frequencies = table
    if abs(value) <= radius:
        return [_interval(value + radius, frequencies)]
    magnitude = abs(value) - radius
    length = magnitude.bit_length() - 1
    coded = [_interval(2 * radius + 1, frequencies), (int(value < 0), 1, 1), (length, 1, 5)]
    return coded if length == 0 else [*coded, (magnitude - 2**length, 1, length)]


def _interval(symbol: int, frequencies: Sequence[int]) -> Interval:
    return sum(frequencies[:symbol]), frequencies[symbol], 14


class Reader:
    """Values one by one, each with the table it is told."""

    def __init__(self, data: bytes) -> None:
        if len(data) < 8 or len(data) % 4:
            raise ValueError("a stream has 8 + 4n bytes")
        self.state = int.from_bytes(data[:8], "little")
        if self.state < FLOOR:
            raise ValueError("the first state is below the floor")
        self.words = [int.from_bytes(data[i : i + 4], "little") for i in range(8, len(data), 4)]

    def value(self, table: Table) -> int:
        radius, frequencies = table
        slot = self.state % 2**14
        symbol, start = 0, 0
        while slot >= start + frequencies[symbol]:
            start += frequencies[symbol]
            symbol += 1
        self._advance(frequencies[symbol] * (self.state // 2**14) + slot - start)
        if symbol <= 2 * radius:
            return symbol - radius
        negative, length = self._bits(1), self._bits(5)
        magnitude = radius + 2**length + (self._bits(length) if length else 0)
        if magnitude > 32767:
            raise ValueError("a value out of range")
        return -magnitude if negative else magnitude

    def _bits(self, count: int) -> int:
        low = self.state % 2**count
        self._advance(self.state // 2**count)
        return low

    def _advance(self, state: int) -> None:
        if state < FLOOR:
            if not self.words:
                raise ValueError("the stream is too short")
            state = state * 2**32 + self.words.pop(0)
        self.state = state
