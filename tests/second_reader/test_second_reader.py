"""Odd files of every kind, read by us and by somebody else: what differs is refused or noted, never silent.

``python -m tests.second_reader.test_second_reader`` writes the figures of the whole corpus.
"""

from __future__ import annotations

import json
import sys
from collections import Counter
from collections.abc import Iterator
from itertools import chain
from pathlib import Path

import pytest

from tests.second_reader.bitmaps import bitmaps
from tests.second_reader.case import OUTCOMES, Case, judge
from tests.second_reader.coded import coded
from tests.second_reader.libtiffs import libtiffs
from tests.second_reader.shipped import shipped
from tests.second_reader.tiffs import tiffs
from tests.second_reader.tools import missing

FIGURES = Path(__file__).resolve().parents[2] / "benchmarks" / "results" / "second_reader.json"
_PARTS = {
    "TIFF": tiffs,
    "TIFF of libtiff's own": libtiffs,
    "BMP, PNM, PNG": bitmaps,
    "coded": coded,
    "shipped": shipped,
}
_EVERY = 7
"""The sample that is always read: every n-th case, of which the parts' order makes one of each kind."""

pytestmark = pytest.mark.skipif(bool(missing()), reason=f"not installed: {', '.join(missing())} (see .ci/run)")


def corpus() -> Iterator[Case]:
    return chain.from_iterable(part() for part in _PARTS.values())


def test_a_sample_is_read_right_refused_or_noted() -> None:
    wrong = [
        f"{case.name}: {why}" for case in list(corpus())[::_EVERY] for kind, why in [judge(case)] if kind == "wrong"
    ]
    assert wrong == []


@pytest.mark.heavy
def test_all_are_read_right_refused_or_noted_as_the_figures_say() -> None:
    found = figures()
    assert found["wrong"] == []
    assert json.loads(FIGURES.read_text(encoding="utf-8")) == found


def figures() -> dict[str, object]:
    """By part: how many files, and how many of each outcome; and the wrong ones by name."""
    parts, wrong = {}, []
    for name, part in _PARTS.items():
        outcomes: Counter[str] = Counter()
        for case in part():
            outcome, why = judge(case)
            outcomes[outcome] += 1
            wrong += [f"{case.name}: {why}"] if outcome == "wrong" else []
        parts[name] = {"files": outcomes.total(), **{outcome: outcomes[outcome] for outcome in OUTCOMES}}
    total = {key: sum(part[key] for part in parts.values()) for key in ("files", *OUTCOMES)}
    return {"total": total, "parts": parts, "wrong": wrong}


if __name__ == "__main__":
    if missing():
        sys.exit(f"not installed: {', '.join(missing())}")
    found = figures()
    FIGURES.write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")
    print(json.dumps(found["total"]), *found["wrong"], sep="\n")  # type: ignore[misc]
