"""The quality at which a picture gives what is asked of it, found in few tries.

A try costs an encode, so each is guessed well: on the scale of a typical picture's curve a picture's own is nearly a
straight line of slope 1. The first guess takes the typical curve for the picture's, the second shifts it through
what was found, later ones draw a line through two tries: false position, in its Illinois variant
(Dowell, Jarratt: A modified regula falsi method for computing the root of an equation, BIT 11, 1971).
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Generic, Protocol, TypeVar

import numpy as np

from archivae.bitstream.container import QUALITY_MAX, QUALITY_STEP

TOP = QUALITY_MAX * QUALITY_STEP
"""The highest quality, in steps of 1/256."""
MOST_TRIES = 10
ONE_SIDED = 3
"""After so many tries that all fall on one side, the end of the scale is tried: it settles what can be reached."""
STUBBORN = 6
"""From so many tries on, every other one halves what is left: a curve that is not hit by then is no straight line."""
AIM = 1 / 3
"""Where in the tolerance to aim, from the limit on: near it, yet far enough not to miss by a hair."""
SLOPES = (1 / 3, 3.0)
"""What a line through two tries on one side may rise by; steeper or flatter is noise."""


class Attempt(Protocol):
    """What a try gives: anything that has been measured."""

    @property
    def value(self) -> float:
        """Rising with quality, but for noise."""


Tried = TypeVar("Tried", bound=Attempt)


@dataclass(frozen=True)
class Curve:
    """Values over quality in steps of 1/256, both strictly rising; straight between the points given."""

    steps: tuple[int, ...]
    values: tuple[float, ...]

    def value(self, step: int) -> float:
        return float(np.interp(step, self.steps, self.values))

    def through(self, step: int, value: float) -> Curve:
        """The same curve, moved up or down so that it has ``value`` at ``step``."""
        shift = value - self.value(step)
        return Curve(self.steps, tuple(known + shift for known in self.values))

    def step(self, value: float) -> int:
        """The nearest step; an end's for values beyond it."""
        return round(float(np.interp(value, self.values, self.steps)))


@dataclass(frozen=True)
class Goal:
    """At least ``limit``, or with ``at_most`` no more; within ``tolerance`` of it is near enough."""

    limit: float
    tolerance: float
    at_most: bool = False

    @property
    def aim(self) -> float:
        inwards = -AIM if self.at_most else AIM
        return self.limit + inwards * self.tolerance

    def margin(self, value: float) -> float:
        """How far ``value`` lies on the good side of the limit; negative where it misses."""
        return self.limit - value if self.at_most else value - self.limit

    def is_met(self, value: float) -> bool:
        return self.margin(value) >= 0

    def is_hit(self, value: float) -> bool:
        """Met, and near enough."""
        return 0 <= self.margin(value) <= self.tolerance

    def badness(self, value: float) -> tuple[bool, float]:
        """Orders values: the nearest that meets the limit first, the farthest miss last."""
        return not self.is_met(value), abs(self.margin(value))


@dataclass(frozen=True)
class Found(Generic[Tried]):
    """The best of all ``tries``; if even that is not ``met``, the end of the scale was among them."""

    best: Tried
    met: bool
    tries: int


def search(attempt: Callable[[int], Tried], goal: Goal, typical: Curve, most_tries: int = MOST_TRIES) -> Found[Tried]:
    """The try that meets ``goal`` most nearly; ends at the first that hits it.

    ``attempt`` takes a quality in steps of 1/256 and gives what is measured there. ``typical`` is where to begin; it
    need not be right. With 4 ``most_tries`` or more, a goal that an end of the scale meets is met.
    """
    bracket = _Bracket(goal.aim, typical)
    tries, best = 1, _tried(attempt, bracket)
    while tries < most_tries and not goal.is_hit(best.value) and not bracket.closed:
        best = min(best, _tried(attempt, bracket), key=lambda tried: goal.badness(tried.value))
        tries += 1
    return Found(best, goal.is_met(best.value), tries)


def _tried(attempt: Callable[[int], Tried], bracket: _Bracket) -> Tried:
    step = bracket.guess()
    tried = attempt(step)
    bracket.narrow(step, tried.value)
    return tried


@dataclass(frozen=True)
class _Point:
    """A try: ``x`` is the typical value of its step, ``excess`` what it gave above the aim."""

    step: int
    x: float
    excess: float


class _Bracket:
    """Between the highest step that gave too little and the lowest that gave too much."""

    def __init__(self, aim: float, typical: Curve) -> None:
        self._aim = aim
        self._typical = typical
        self._below: _Point | None = None
        self._above: _Point | None = None
        self._newest: list[_Point] = []

    @property
    def closed(self) -> bool:
        """Whether no step is left between the ends."""
        low, high = self._open_steps()
        return low > high

    def guess(self) -> int:
        """The next step to try, never one tried before."""
        low, high = self._open_steps()
        return min(max(self._likely_step(), low), high)

    def narrow(self, step: int, value: float) -> None:
        """Take in what ``step`` gave."""
        point = _Point(step, self._typical.value(step), value - self._aim)
        again = bool(self._newest) and (self._newest[-1].excess < 0) == (point.excess < 0)
        if point.excess < 0:
            self._below, self._above = point, _halved(self._above, again)
        else:
            self._above, self._below = point, _halved(self._below, again)
        self._newest.append(point)

    def _open_steps(self) -> tuple[int, int]:
        low = 0 if self._below is None else self._below.step + 1
        high = TOP if self._above is None else self._above.step - 1
        return low, high

    def _likely_step(self) -> int:
        if not self._newest:
            return self._typical.step(self._aim)
        if self._below is not None and self._above is not None:
            return self._between(self._below, self._above)
        if len(self._newest) >= ONE_SIDED:
            return TOP if self._above is None else 0
        return self._beyond()

    def _between(self, below: _Point, above: _Point) -> int:
        share = -below.excess / (above.excess - below.excess)
        stubborn = len(self._newest) >= STUBBORN and len(self._newest) % 2 == 0
        if stubborn or not 0 < share < 1:  # an end may have given infinitely much, or just what was aimed at
            return (below.step + above.step) // 2
        return self._typical.step(below.x + share * (above.x - below.x))

    def _beyond(self) -> int:
        newest = self._newest[-1]
        return self._typical.step(newest.x - newest.excess / self._slope())

    def _slope(self) -> float:
        if len(self._newest) < 2:
            return 1.0
        a, b = self._newest[-2:]
        slope = (b.excess - a.excess) / (b.x - a.x)
        return min(max(slope, SLOPES[0]), SLOPES[1]) if math.isfinite(slope) else 1.0


def _halved(point: _Point | None, again: bool) -> _Point | None:
    """Illinois: an end that stays a second time counts for half, or it might stay for good."""
    return replace(point, excess=point.excess / 2) if point is not None and again else point
