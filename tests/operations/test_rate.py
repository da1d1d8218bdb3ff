from __future__ import annotations

import math

import pytest

from archivae.errors import UsageError
from archivae.operations.rate import (
    RATE_WORDS,
    Lossless,
    MaxBytes,
    Quality,
    Rate,
    TargetBpp,
    TargetPsnr,
    TargetSsim,
    TargetSsimulacra2,
    pick_rate,
)

RATES: list[Rate] = [
    Quality(33.5), TargetPsnr(38), TargetSsim(0.98), TargetSsimulacra2(75.5), TargetBpp(0.5), MaxBytes(20_000), Lossless(),
]  # fmt: skip


@pytest.mark.parametrize("rate", RATES)
def test_what_was_asked_asks_for_the_same_again(rate: Rate) -> None:
    assert pick_rate(**rate.asked()) == rate


def test_every_rate_has_its_word() -> None:
    assert [word for rate in RATES for word in rate.asked()] == list(RATE_WORDS)


def test_quality_60_is_what_nothing_asks_for() -> None:
    assert pick_rate() == pick_rate(**dict.fromkeys(RATE_WORDS)) == pick_rate(lossless=False) == Quality(60)


def test_quality_0_is_asked_for_not_left_out() -> None:
    assert pick_rate(quality=0.0) == Quality(0)


@pytest.mark.parametrize("one", RATES)
@pytest.mark.parametrize("other", RATES)
def test_two_at_once_are_refused(one: Rate, other: Rate) -> None:
    asked = {**one.asked(), **other.asked()}
    if one is other:
        return
    with pytest.raises(UsageError, match=rf"{' and '.join(asked)} at once: choose one"):
        pick_rate(**asked)


@pytest.mark.parametrize(
    "asked",
    [
        *({"quality": value} for value in (-1, 100.1, math.nan)),
        *({"target_psnr": value} for value in (-1, 0, math.inf, math.nan)),
        *({"target_ssim": value} for value in (-0.1, 0, 1, 1.2, math.nan)),
        *({"target_ssimulacra2": value} for value in (-5, 0, 100, 101, math.nan)),
        *({"target_bpp": value} for value in (-1, 0, math.inf, math.nan)),
        *({"max_bytes": value} for value in (-1, 0)),
    ],
)
def test_what_no_file_can_have_is_refused(asked: dict[str, float]) -> None:
    (value,) = asked.values()
    with pytest.raises(UsageError, match=rf"found {value}"):
        pick_rate(**asked)


def test_bits_per_pixel_count_whole_bytes() -> None:
    assert TargetBpp(0.5).most_bytes(10, 15) == 9  # 75 bits
    assert MaxBytes(77).most_bytes(10, 15) == 77
