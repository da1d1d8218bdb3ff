from __future__ import annotations

import itertools
import math
import random
from collections.abc import Callable
from typing import NamedTuple

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from archivae.operations.search import MOST_TRIES, TOP, Curve, Found, Goal, search
from archivae.operations.typical import TYPICAL_MS_SSIM, TYPICAL_PSNR, typical_log_bytes

KNOTS = TYPICAL_PSNR.steps


class Tried(NamedTuple):
    step: int
    value: float


class Recorder:
    """Tries a curve and remembers what it was asked."""

    def __init__(self, value: Callable[[int], float]) -> None:
        self._value = value
        self.tried: list[Tried] = []

    def __call__(self, step: int) -> Tried:
        assert 0 <= step <= TOP
        self.tried.append(Tried(step, self._value(step)))
        return self.tried[-1]


def noisy(curve: Curve, amplitude: float, seed: int) -> Callable[[int], float]:
    """The same at each call: noise that hangs on the step."""
    return lambda step: curve.value(step) + amplitude * (2 * random.Random(f"{seed} {step}").random() - 1)


def run(value: Callable[[int], float], goal: Goal, most_tries: int = MOST_TRIES) -> tuple[Found[Tried], list[Tried]]:
    recorder = Recorder(value)
    return search(recorder, goal, TYPICAL_PSNR, most_tries), recorder.tried


rises = st.lists(st.floats(1e-3, 20), min_size=len(KNOTS), max_size=len(KNOTS))
curves = st.builds(lambda start, by: Curve(KNOTS, tuple(start + np.cumsum(by))), st.floats(-20, 60), rises)
"""Anything that rises."""

slopes = st.lists(st.floats(0.6, 1.7), min_size=len(KNOTS) - 1, max_size=len(KNOTS) - 1)


def _photo_curve(start: float, slopes: list[float]) -> Curve:
    return Curve(KNOTS, tuple(start + np.cumsum([0, *np.diff(TYPICAL_PSNR.values) * slopes])))


photo_curves = st.builds(_photo_curve, st.floats(18, 35), slopes)
"""Much like the typical one, as those of photographs are."""

goals = st.builds(Goal, st.floats(-30, 150), st.floats(0, 2), st.booleans())


@given(curves, st.floats(0, 3), st.integers(0, 99), goals, st.integers(4, 12))
def test_whatever_the_curve_the_best_try_is_found_and_the_ends_settle_what_is_reachable(
    curve: Curve, noise: float, seed: int, goal: Goal, most_tries: int
) -> None:
    value = noisy(curve, noise, seed)
    found, tried = run(value, goal, most_tries)
    assert 1 <= found.tries == len(tried) <= most_tries
    assert len({step for step, _ in tried}) == len(tried)
    margins = [goal.margin(value) for _, value in tried]
    reached = [margin for margin in margins if margin >= 0]
    assert found.met == bool(reached)
    assert goal.margin(found.best.value) == (min(reached) if reached else max(margins))
    if not found.met:
        assert (0 if goal.at_most else TOP) in {step for step, _ in tried}
    if goal.is_met(value(0 if goal.at_most else TOP)):
        assert found.met


@given(photo_curves, st.floats(0, 0.01), st.integers(0, 99), st.floats(0.02, 0.98), st.booleans())
def test_photographs_are_hit_in_few_tries(curve: Curve, noise: float, seed: int, share: float, at_most: bool) -> None:
    low, high = curve.values[0], curve.values[-1]
    goal = Goal(low + share * (high - low), 0.1, at_most)
    found, _ = run(noisy(curve, noise, seed), goal)
    assert goal.is_hit(found.best.value)
    assert found.tries <= 8


def test_about_four_tries_on_average() -> None:
    generator = np.random.default_rng(1)
    tries = []
    for seed in range(300):
        curve = _photo_curve(generator.uniform(18, 35), list(generator.uniform(0.7, 1.4, len(KNOTS) - 1)))
        limit = generator.uniform(curve.values[0], curve.values[-1])
        tries.append(run(noisy(curve, 0.01, seed), Goal(limit, 0.1))[0].tries)
    assert np.mean(tries) < 4


def test_a_picture_that_is_typical_takes_one_try() -> None:
    for at_most in (False, True):
        assert run(TYPICAL_PSNR.value, Goal(33, 0.1, at_most))[0].tries == 1


@pytest.mark.parametrize(
    ("goal", "end", "met"),
    [
        (Goal(90, 0.1), TOP, False),
        (Goal(10, 0.1), 0, True),
        (Goal(90, 0.1, at_most=True), TOP, True),
        (Goal(10, 0.1, at_most=True), 0, False),
    ],
)
def test_beyond_the_scale_its_end_is_all_that_is_tried(goal: Goal, end: int, met: bool) -> None:
    found, tried = run(TYPICAL_PSNR.value, goal)
    assert [step for step, _ in tried] == [end]
    assert (found.met, found.best.step) == (met, end)


@given(st.integers(0, TOP - 1), st.booleans())
def test_at_a_cliff_the_better_side_is_kept(cliff: int, at_most: bool) -> None:
    """Nothing between 20 and 40 is to be had: the goal of 30 is met as well as can be."""
    found, _ = run(lambda step: 40.0 if step > cliff else 20.0, Goal(30, 0.1, at_most))
    assert found.met and found.best.value == (20 if at_most else 40)


def test_values_without_end_do_not_break_the_line() -> None:
    """A picture that decodes to itself has an infinite PSNR."""
    found, tried = run(lambda step: math.inf if step > 9000 else TYPICAL_PSNR.value(step), Goal(35, 0.1))
    assert found.met and found.best.value == math.inf and len(tried) <= MOST_TRIES
    assert not run(lambda _: -math.inf, Goal(35, 0.1))[0].met


def test_a_goal_is_hit_from_its_limit_to_its_tolerance() -> None:
    least, most = Goal(30, 0.5), Goal(30, 0.5, at_most=True)
    assert [least.is_hit(value) for value in (29.99, 30, 30.5, 30.51)] == [False, True, True, False]
    assert [most.is_hit(value) for value in (29.49, 29.5, 30, 30.01)] == [False, True, True, False]
    assert least.is_hit(least.aim) and most.is_hit(most.aim)


@pytest.mark.parametrize("curve", [TYPICAL_PSNR, TYPICAL_MS_SSIM, typical_log_bytes(768 * 512)])
def test_typical_curves_rise_and_give_their_steps_back(curve: Curve) -> None:
    assert (curve.steps[0], curve.steps[-1]) == (0, TOP)
    values = [curve.value(step) for step in range(0, TOP + 1, 100)]
    assert all(a < b for a, b in itertools.pairwise(values))
    assert [curve.step(value) for value in values] == list(range(0, TOP + 1, 100))
