"""The entropy coder: range asymmetric numeral systems (Duda 2013, arXiv:1311.2540) over frozen integer tables.

A 64-bit state, renormalised by 32-bit little-endian words. Symbols are coded last first, so that they decode first
first. The byte format is fixed in docs/format.md; `tests/bitstream/reference_rans.py` says it again in plain Python.
The kernels are compiled by numba, are cached on disk, and release the GIL.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numba
import numpy as np
import numpy.typing as npt

from archivae.errors import CorruptBitstreamError

PRECISION = 14
"""Frequencies of a table add up to 2^14."""
STATE_FLOOR = 1 << 32
"""The state stays in [2^32, 2^64); an encoder starts, and a decoder ends, at exactly this value."""
LENGTH_BITS = 5
"""An escaped value's magnitude is preceded by its length in bits, in this many bits."""
VALUE_LIMIT = 32767
"""Values are 16-bit signed integers, without the lowest."""
MAX_RADIUS = 126
"""The widest table then has 254 symbols, which fit into bytes."""

IntArray = npt.NDArray[np.int32]
IndexArray = npt.NDArray[np.uint8]

_TOTAL = 1 << PRECISION
_STRIDE_BITS = 6
_jit = numba.njit(nogil=True, cache=True)


@dataclass(frozen=True, eq=False)
class Tables:
    """Frequency tables shared by encoder and decoder.

    Table t codes the values -radius[t] .. radius[t] as symbols 0 .. 2 * radius[t], and one more symbol, the escape, for
    all others. ``cumulative[t, s]`` is the sum of the frequencies before symbol s: uint16 (tables, symbols + 1), rising
    from 0 to 2^14. Table 0 codes nothing: there a value is always 0 and takes no bits.
    """

    cumulative: npt.NDArray[np.uint16]
    radius: npt.NDArray[np.uint8]

    def __post_init__(self) -> None:
        _check_tables(self.cumulative, self.radius)
        object.__setattr__(self, "cumulative", _plain(self.cumulative))
        object.__setattr__(self, "radius", _plain(self.radius))

    @cached_property
    def first_symbols(self) -> npt.NDArray[np.uint8]:
        """Symbol of the first of every 2^6 slots, from which a search begins: (tables, 2^8), small enough for a cache."""
        lookup = np.zeros((len(self.radius), _TOTAL >> _STRIDE_BITS), np.uint8)
        for t in range(1, len(self.radius)):
            counts = np.diff(self.cumulative[t, : 2 * int(self.radius[t]) + 3]).astype(np.int64)
            lookup[t] = np.repeat(np.arange(len(counts), dtype=np.uint8), counts)[:: 1 << _STRIDE_BITS]
        return lookup


def _plain(array: npt.NDArray[Any]) -> npt.NDArray[Any]:
    """Contiguous, aligned and writable, copied where need be: numba compiles a kernel anew for every other layout."""
    return np.require(array, requirements=["C", "A", "W"])


def _check_tables(cumulative: npt.NDArray[np.uint16], radius: npt.NDArray[np.uint8]) -> None:
    """Raise ValueError unless the kernels, which check no bounds, can trust these tables."""
    if cumulative.dtype != np.uint16 or radius.dtype != np.uint8:
        raise ValueError(f"tables are uint16 and their radii uint8, found {cumulative.dtype} and {radius.dtype}")
    if cumulative.ndim != 2 or radius.ndim != 1 or not 0 < len(cumulative) == len(radius) <= 256:
        raise ValueError(f"expected one row and one radius a table, found {cumulative.shape} and {radius.shape}")
    widest = int(radius.max())
    if widest > MAX_RADIUS or 2 * widest + 3 > cumulative.shape[1]:
        raise ValueError(f"radius {widest} is over {MAX_RADIUS} or too wide for rows of {cumulative.shape[1]}")
    for row, r in zip(cumulative[1:].astype(np.int64), radius[1:].tolist(), strict=True):
        used = row[: 2 * r + 3]
        if used[0] != 0 or used[-1] != _TOTAL or (np.diff(used) < 1).any():
            raise ValueError(f"frequencies must be positive and add up to {_TOTAL}, found {np.diff(used)}")


