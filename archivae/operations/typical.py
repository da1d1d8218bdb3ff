"""What each quality gives on average: where a search for a picture's own quality begins, and how large an archive gets.

Means over the 24 Kodak pictures at nine qualities, from benchmarks/results/kodak/rate_distortion.csv; SSIMULACRA 2 over
parts of four of them. Other models and pictures differ; that costs a search a try, never its result.
"""

from __future__ import annotations

import math
from bisect import bisect_right
from collections.abc import Sequence
from fractions import Fraction

from archivae.operations.rate import Quality, Rate, TargetBpp, TargetPsnr, TargetSsim, TargetSsimulacra2
from archivae.operations.search import TOP, Curve

_BITS_PER_PIXEL = (0.0813, 0.1311, 0.2155, 0.3493, 0.5499, 0.8258, 1.1778, 1.6183, 2.1889)
_PSNR = (25.72, 27.32, 29.04, 30.94, 33.04, 35.23, 37.37, 39.38, 41.25)
_MS_SSIM = (0.86400, 0.90378, 0.93507, 0.95805, 0.97387, 0.98395, 0.99003, 0.99369, 0.99599)
_SSIMULACRA2 = (-37.66, -13.35, 12.0, 34.22, 51.85, 65.52, 75.1, 81.69, 86.04)
_STEPS = tuple(range(0, TOP + 1, TOP // 8))


def ms_ssim_db(ms_ssim: float) -> float:
    """MS-SSIM on a scale that is nearly linear in quality: -10 log10(1 - x) dB; infinite for 1.

    >>> round(ms_ssim_db(0.99), 6)
    20.0
    """
    return math.inf if ms_ssim >= 1 else -10 * math.log10(1 - ms_ssim)


def typical_log_bytes(pixels: int) -> Curve:
    """The natural logarithm of a file's bytes."""
    return Curve(_STEPS, tuple(math.log(bits * pixels / 8) for bits in _BITS_PER_PIXEL))


TYPICAL_PSNR = Curve(_STEPS, _PSNR)
"""In dB."""
TYPICAL_SSIMULACRA2 = Curve(_STEPS, _SSIMULACRA2)
"""In its own points."""
TYPICAL_MS_SSIM = Curve(_STEPS, tuple(map(ms_ssim_db, _MS_SSIM)))
"""In dB, see `ms_ssim_db`."""


def typical_bits(rate: Rate) -> Fraction:
    """Bits per pixel of a typical picture at ``rate``, the very same on every machine; where a size is asked for, at most
    those of the highest quality."""
    if isinstance(rate, Quality):
        return _bits_at(rate.steps, _STEPS)
    if isinstance(rate, TargetPsnr):
        return _bits_at(rate.db, _PSNR)
    if isinstance(rate, TargetSsim):
        return _bits_at(rate.ms_ssim, _MS_SSIM)
    if isinstance(rate, TargetSsimulacra2):
        return _bits_at(rate.score, _SSIMULACRA2)
    most = Fraction(_BITS_PER_PIXEL[-1])
    return min(Fraction(rate.bits), most) if isinstance(rate, TargetBpp) else most


def _bits_at(level: float, levels: Sequence[float]) -> Fraction:
    """On the straight lines between the nine, as fractions: floats may differ in their last digit."""
    after = min(max(bisect_right(levels, level), 1), len(levels) - 1)
    low, high, bits, more = map(Fraction, (*levels[after - 1 : after + 1], *_BITS_PER_PIXEL[after - 1 : after + 1]))
    along = min(max((Fraction(level) - low) / (high - low), Fraction(0)), Fraction(1))
    return bits + along * (more - bits)
