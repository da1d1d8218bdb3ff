from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from archivae.bitstream import Tables, ValueDecoder, encode_values, rans
from archivae.bitstream.rans import MAX_RADIUS, STATE_FLOOR, VALUE_LIMIT
from archivae.errors import CorruptBitstreamError
from tests.bitstream import reference_rans

TOTAL = 2**14
RADII = (0, 1, 2, 9, MAX_RADIUS)
"""Of tables 1 to 5."""


def frequencies_of(radius: int, seed: int) -> list[int]:
    """Positive, of sum 2^14, some as small as they can be."""
    rng = np.random.default_rng(seed)
    weights = rng.random(2 * radius + 2) ** 6
    counts = 1 + np.floor(weights / weights.sum() * (TOTAL - len(weights))).astype(int)
    counts[rng.integers(len(counts))] += TOTAL - counts.sum()
    return counts.tolist()


def plain_tables(seed: int = 0) -> list[reference_rans.Table | None]:
    return [None, *((radius, frequencies_of(radius, seed + radius)) for radius in RADII)]


def as_tables(tables: Sequence[reference_rans.Table | None]) -> Tables:
    cumulative = np.zeros((len(tables), 2 * MAX_RADIUS + 3), np.uint16)
    radius = np.zeros(len(tables), np.uint8)
    for t, table in enumerate(tables):
        if table is not None:
            radius[t] = table[0]
            cumulative[t, 1 : len(table[1]) + 1] = np.cumsum(table[1])
    return Tables(cumulative, radius)


PLAIN = plain_tables()
TABLES = as_tables(PLAIN)

magnitudes = st.one_of(st.integers(-3, 3), st.integers(-140, 140), st.integers(-VALUE_LIMIT, VALUE_LIMIT))
symbols = st.lists(st.one_of(st.just((0, 0)), st.tuples(magnitudes, st.integers(1, len(RADII)))), max_size=60)


def arrays(pairs: Sequence[tuple[int, int]]) -> tuple[np.ndarray, np.ndarray]:
    return np.array([v for v, _ in pairs], np.int32), np.array([i for _, i in pairs], np.uint8)


def decode(data: bytes, indices: np.ndarray, tables: Tables = TABLES) -> list[int]:
    decoder = ValueDecoder(data, tables)
    values = decoder.decode(indices)
    decoder.finish()
    return values.tolist()


@settings(max_examples=150, deadline=None)
@given(pairs=symbols, seed=st.integers(0, 5))
def test_bytes_and_values_are_the_references(pairs: list[tuple[int, int]], seed: int) -> None:
    plain = plain_tables(seed)
    tables, (values, indices) = as_tables(plain), arrays(pairs)
    data = encode_values(values, indices, tables)
    assert data == reference_rans.encode(values.tolist(), indices.tolist(), plain)
    assert decode(data, indices, tables) == values.tolist()
    assert reference_rans.decode(data, indices.tolist(), plain) == values.tolist()


@pytest.mark.parametrize("table", range(1, len(RADII) + 1))
def test_every_value_there_is_comes_back(table: int) -> None:
    values = np.arange(-VALUE_LIMIT, VALUE_LIMIT + 1, dtype=np.int32)
    indices = np.full(len(values), table, np.uint8)
    assert decode(encode_values(values, indices, TABLES), indices) == values.tolist()


def test_room_for_words_suffices_for_the_costliest_values() -> None:
    tables = as_tables([None, (1, [1, TOTAL - 3, 1, 1])])
    for count in (1, 2, 3, 100):
        values, indices = np.full(count, -VALUE_LIMIT, np.int32), np.ones(count, np.uint8)
        assert decode(encode_values(values, indices, tables), indices, tables) == values.tolist()


def test_nothing_takes_eight_bytes() -> None:
    zeros = np.zeros(1000, np.int32), np.zeros(1000, np.uint8)
    for values, indices in (zeros, (zeros[0][:0], zeros[1][:0])):
        assert encode_values(values, indices, TABLES) == STATE_FLOOR.to_bytes(8, "little")


