from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from archivae.models.photo.export import export, freeze
from archivae.models.photo.integer import IntegerWeights, quantise_layer
from archivae.models.photo.thaw import thaw, thaw_layer
from archivae.models.photo.trainable import TrainableCodec
from archivae.models.photo.weights import PhotoWeights, parse_weights
from tests.training.tiny import PLAN, smooth_picture


@pytest.fixture(scope="module")
def shipped() -> PhotoWeights:
    torch.manual_seed(0)
    weights = export(TrainableCodec(PLAN.architecture), "tiny", [smooth_picture(n) for n in range(2)])
    return parse_weights(weights.to_bytes())


def test_freezing_what_was_thawed_gives_the_same_model(shipped: PhotoWeights) -> None:
    model = TrainableCodec(shipped.arch)
    model.load_state_dict(thaw(shipped))
    again = freeze(model, shipped.name, shipped.tables)
    assert again.model_id() == shipped.model_id()
    assert again.to_bytes() == shipped.to_bytes()


def test_a_thawed_model_can_be_changed(shipped: PhotoWeights) -> None:
    model = TrainableCodec(shipped.arch)
    model.load_state_dict(thaw(shipped))
    model.parameter_head.weight.data *= 1.5
    assert freeze(model, shipped.name, shipped.tables).model_id() != shipped.model_id()


@settings(deadline=None, max_examples=60)
@given(
    seed=st.integers(0, 2**32 - 1),
    inputs=st.sampled_from([1, 9, 40, 900]),
    spread=st.floats(-24, 9),
    bias=st.floats(-16, 8),
    unit_out=st.sampled_from([16, 32]),
)
def test_every_quantised_layer_comes_back(seed: int, inputs: int, spread: float, bias: float, unit_out: int) -> None:
    rng = torch.Generator().manual_seed(seed)
    weight = torch.randn(8, inputs, generator=rng) * torch.rand(8, 1, generator=rng) * 2**spread
    layer = quantise_layer(weight, torch.randn(8, generator=rng) * 2**bias, 32, unit_out)
    assert_same_function(quantise_layer(*thaw_layer(layer, 32, unit_out), 32, unit_out), layer)


def test_a_sum_that_rounding_lifted_past_the_limit_comes_back_whole() -> None:
    """900 weights that all round up, right at the bound: their integers add up to more than the real ones did."""
    limit = (2**24 - 2**17) / 255
    whole = torch.full((1, 900), 72.0)
    whole[0, : int(limit) + 100 - 72 * 900] += 1
    layer = IntegerWeights(whole, torch.zeros(1), torch.full((1,), 5.0))
    assert limit < whole.sum() < 2**24 / 255
    again = quantise_layer(*thaw_layer(layer, 32, 32), 32, 32)
    assert_layers_equal(again, layer)


@pytest.mark.parametrize("shift", [0, 3, 20])
def test_a_smaller_shift_than_needed_becomes_a_larger_one_of_the_same_function(shift: int) -> None:
    layer = IntegerWeights(torch.tensor([[3.0, -5.0]]), torch.tensor([7.0]), torch.tensor([float(shift)]))
    again = quantise_layer(*thaw_layer(layer, 32, 16), 32, 16)
    assert again.shift.item() == min(20, shift + 4)
    assert_same_function(again, layer)


def assert_same_function(found: IntegerWeights, expected: IntegerWeights) -> None:
    more = found.shift - expected.shift
    assert (more >= 0).all()
    factor = torch.exp2(more)
    assert_layers_equal(found, IntegerWeights(expected.weight * factor[:, None], expected.bias * factor, found.shift))


def assert_layers_equal(found: Sequence[torch.Tensor], expected: Sequence[torch.Tensor]) -> None:
    for one, other in zip(found, expected, strict=True):
        np.testing.assert_array_equal(one.numpy(), other.numpy())
