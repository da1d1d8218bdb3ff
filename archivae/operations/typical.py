"""What each quality gives on average: where a search for a picture's own quality begins.

Means over the 24 Kodak pictures at nine qualities, from benchmarks/results/kodak/rate_distortion.csv. Other models
and pictures differ; that costs a search a try, never its result.
"""

from __future__ import annotations

import math

from archivae.operations.search import TOP, Curve

_BITS_PER_PIXEL = (0.0813, 0.1311, 0.2155, 0.3493, 0.5499, 0.8258, 1.1778, 1.6183, 2.1889)
_PSNR = (25.72, 27.32, 29.04, 30.94, 33.04, 35.23, 37.37, 39.38, 41.25)
_MS_SSIM = (0.86400, 0.90378, 0.93507, 0.95805, 0.97387, 0.98395, 0.99003, 0.99369, 0.99599)
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