def test_the_example_of_the_format() -> None:
    tables = as_tables([None, (1, [1000, 14000, 1380, 4])])
    data = encode_values(np.array([0, -1, 0, 900], np.int32), np.array([1, 1, 0, 1], np.uint8), tables)
    assert data == bytes.fromhex("3e 47 ce ce bd 45 64 99")


def test_the_rate_is_the_entropy() -> None:
    rng = np.random.default_rng(1)
    radius, frequencies = 9, frequencies_of(9, 9)
    draws = rng.choice(2 * radius + 1, 50_000, p=np.array(frequencies[:-1]) / sum(frequencies[:-1]))
    indices = np.full(len(draws), RADII.index(radius) + 1, np.uint8)
    bits = -np.log2(np.array(frequencies)[draws] / TOTAL).sum()
    assert len(encode_values((draws - radius).astype(np.int32), indices, TABLES)) * 8 < bits * 1.0002 + 64


@settings(max_examples=50, deadline=None)
@given(pairs=symbols, cuts=st.lists(st.integers(0, 60), max_size=6))
def test_many_calls_decode_what_one_does(pairs: list[tuple[int, int]], cuts: list[int]) -> None:
    values, indices = arrays(pairs)
    decoder = ValueDecoder(encode_values(values, indices, TABLES), TABLES)
    parts = [decoder.decode(part) for part in np.split(indices, sorted(cuts))]
    decoder.finish()
    assert np.array_equal(np.concatenate(parts), values)


