"""Frequency tables of the families' codecs: integers fixed in the weight file, so that every machine codes alike."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from archivae.bitstream import Tables
from archivae.bitstream.rans import MAX_RADIUS, PRECISION
from archivae.errors import ModelError

TOTAL = 1 << PRECISION
BELLS = 62
"""Distributions of values about zero, from narrow to wide, Laplacian and normal by turns."""
NARROWEST, WIDEST = 0.05, 60.0
"""Their standard deviations."""
IMPOSSIBLE = 1e9
"""Bits for what a table cannot hold."""
REACH = 8.0
"""A table tells values apart up to so many deviations; those beyond are escaped."""
ESCAPE_BITS = 24
"""What an escaped value is taken to cost beyond its symbol."""

Floats = npt.NDArray[np.float64]


def bell_tables() -> Tables:
    """Table 0, which codes nothing, and then the `BELLS`."""
    deviations = np.geomspace(NARROWEST, WIDEST, BELLS // 2)
    return build_tables([shape(deviation) for deviation in deviations for shape in (_laplacian, _normal)])


def build_tables(parts: Sequence[Floats]) -> Tables:
    """Tables 1, 2, ... of ``parts``: each of odd length 2r + 1, the weights of the values -r to r."""
    radius = np.array([0, *(len(part) // 2 for part in parts)], np.uint8)
    cumulative = np.zeros((len(parts) + 1, 2 * int(radius.max()) + 3), np.uint16)
    for row, part in zip(cumulative[1:], parts, strict=True):
        counts = whole_frequencies(np.append(part, part.sum() * 1e-4))
        row[1 : len(counts) + 1] = np.cumsum(counts)
    return Tables(cumulative, radius)


def whole_frequencies(weights: Floats) -> npt.NDArray[np.int64]:
    """Positive whole numbers in about the ratio of ``weights`` that add up to 2^14."""
    counts = np.maximum(1, np.floor(weights / weights.sum() * (TOTAL - len(weights)))).astype(np.int64)
    counts[np.argmax(counts)] += TOTAL - counts.sum()
    return counts


def store_tables(tables: Tables) -> dict[str, Tensor]:
    """Tables as they lie in a weight file. What made them computes in floats; what is stored is the same everywhere."""
    return {
        "cumulative": torch.from_numpy(tables.cumulative.astype(np.int32)),
        "radius": torch.from_numpy(tables.radius.copy()),
    }


def stored_tables(stored: Mapping[str, Tensor]) -> Tables:
    """`store_tables` undone. ModelError for what can be no tables."""
    whole = stored["cumulative"].numpy()
    try:
        tables = Tables(whole.astype(np.uint16), stored["radius"].numpy())
    except ValueError as error:
        raise ModelError(f"the tables of the weight file are damaged: {error}") from error
    if not np.array_equal(tables.cumulative, whole):
        raise ModelError("the tables of the weight file are damaged: expected numbers of 16 bits")
    return tables


def chosen(tables: Tables, numbers: Sequence[int]) -> Tables:
    """Those tables alone, renumbered from 1 on; table 0 stays."""
    rows = [0, *numbers]
    return Tables(tables.cumulative[rows], tables.radius[rows])


def bits(tables: Tables) -> Floats:
    """What each table takes for each value from -127 to 127, (tables, 255); beyond its radius, some 24 more for an escape.

    Table 0 takes nothing for 0 and cannot hold anything else.
    """
    values = np.arange(-MAX_RADIUS - 1, MAX_RADIUS + 2)
    taken = np.full((len(tables.radius), len(values)), IMPOSSIBLE)
    taken[0, MAX_RADIUS + 1] = 0
    for row, cumulative, radius in zip(taken[1:], tables.cumulative[1:], tables.radius[1:].astype(int), strict=True):
        lengths = PRECISION - np.log2(np.diff(cumulative[: 2 * radius + 3].astype(np.int64)))
        inside = np.abs(values) <= radius
        row[:] = lengths[-1] + ESCAPE_BITS
        row[inside] = lengths[:-1]
    return taken


def _laplacian(deviation: float) -> Floats:
    values = _values(deviation)
    scale = deviation / np.sqrt(2)
    edges = np.append(values - 0.5, values[-1] + 0.5) / scale
    below = np.where(edges < 0, 0.5 * np.exp(np.minimum(edges, 0)), 1 - 0.5 * np.exp(-np.maximum(edges, 0)))
    return np.diff(below)


def _normal(deviation: float) -> Floats:
    values = _values(deviation)
    density = np.exp(-0.5 * (_fine(values) / deviation) ** 2)
    return density.reshape(len(values), -1).sum(1)


def _fine(values: Floats) -> Floats:
    """Thirty-three points in the unit interval about each value: the integral of a narrow bell as a sum."""
    return (values[:, None] + np.linspace(-0.5, 0.5, 33)).ravel()


def _values(deviation: float) -> Floats:
    radius = int(min(MAX_RADIUS, max(1, np.ceil(REACH * deviation))))
    return np.arange(-radius, radius + 1, dtype=np.float64)
