from __future__ import annotations

import pytest
import torch
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from torch import Tensor

from archivae.models.photo.architecture import phase_planes
from archivae.models.photo.entropy import QUALITY_LEVELS
from archivae.models.photo.exact import EntropyNetworks, quality_level, slots
from archivae.models.photo.exact_layer import ZERO, ExactHead, ExactLayer
from archivae.models.photo.export import freeze
from archivae.models.photo.integer import (
    ACC_LIMIT,
    MAX_SHIFT,
    IntegerDepthwise,
    IntegerPointwise,
    IntegerWeights,
    check_exact,
    quantise_layer,
    signed8,
    straight_through,
    unsigned8,
)
from archivae.models.photo.trainable import TrainableCodec
from archivae.models.photo.weights import PhotoWeights
from tests.models.small_codec import SMALL, small_trainable

CPU = torch.device("cpu")
powers = st.floats(-12, 6)


@settings(max_examples=100, deadline=None)
@given(
    seed=st.integers(0, 99), inputs=st.integers(1, 700), size=powers, offset=powers, unit_out=st.sampled_from([16, 32])
)
def test_every_quantised_layer_is_exact(seed: int, inputs: int, size: float, offset: float, unit_out: int) -> None:
    generator = torch.Generator().manual_seed(seed)
    weight = torch.randn(5, inputs, generator=generator) * 2**size
    bias = torch.randn(5, generator=generator) * 2**offset
    # Above this no shift can hold a layer within the bound; `freeze` then refuses it.
    assume(255 * weight.abs().sum(1).max() * unit_out / 32 + bias.abs().max() * unit_out < 2**23)
    layer = quantise_layer(weight, bias, 32, unit_out)
    assert layer.shift.min() >= 0 and layer.shift.max() <= MAX_SHIFT
    check_exact(layer)


@settings(max_examples=50, deadline=None)
@given(seed=st.integers(0, 99), inputs=st.integers(1, 300))
def test_quantised_weights_are_near_the_real_ones(seed: int, inputs: int) -> None:
    generator = torch.Generator().manual_seed(seed)
    weight, bias = torch.randn(4, inputs, generator=generator) * inputs**-0.5, torch.randn(4, generator=generator)
    layer = quantise_layer(weight, bias, 32, 32)
    unit = torch.exp2(-layer.shift)
    assert ((layer.weight * unit[:, None] - weight).abs() <= 0.51 * unit[:, None]).all()
    assert ((layer.bias * unit - bias * 32 - 0.5).abs() <= 0.51 * unit).all()


def layer_of(weight: float = 1, bias: float = 0, shift: float = 0, inputs: int = 3) -> IntegerWeights:
    return IntegerWeights(torch.full((2, inputs), weight), torch.full((2,), bias), torch.full((2,), shift))


@pytest.mark.parametrize(
    ("layer", "problem"),
    [
        (layer_of(weight=0.5), "weight holds numbers that are not whole"),
        (layer_of(weight=float("nan")), "weight holds numbers that are not whole"),
        (layer_of(bias=0.25), "bias holds"),
        (layer_of(shift=1.5), "shift holds"),
        (layer_of(weight=128.0), "beyond 127"),
        (layer_of(weight=-128.0), "beyond 127"),
        (layer_of(shift=-1.0), "shifts lie within 0 to 20"),
        (layer_of(shift=21.0), "shifts lie within 0 to 20"),
        (layer_of(bias=float(ACC_LIMIT)), "reaches 2\\^24"),
        (layer_of(weight=-127.0, inputs=519), "reaches 2\\^24"),
    ],
)
def test_what_is_not_exact_is_refused(layer: IntegerWeights, problem: str) -> None:
    with pytest.raises(ValueError, match=problem):
        check_exact(layer)


def test_the_bound_is_tight() -> None:
    check_exact(layer_of(weight=127.0, inputs=518))
    check_exact(layer_of(weight=1.0, bias=float(ACC_LIMIT - 1 - 3 * 255)))


def test_straight_through_gives_the_rounded_number_to_the_last_bit() -> None:
    x = torch.rand(10_000, requires_grad=True)
    rounded = torch.rand(10_000)
    out = straight_through(x, rounded)
    assert torch.equal(out, rounded)
    out.sum().backward()
    assert torch.equal(x.grad, torch.ones(10_000))