@settings(max_examples=200, deadline=None)
@given(pairs=symbols.filter(len), data=st.data())
def test_a_damaged_stream_is_refused_or_ends_well_as_the_reference_says(
    pairs: list[tuple[int, int]], data: st.DataObject
) -> None:
    values, indices = arrays(pairs)
    stream = bytearray(encode_values(values, indices, TABLES))
    for bit in data.draw(st.lists(st.integers(0, 8 * len(stream) - 1), min_size=1, max_size=4)):
        stream[bit // 8] ^= 1 << bit % 8
    damaged = bytes(stream[: data.draw(st.integers(0, len(stream)))])
    try:
        expected = reference_rans.decode(damaged, indices.tolist(), PLAIN)
    except ValueError:
        with pytest.raises(CorruptBitstreamError):
            decode(damaged, indices)
    else:
        assert decode(damaged, indices) == expected


@settings(max_examples=100, deadline=None)
@given(noise=st.binary(max_size=80), pairs=symbols)
def test_noise_never_crashes(noise: bytes, pairs: list[tuple[int, int]]) -> None:
    with suppress(CorruptBitstreamError):
        decode(noise, arrays(pairs)[1])


def test_every_truncation_is_refused() -> None:
    values, indices = arrays([(v * 37 % 300 - 150, 1 + v % 5) for v in range(50)])
    stream = encode_values(values, indices, TABLES)
    for length in range(len(stream)):
        with pytest.raises(CorruptBitstreamError):
            decode(stream[:length], indices)


def test_words_left_over_are_refused() -> None:
    values, indices = arrays([(1, 2)] * 20)
    with pytest.raises(CorruptBitstreamError, match="should end at state"):
        decode(encode_values(values, indices, TABLES) + bytes(4), indices)


def test_a_state_below_the_floor_is_refused() -> None:
    with pytest.raises(CorruptBitstreamError, match="starts at 0x100000000 or above, found 0xffffffff"):
        ValueDecoder(bytes([255] * 4 + [0] * 4), TABLES)


def test_an_escape_beyond_the_range_is_refused() -> None:
    # The escape of a table of radius 0 is slot TOTAL - 1 here; then a plus sign, and a length of 31 bits.
    tables = as_tables([None, (0, [TOTAL - 1, 1])])
    state = (31 << 1 | 0) + (STATE_FLOOR << 6)
    stream = (((state & 0xFFFFFFFFFFFF) << 14) + TOTAL - 1).to_bytes(8, "little") + bytes(16)
    with pytest.raises(CorruptBitstreamError, match="beyond 32767"):
        decode(stream, np.array([1], np.uint8), tables)


@pytest.mark.parametrize("value", [VALUE_LIMIT + 1, -VALUE_LIMIT - 1, 2**31 - 1, -(2**31)])
def test_values_out_of_range_are_not_coded(value: int) -> None:
    with pytest.raises(ValueError, match="must lie within 32767"):
        encode_values(np.array([value], np.int32), np.array([1], np.uint8), TABLES)


def test_only_zero_has_table_0() -> None:
    with pytest.raises(ValueError, match="be 0 where the table index is 0"):
        encode_values(np.array([0, 1], np.int32), np.array([0, 0], np.uint8), TABLES)


def test_an_index_that_is_no_tables_is_refused_both_ways() -> None:
    value, index = np.array([0], np.int32), np.array([len(RADII) + 1], np.uint8)
    with pytest.raises(ValueError, match="there are 6 tables, number 6 was asked for"):
        encode_values(value, index, TABLES)
    with pytest.raises(ValueError, match="there are 6 tables, number 6 was asked for"):
        ValueDecoder(STATE_FLOOR.to_bytes(8, "little"), TABLES).decode(index)


def test_other_dtypes_and_shapes_are_refused() -> None:
    value, index = np.array([1], np.int32), np.array([1], np.uint8)
    decoder = ValueDecoder(encode_values(value, index, TABLES), TABLES)
    for other in (value.astype(np.int64), value.astype(np.float32), np.array([1, 1], np.int32), value[None]):
        with pytest.raises(ValueError, match="expected int32 values"):
            encode_values(other, index, TABLES)
    for other in (index.astype(np.int64), index[None]):
        with pytest.raises(ValueError, match="expected uint8 table numbers"):
            encode_values(value, other, TABLES)
        with pytest.raises(ValueError, match="expected uint8 table numbers"):
            decoder.decode(other)


def test_any_layout_gives_the_same_bytes_from_one_compiled_kernel() -> None:
    values, indices = arrays([(v % 7 - 3, 1 + v % 5) for v in range(40)])
    plain = encode_values(values[::2].copy(), indices[::2].copy(), TABLES)
    decode(plain, indices[::2].copy())
    compiled = len(rans._encode.signatures), len(rans._decode.signatures)
    frozen = values[::2].copy()
    frozen.flags.writeable = False
    assert encode_values(values[::2], indices[::2], TABLES) == plain
    assert encode_values(frozen, indices[::2], TABLES) == plain
    assert decode(bytearray(plain), indices[::2]) == frozen.tolist()
    assert (len(rans._encode.signatures), len(rans._decode.signatures)) == compiled


def test_indices_may_be_repeated_views() -> None:
    indices = np.broadcast_to(np.uint8(2), 5)
    assert decode(encode_values(np.arange(-2, 3, dtype=np.int32), indices, TABLES), indices) == [-2, -1, 0, 1, 2]


def row(*frequencies: int) -> np.ndarray:
    cumulative = np.zeros((2, 7), np.uint16)
    cumulative[1, 1 : len(frequencies) + 1] = np.cumsum(frequencies)
    return cumulative


@pytest.mark.parametrize(
    ("cumulative", "radius", "problem"),
    [
        (row(1, 1, 1, 1), [0, 1], "add up to 16384"),
        (row(0, TOTAL - 2, 1, 1), [0, 1], "must be positive"),
        (row(9000, 60000, 1, 1), [0, 1], "must be positive"),
        (row(1, 1, 1, 1, 1, TOTAL - 5), [0, 3], "too wide for rows of 7"),
        (row(1, 1, 1, TOTAL - 3), [0, 127], "radius 127 is over 126"),
        (row(1, 1, 1, TOTAL - 3), [0, 1, 1], "one row and one radius a table"),
        (row(1, 1, 1, TOTAL - 3)[0], [0, 1], "one row and one radius a table"),
        (row()[:0], [], "one row and one radius a table"),
        (row(1, 1, 1, TOTAL - 3).astype(np.int32), [0, 1], "uint16"),
    ],
)
def test_hostile_tables_are_refused(cumulative: np.ndarray, radius: list[int], problem: str) -> None:
    with pytest.raises(ValueError, match=problem):
        Tables(cumulative, np.array(radius, np.uint8))
