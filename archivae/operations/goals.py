"""What is asked of a picture, as the goal of a search: a measure, its scale, and how near is near enough."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

from archivae.bitstream import Coding
from archivae.errors import TargetError, UsageError
from archivae.operations.codec import Pixels
from archivae.operations.quality import (
    MS_SSIM_SHORTEST_SIDE,
    SSIMULACRA2_SHORTEST_SIDE,
    has_ssimulacra2,
    ms_ssim,
    psnr,
    ssimulacra2,
)
from archivae.operations.rate import Distortion, Rate, Size, TargetPsnr, TargetSsimulacra2
from archivae.operations.search import Curve, Goal
from archivae.operations.source import Source, archive_file
from archivae.operations.typical import (
    TYPICAL_MS_SSIM,
    TYPICAL_PSNR,
    TYPICAL_SSIMULACRA2,
    ms_ssim_db,
    typical_log_bytes,
)

TOLERANCE_DB = 0.1
"""How much nearer than asked a decoded picture may come."""
TOLERANCE_SSIMULACRA2 = 0.5
"""The same in points of that scale."""
TOLERANCE_BYTES = 0.01
"""What share of the bytes allowed may be left unused."""


@dataclass(frozen=True)
class Nearness:
    """How near a decoded picture must come: ``measure`` of original and decoded, mostly in dB; ``show`` puts it in words."""

    goal: Goal
    typical: Curve
    measure: Callable[[Pixels, Pixels], float]
    show: Callable[[float], str]


@dataclass(frozen=True)
class Smallness:
    """How few bytes a file must have. ``overhead``, the bytes that no quality changes, stays out of the scale."""

    most: int
    overhead: int
    typical: Curve

    @property
    def goal(self) -> Goal:
        limit = self.measure(self.most)
        return Goal(limit, limit - self.measure(math.ceil((1 - TOLERANCE_BYTES) * self.most)), at_most=True)

    def measure(self, size: int) -> float:
        """The logarithm of what a file of that many bytes has beside its overhead."""
        return math.log(max(1, size - self.overhead))


def nearness(rate: Distortion, source: Source) -> Nearness:
    """TargetError for a measure where that is not defined, UsageError where it is not installed."""
    if isinstance(rate, TargetPsnr):
        return Nearness(Goal(rate.db, TOLERANCE_DB), TYPICAL_PSNR, psnr, "{:.2f} dB".format)
    if isinstance(rate, TargetSsimulacra2):
        check_measure(rate)
        _check_side(source, SSIMULACRA2_SHORTEST_SIDE, "SSIMULACRA 2")
        goal = Goal(rate.score, TOLERANCE_SSIMULACRA2)
        return Nearness(goal, TYPICAL_SSIMULACRA2, ssimulacra2, "SSIMULACRA 2 {:.2f}".format)
    _check_side(source, MS_SSIM_SHORTEST_SIDE, "MS-SSIM")
    return Nearness(Goal(ms_ssim_db(rate.ms_ssim), TOLERANCE_DB), TYPICAL_MS_SSIM, _ms_ssim_db_of, _show_ms_ssim)


def check_measure(rate: Rate) -> None:
    """UsageError if what ``rate`` asks for cannot be measured by what is installed."""
    if isinstance(rate, TargetSsimulacra2) and not has_ssimulacra2():
        raise UsageError(
            "a SSIMULACRA 2 is asked for, and the package that measures it isn't installed: "
            "install archivae[ssimulacra2], or ask for a PSNR or MS-SSIM"
        )


def _check_side(source: Source, least: int, measure: str) -> None:
    height, width = source.picture.pixels.shape[:2]
    if min(height, width) < least:
        raise TargetError(
            f"{measure} needs a short side of at least {least} pixels, found {height}x{width}: "
            "ask for a PSNR, a size or a quality"
        )


def smallness(rate: Size, source: Source) -> Smallness:
    """What ``rate`` means for a picture of this size and metadata."""
    height, width = source.picture.pixels.shape[:2]
    overhead = len(archive_file(source, Coding.LOSSLESS, payload=b"?"))
    return Smallness(rate.most_bytes(height, width), overhead, typical_log_bytes(height * width))


def _ms_ssim_db_of(original: Pixels, decoded: Pixels) -> float:
    return ms_ssim_db(ms_ssim(original, decoded))


def _show_ms_ssim(db: float) -> str:
    return f"MS-SSIM {1 - 10 ** (-db / 10):.5f}"
