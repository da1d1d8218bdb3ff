from __future__ import annotations

import pytest

from archivae.evaluation import BdRate, bd_rate, reference_curves

JPEG_LIKE = [(0.25, 27.0), (0.5, 30.0), (0.9, 32.5), (1.5, 35.5), (3.2, 40.5)]


def test_a_curve_against_itself_is_nothing() -> None:
    assert bd_rate(JPEG_LIKE, JPEG_LIKE) == BdRate(0.0, 27.0, 40.5)


def test_twice_the_rate_is_a_hundred_percent_more_and_half_is_fifty_less() -> None:
    twice = [(2 * rate, quality) for rate, quality in JPEG_LIKE]
    more, less = bd_rate(JPEG_LIKE, twice), bd_rate(twice, JPEG_LIKE)
    assert more is not None and more.percent == pytest.approx(100)
    assert less is not None and less.percent == pytest.approx(-50)


def test_order_and_dearer_points_of_the_same_quality_do_not_count() -> None:
    assert bd_rate(JPEG_LIKE, [*reversed(JPEG_LIKE), (4.0, 30.0)]) == BdRate(0.0, 27.0, 40.5)


@pytest.mark.parametrize("other", [[], [(1.0, 30.0)], [(4.0, 41.0), (5.0, 45.0)], [(2.9, 39.6), (5.0, 45.0)]])
def test_less_than_one_decibel_in_common_is_no_comparison(other: list[tuple[float, float]]) -> None:
    assert bd_rate(JPEG_LIKE, other) is None


@pytest.mark.parametrize(
    ("anchor", "test", "percent"),
    [
        ("vtm", "avif", 50.437033324051114),
        ("vtm", "hm", 23.3142407866745),
        ("bpg_444_x265_ycbcr", "jpeg", 120.25723453872126),
    ],
)
def test_published_curves_compare_as_they_did_when_they_were_collected(anchor: str, test: str, percent: float) -> None:
    curves = {curve.name: curve for curve in reference_curves("kodak")}
    rate = bd_rate(curves[anchor].by_psnr(), curves[test].by_psnr())
    assert rate is not None and rate.percent == pytest.approx(percent, abs=1e-9)
