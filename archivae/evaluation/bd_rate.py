"""How much larger or smaller one codec's files are than another's at the same quality."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy.interpolate import PchipInterpolator  # type: ignore[import-untyped]

# Over less than this, in dB, a mean of differences says nothing about the codecs.
MIN_OVERLAP_DB = 1.0

_SAMPLES = 400


@dataclass(frozen=True, slots=True)
class BdRate:
    """``percent``: mean difference in rate, negative where files are smaller; ``low`` to ``high``: over which dB."""

    percent: float
    low: float
    high: float


def bd_rate(anchor: Sequence[tuple[float, float]], test: Sequence[tuple[float, float]]) -> BdRate | None:
    """The mean difference in rate of ``test`` against ``anchor`` at equal quality, over the range both cover.

    Each curve is its points (bits per pixel, quality in dB) in any order. The logarithm of the rate is interpolated
    over quality by monotone cubic pieces (PCHIP), which do not overshoot as the single cubic of the first proposal
    does. None where the two have less than 1 dB in common.

    Bjøntegaard: Calculation of average PSNR differences between RD-curves, VCEG-M33, 2001; with PCHIP as in
    JCTVC-L1100 and ITU-T HSTP-VID-WPOM, 2020.

    >>> jpeg, twice = [(0.5, 30), (1, 33), (2, 37)], [(1, 30), (2, 33), (4, 37)]
    >>> bd_rate(anchor=jpeg, test=twice)
    BdRate(percent=100.0, low=30.0, high=37.0)
    """
    anchor_db, anchor_rates = _log_rates(anchor)
    test_db, test_rates = _log_rates(test)
    if min(len(anchor_db), len(test_db)) < 2:
        return None
    low, high = max(anchor_db[0], test_db[0]), min(anchor_db[-1], test_db[-1])
    if high - low < MIN_OVERLAP_DB:
        return None
    grid = np.linspace(low, high, _SAMPLES)
    ratio = PchipInterpolator(test_db, test_rates)(grid) - PchipInterpolator(anchor_db, anchor_rates)(grid)
    return BdRate(100 * math.expm1(float(np.mean(ratio))), low, high)


def _log_rates(points: Sequence[tuple[float, float]]) -> tuple[list[float], list[float]]:
    """Rising qualities and the logarithms of their rates; of several points of one quality the cheapest counts."""
    cheapest: dict[float, float] = {}
    for rate, quality in sorted(points, reverse=True):
        cheapest[float(quality)] = math.log(rate)
    qualities = sorted(cheapest)
    return qualities, [cheapest[quality] for quality in qualities]
