from __future__ import annotations

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from archivae.bitstream.rans import MAX_RADIUS
from archivae.models.photo.architecture import TABLES
from archivae.models.photo.codec import PhotoCodec
from archivae.models.photo.export import COUNTED, _whole_frequencies, count_integers, export, fit_tables
from tests.models.small_codec import picture, small_trainable

TOTAL = 2**14
COLUMNS = 2 * COUNTED + 1


def counts_of(kind: str, seed: int = 0) -> np.ndarray:
    rng = np.random.default_rng(seed)
    if kind == "none":
        return np.zeros((TABLES, COLUMNS))
    if kind == "flat":
        return np.full((TABLES, COLUMNS), 1e9)
    if kind == "far":
        counts = np.zeros((TABLES, COLUMNS))
        counts[:, :3] = 1e12
        return counts
    return rng.integers(0, 10, (TABLES, COLUMNS)) * 10.0 ** rng.integers(0, 9, (TABLES, 1))


# `Tables` itself refuses frequencies that are not positive or do not add up.
@pytest.mark.parametrize("kind", ["none", "flat", "far", "random"])
@pytest.mark.parametrize("seed", [0, 1])
def test_tables_are_valid_whatever_was_counted(kind: str, seed: int) -> None:
    tables = fit_tables(counts_of(kind, seed))
    assert tables.cumulative.shape == (TABLES, 2 * MAX_RADIUS + 3) and tables.radius[0] == 0
    assert (np.diff(tables.radius.astype(int)) >= 0).all() and tables.radius[-1] <= MAX_RADIUS


@settings(max_examples=200, deadline=None)
@given(chances=st.lists(st.floats(0, 1), min_size=2, max_size=254).filter(lambda c: sum(c) > 1e-9))
@example(chances=[1.0] * 254)
@example(chances=[1.0] * 127 + [0.0] * 127)
@example(chances=[1.0] + [0.0] * 253)
@example(chances=[1.0, 1.0] + [5e-5] * 252)
def test_frequencies_follow_chances(chances: list[float]) -> None:
    ideal = np.array(chances) / sum(chances) * TOTAL
    found = _whole_frequencies(np.array(chances))
    assert found.sum() == TOTAL and found.min() >= 1
    assert (np.abs(found - ideal) <= len(chances) + 1).all()


def test_tables_grow_wider_and_without_counts_are_symmetric() -> None:
    tables = fit_tables(counts_of("none"))
    for t in range(1, TABLES):
        r = int(tables.radius[t])
        frequencies = np.diff(tables.cumulative[t, : 2 * r + 2].astype(int))
        rounding = 1 + 0.05 * frequencies.max()  # what is left over goes to one of the likeliest
        assert frequencies[r] >= frequencies.max() - rounding
        assert np.abs(frequencies - frequencies[::-1]).max() <= rounding


def test_counts_make_common_values_cheap() -> None:
    counts = counts_of("none")
    counts[40, COUNTED + 3] = 1e6
    plain, fitted = fit_tables(counts_of("none")), fit_tables(counts)
    r = int(fitted.radius[40])
    for symbol in (r + 3, r - 3):
        before, after = (int(np.diff(t.cumulative[40].astype(int))[symbol]) for t in (plain, fitted))
        assert after > 3 * before
    assert np.array_equal(plain.cumulative[39], fitted.cumulative[39])


def test_export_fits_the_tables_to_the_pictures() -> None:
    model = small_trainable()
    pictures = [picture(130, 70, seed) for seed in range(3)]
    weights = export(model, "fitted", pictures)
    assert weights.name == "fitted"
    assert not np.array_equal(weights.tables.cumulative, fit_tables(counts_of("none")).cumulative)
    assert export(model, "fitted", pictures).to_bytes() == weights.to_bytes()


def test_counting_sees_every_small_value(codec: PhotoCodec) -> None:
    counts = count_integers(codec, [picture(64, 64), picture(64, 64, 1)])
    total = sum(len(codec.integers(picture(64, 64, n), int(25_600 * (n * 0.618 % 1)))[0]) for n in range(2))
    assert 0.9 * total < counts.sum() <= total
    assert counts[0, COUNTED] == counts[0].sum() > 0