@_jit
def _push(state, words, at, start, frequency, bits):  # type: ignore[no-untyped-def]
    """Code the interval [start, start + frequency) of 2^bits; words fill from the end of the buffer."""
    if state >= (np.uint64(frequency) << np.uint64(64 - bits)):
        at -= 1
        words[at] = np.uint32(state & np.uint64(0xFFFFFFFF))
        state >>= np.uint64(32)
    quotient = state // np.uint64(frequency)
    rest = state - quotient * np.uint64(frequency)
    return (quotient << np.uint64(bits)) + rest + np.uint64(start), at


@_jit
def _push_escape(state, words, at, excess, negative):  # type: ignore[no-untyped-def]
    """Sign, length and low bits of ``excess`` = |value| - radius - 1, in reverse."""
    magnitude = excess + 1
    length = 0
    while magnitude >> (length + 1):
        length += 1
    if length:
        state, at = _push(state, words, at, magnitude - (1 << length), 1, length)
    state, at = _push(state, words, at, length, 1, LENGTH_BITS)
    return _push(state, words, at, negative, 1, 1)


@_jit
def _encode(values, indices, cumulative, radius, words):  # type: ignore[no-untyped-def]
    state = np.uint64(STATE_FLOOR)
    at = len(words)
    for i in range(len(values) - 1, -1, -1):
        t = indices[i]
        value = values[i]
        if t == 0:
            if value != 0:
                return state, at, False
            continue
        # Not by abs(): that of the lowest int32 is negative.
        if value > VALUE_LIMIT or value < -VALUE_LIMIT:
            return state, at, False
        r = np.int32(radius[t])
        symbol = value + r
        if symbol < 0 or symbol > 2 * r:
            state, at = _push_escape(state, words, at, abs(value) - r - 1, 1 if value < 0 else 0)
            symbol = 2 * r + 1
        start = np.uint32(cumulative[t, symbol])
        state, at = _push(state, words, at, start, np.uint32(cumulative[t, symbol + 1]) - start, PRECISION)
    return state, at, True


@_jit
def _refill(state, words, at):  # type: ignore[no-untyped-def]
    if state < np.uint64(STATE_FLOOR):
        word = np.uint64(words[at]) if at < len(words) else np.uint64(0)
        return (state << np.uint64(32)) | word, at + 1
    return state, at


@_jit
def _pop_bits(state, words, at, bits):  # type: ignore[no-untyped-def]
    value = np.int64(state & np.uint64((1 << bits) - 1))
    state, at = _refill(state >> np.uint64(bits), words, at)
    return value, state, at


@_jit
def _pop_escape(state, words, at, radius):  # type: ignore[no-untyped-def]
    """The value after an escape; a damaged stream may give any within 33 bits."""
    negative, state, at = _pop_bits(state, words, at, 1)
    length, state, at = _pop_bits(state, words, at, LENGTH_BITS)
    low, state, at = _pop_bits(state, words, at, length)
    value = radius + (1 << length) + low
    return (-value if negative else value), state, at


@_jit
def _decode(state, at, words, indices, cumulative, radius, first_symbols, out):  # type: ignore[no-untyped-def]
    mask = np.uint64((1 << PRECISION) - 1)
    for i in range(len(indices)):
        t = indices[i]
        if t == 0:
            out[i] = 0
            continue
        slot = state & mask
        symbol = np.int32(first_symbols[t, slot >> np.uint64(_STRIDE_BITS)])
        while np.uint64(cumulative[t, symbol + 1]) <= slot:
            symbol += 1
        start = np.uint64(cumulative[t, symbol])
        frequency = np.uint64(cumulative[t, symbol + 1]) - start
        state, at = _refill(frequency * (state >> np.uint64(PRECISION)) + slot - start, words, at)
        r = np.int32(radius[t])
        value = symbol - r
        if value > r:
            value, state, at = _pop_escape(state, words, at, r)
            if abs(value) > VALUE_LIMIT:
                return state, at, False
        out[i] = value
    return state, at, True


