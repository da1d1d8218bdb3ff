"""Rounding with prices: against a search by hand over the same two candidates."""

from __future__ import annotations

import numpy as np
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from archivae.bitstream.rans import PRECISION, Tables
from archivae.models.photo.architecture import TABLES
from archivae.models.photo.export import COUNTED, fit_tables
from archivae.models.photo.quantiser import ERROR_PRICE, Quantiser

FITTED = fit_tables(np.zeros((TABLES, 2 * COUNTED + 1)))
QUANTISER = Quantiser(FITTED, torch.device("cpu"))


def bits(tables: Tables, t: int, value: int) -> float:
    row = tables.cumulative[t].astype(int)
    symbol = value + int(tables.radius[t])
    return float(PRECISION - np.log2(row[symbol + 1] - row[symbol]))


def cost(t: int, residual: float, value: int) -> float:
    return ERROR_PRICE * (residual - value) ** 2 + bits(FITTED, t, value)


@settings(deadline=None)
@given(t=st.integers(1, TABLES - 1), residual=st.floats(-60, 60, width=32))
def test_it_takes_the_cheaper_of_the_nearest_and_one_nearer_to_zero(t: int, residual: float) -> None:
    value = int(QUANTISER(torch.tensor([residual]), torch.tensor([t], dtype=torch.uint8)))
    nearest = int(torch.round(torch.tensor(residual)))
    lower = nearest - int(np.sign(nearest))
    assert value in (nearest, lower)
    if abs(nearest) <= FITTED.radius[t] and lower != nearest:
        other = lower if value == nearest else nearest
        assert cost(t, residual, value) <= cost(t, residual, other) + 1e-3


def test_narrow_tables_make_small_residuals_nothing_and_wide_ones_keep_them() -> None:
    residual = torch.tensor([0.55, -0.55, 0.55, 1.4])
    index = torch.tensor([5, 5, 40, 40], dtype=torch.uint8)
    assert QUANTISER(residual, index).tolist() == [0, 0, 1, 1]


def test_table_0_holds_nothing_and_escapes_stay_as_they_are() -> None:
    residual = torch.tensor([9.0, -0.9, 1000.4, -1e9])
    index = torch.tensor([0, 0, 3, 3], dtype=torch.uint8)
    assert QUANTISER(residual, index).tolist() == [0, 0, 1000, -32767]
