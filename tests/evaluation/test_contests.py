"""A rival's variants together: by each measure the best of them."""

from __future__ import annotations

import math

import pytest

from archivae.evaluation import Curve, bd_rate, compare, contests
from archivae.evaluation.curves import RatePoint


def curve(name: str, psnr: float, ms_ssim_db: float, seconds: float, ours: bool = False) -> Curve:
    """So much better than nothing at four rates."""
    points = tuple(
        RatePoint(
            rate, psnr + 6 * n, 1 - 10 ** (-(ms_ssim_db + 3 * n) / 10), 50 + psnr + 5 * n, seconds * rate, seconds / 9
        )
        for n, rate in enumerate((0.25, 0.5, 1.0, 2.0))
    )
    return Curve(name, name, points, True, ours)


def test_each_measure_is_compared_with_the_variant_that_does_best_by_it() -> None:
    ours = curve("photo", 30, 12, 1, ours=True)
    looks, numbers, other = curve("avif", 28, 13, 0.4), curve("avif-psnr", 31, 11, 0.6), curve("jpeg", 20, 5, 0.1)
    slow = curve("avif-psnr-4", 32, 11.5, 3)
    found = {c.rival: c for c in contests(compare([ours], [looks, numbers, other, slow]))}
    assert list(found) == ["AVIF speed 6", "jpeg", "AVIF speed 4"]
    avif = found["AVIF speed 6"]
    assert avif.by_psnr == bd_rate(numbers.by_psnr(), ours.by_psnr()) and avif.by_psnr.percent > 0  # type: ignore[union-attr]
    assert avif.by_ms_ssim == bd_rate(looks.by_ms_ssim(), ours.by_ms_ssim())
    assert avif.by_ssimulacra2 == bd_rate(numbers.by_ssimulacra2(), ours.by_ssimulacra2())
    assert avif.seconds == pytest.approx((0.3, 0.6 / 9))  # at half a bit per pixel, of the slowest variant
    assert found["AVIF speed 4"].anchors == (slow,)


def test_what_was_not_measured_is_not_compared() -> None:
    ours, published = curve("photo", 30, 12, 1, ours=True), curve("vtm", 33, 13, 1)
    bare = tuple(RatePoint(p.bpp, p.psnr, math.nan) for p in published.points)
    (contest,) = contests(compare([ours], [Curve("vtm", "VTM", bare, False)]))
    assert contest.by_psnr is not None and contest.by_ms_ssim is contest.by_ssimulacra2 is None
    assert all(map(math.isnan, contest.seconds))