def encode_values(values: IntArray, indices: IndexArray, tables: Tables) -> bytes:
    """Code ``values`` (n,) int32 in [-32767, 32767], value i with table ``indices[i]`` (uint8).

    Where the index is 0 the value must be 0. Returns the state (8 bytes) and the words that follow, little-endian.
    Raises ValueError for another dtype or shape, a value out of range, or an index that is no table's.

    >>> tables = Tables(np.array([[0] * 5, [0, 1000, 15000, 16380, 16384]], np.uint16), np.array([0, 1], np.uint8))
    >>> data = encode_values(np.array([0, -1, 0, 900], np.int32), np.array([1, 1, 0, 1], np.uint8), tables)
    >>> ValueDecoder(data, tables).decode(np.array([1, 1, 0, 1], np.uint8))
    array([  0,  -1,   0, 900], dtype=int32)
    """
    indices = _table_numbers(indices, tables)
    if values.dtype != np.int32 or values.shape != indices.shape:
        raise ValueError(f"expected int32 values of shape {indices.shape}, found {values.dtype} of {values.shape}")
    values = _plain(values)
    # An escape takes at most 14 + 1 + 5 + 14 bits: two words a value are room enough.
    words = np.empty(2 * len(values) + 2, np.uint32)
    state, at, fits = _encode(values, indices, tables.cumulative, tables.radius, words)
    if not fits:
        raise ValueError(f"values must lie within {VALUE_LIMIT} and be 0 where the table index is 0")
    return int(state).to_bytes(8, "little") + words[at:].astype("<u4").tobytes()


def _table_numbers(indices: IndexArray, tables: Tables) -> IndexArray:
    """``indices`` in the one layout the kernels are compiled for; ValueError if one is no table's."""
    if indices.dtype != np.uint8 or indices.ndim != 1:
        raise ValueError(f"expected uint8 table numbers (n,), found {indices.dtype} {indices.shape}")
    if len(indices) and indices.max() >= len(tables.radius):
        raise ValueError(f"there are {len(tables.radius)} tables, number {indices.max()} was asked for")
    return _plain(indices)


class ValueDecoder:
    """Reads values back in the order they were given to `encode_values`, in as many calls as it takes.

    Raises CorruptBitstreamError when no encoder can have made the stream: its length or first state is impossible, it
    is too short, a value is out of range, or, in `finish`, it does not end as an encoder began.
    """

    def __init__(self, data: bytes, tables: Tables) -> None:
        if len(data) < 8 or len(data) % 4:
            raise CorruptBitstreamError(f"an entropy stream has 8 + 4n bytes, found {len(data)}")
        self._state = np.uint64(int.from_bytes(data[:8], "little"))
        if self._state < STATE_FLOOR:
            raise CorruptBitstreamError(
                f"an entropy stream starts at {STATE_FLOOR:#x} or above, found {self._state:#x}"
            )
        self._words = _plain(np.frombuffer(data, "<u4", offset=8).astype(np.uint32, copy=False))
        self._at = 0
        self._tables = tables

    def decode(self, indices: IndexArray) -> IntArray:
        """The next ``len(indices)`` values, int32, coded with those tables (uint8; ValueError for any other)."""
        t = self._tables
        indices = _table_numbers(indices, t)
        out = np.empty(len(indices), np.int32)
        state, at, fits = _decode(
            self._state, self._at, self._words, indices, t.cumulative, t.radius, t.first_symbols, out
        )
        if at > len(self._words):
            raise CorruptBitstreamError(f"the entropy stream ended after {len(self._words)} words, {at} were needed")
        if not fits:
            raise CorruptBitstreamError(f"the entropy stream holds a value beyond {VALUE_LIMIT}: it is damaged")
        # numba hands uint64 back as int, and would compile the kernel anew for it.
        self._state, self._at = np.uint64(state), at
        return out

    def finish(self) -> None:
        """Check that all was read and the state is back where encoders start."""
        if self._at != len(self._words) or int(self._state) != STATE_FLOOR:
            raise CorruptBitstreamError(
                f"the entropy stream should end at state {STATE_FLOOR:#x} after {len(self._words)} words, "
                f"found state {int(self._state):#x} after {self._at}"
            )
