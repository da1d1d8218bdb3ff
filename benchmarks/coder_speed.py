"""The entropy coder alone, on one core: how many integers of a picture does it code in a second?"""

from __future__ import annotations

import statistics
from collections.abc import Iterable, Iterator
from typing import Any

import numpy as np

from archivae.bitstream import ValueDecoder, encode_values
from archivae.models import PhotoCodec
from benchmarks.pictures import Pixels
from benchmarks.timing import seconds_of
from benchmarks.unverified import steps_of


def coder_speed(codec: PhotoCodec, pictures: Iterable[Pixels], quality: float, rounds: int) -> dict[str, Any]:
    """Integers a second each way, the median over pictures and rounds.

    All integers of a picture count, and beside them those alone that have a table to be coded with: the others are
    known to be 0 and take no bits.
    """
    rates: dict[str, list[float]] = {"encode": [], "decode": []}
    coded = []
    for pixels in pictures:
        values, indices = codec.integers(pixels, steps_of(quality))
        coded.append(np.count_nonzero(indices) / len(indices))
        for direction, seconds in _seconds(codec, values, indices, rounds):
            rates[direction].append(len(values) / seconds)
    share = statistics.mean(coded)
    result: dict[str, Any] = {"quality": quality, "share_with_a_table": share}
    for direction, found in rates.items():
        result[f"{direction}_integers_per_second"] = statistics.median(found)
        result[f"{direction}_coded_integers_per_second"] = statistics.median(found) * share
    return result


def _seconds(codec: PhotoCodec, values: np.ndarray, indices: np.ndarray, rounds: int) -> Iterator[tuple[str, float]]:
    tables = codec.weights.tables
    data = encode_values(values, indices, tables)
    assert np.array_equal(ValueDecoder(data, tables).decode(indices), values)
    for _ in range(rounds):
        yield "encode", seconds_of(lambda: encode_values(values, indices, tables))
        yield "decode", seconds_of(lambda: ValueDecoder(data, tables).decode(indices))