@pytest.mark.parametrize("signed", [False, True])
def test_pointwise_layers_as_trained_are_as_shipped(signed: bool) -> None:
    torch.manual_seed(3)
    stored = torch.randint(0, 256, (2, 12, 6, 10), dtype=torch.uint8)
    layer = IntegerPointwise(12, 20, gain=2.0)
    layer.bias.data.normal_()
    shipped = ExactLayer(layer.freeze(), CPU, None if signed else 0)(stored)
    assert torch.equal(unsigned8(layer(stored.float() - (ZERO if signed else 0))), shipped.float())


def test_heads_and_filters_as_trained_are_as_shipped() -> None:
    torch.manual_seed(3)
    x = torch.randint(0, 256, (2, 12, 6, 10), dtype=torch.uint8)
    head, filters = IntegerPointwise(12, 20, gain=2.0), IntegerDepthwise(12)
    for module in (head, filters):
        module.bias.data.normal_()
    assert torch.equal(head(x.float()).floor().flatten(2), ExactHead(head.freeze(), CPU)(x).float())
    shipped = ExactLayer(filters.freeze(), CPU, signed_out=True)(x)
    assert torch.equal(signed8(filters(x.float())), shipped.float() - ZERO)


@pytest.fixture(scope="module")
def trainable() -> TrainableCodec:
    return small_trainable()


@pytest.fixture(scope="module")
def networks(trainable: TrainableCodec, weights: PhotoWeights) -> EntropyNetworks:
    frozen = freeze(trainable, "small", weights.tables)
    return EntropyNetworks(frozen.arch, frozen.layers, frozen.index_offset, frozen.hyper_index, CPU)


def hyper_latents() -> Tensor:
    """Restored, in steps of 1/16."""
    return torch.randint(-640, 640, (2, SMALL.hyper, 2, 3), dtype=torch.int32)


@pytest.mark.parametrize("quality", [0, 12_345, 25_600])
def test_hyper_decoder_as_trained_is_as_shipped(
    trainable: TrainableCodec, networks: EntropyNetworks, quality: int
) -> None:
    torch.manual_seed(4)
    z = hyper_latents()
    level = quality_level(quality)
    assert level == round(quality / 25_600 * QUALITY_LEVELS)
    plane = torch.full((2, 1, 2, 3), float(level))
    assert torch.equal(trainable.hyper_decoder(z.float() / 16, plane), networks.features(z, quality).float())


@pytest.mark.parametrize("step", [1, 2, 3])
def test_context_as_trained_is_as_shipped(trainable: TrainableCodec, networks: EntropyNetworks, step: int) -> None:
    torch.manual_seed(step)
    field = networks.latent_field(hyper_latents(), 9_000)
    residual = torch.randint(-50, 50, field.shape, dtype=torch.int32)
    network = trainable.contexts[step - 1]
    body = network.body(residual.float(), field.conditions.float(), phase_planes(8, 12).expand(2, -1, -1, -1))
    shown = field.shown(residual, residual * 16 + 3)
    assert torch.equal(body, networks.context(field, step, shown).float())


@pytest.mark.parametrize("step", [1, 2, 3])
def test_hyper_context_as_trained_is_as_shipped(
    trainable: TrainableCodec, networks: EntropyNetworks, step: int
) -> None:
    torch.manual_seed(step)
    field = networks.hyper_field(2, 2, 3, 9_000)
    restored = hyper_latents()
    network = trainable.hyper_contexts[step - 1]
    body = network.body(restored / 16, field.conditions.float(), phase_planes(2, 3).expand(2, -1, -1, -1))
    shown = field.shown(restored // 16, restored)
    assert torch.equal(body, networks.context(field, step, shown).float())


def test_parameters_as_trained_are_as_shipped(trainable: TrainableCodec, networks: EntropyNetworks) -> None:
    torch.manual_seed(5)
    field = networks.latent_field(hyper_latents(), 9_000)
    context = torch.randint(0, 256, (2, SMALL.context, 8, 12), dtype=torch.uint8)
    both = trainable.parameter_head(field.conditions.float()).floor()
    both = both + trainable.contexts[1].head(context.float()).floor()
    mean, _ = networks.parameters(field, 2, context)
    expected = torch.cat([slot.flatten(1) for slot in slots(both[:, : SMALL.latents], 2)], 1)
    assert torch.equal(mean, expected.to(torch.int32))
