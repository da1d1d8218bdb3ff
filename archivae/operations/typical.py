"""What each quality gives on average: where a search for a picture's own quality begins.

Means over the 24 Kodak pictures at nine qualities, from benchmarks/results/kodak/rate_distortion.csv. Other models
and pictures differ; that costs a search a try, never its result.
"""

from __future__ import annotations

import math

from archivae.operations.search import TOP, Curve

_BITS_PER_PIXEL = (0.0970, 0.1523, 0.2433, 0.3839, 0.5870, 0.8598, 1.2104, 1.6594, 2.2500)
_PSNR = (25.51, 27.15, 28.91, 30.81, 32.87, 35.00, 37.11, 39.13, 40.97)
_MS_SSIM = (0.85910, 0.90334, 0.93536, 0.95794, 0.97353, 0.98349, 0.98959, 0.99339, 0.99570)
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
TYPICAL_MS_SSIM = Curve(_STEPS, tuple(map(ms_ssim_db, _MS_SSIM)))
"""In dB, see `ms_ssim_db`."""
