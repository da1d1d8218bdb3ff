from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any, TypeVar

import numpy as np
import pytest
import torch
from torch import Tensor

from archivae.models.photo import exact, exact_layer, numpy_reference
from archivae.models.photo.architecture import PASS_ORDER, PASSES, pass_masks
from archivae.models.photo.exact import EntropyNetworks
from archivae.models.photo.integer import ACC_LIMIT
from archivae.models.photo.numpy_reference import NumpyEntropyNetworks
from archivae.models.photo.weights import PhotoWeights
from tests.models.small_codec import SMALL, small_weights

CPU = torch.device("cpu")
pytestmark = pytest.mark.usefixtures("products")
QUALITIES = (0, 1, 9_999, 17_000, 25_600)


@pytest.fixture(params=["bytes", "floats"])
def products(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Matrix products of bytes where this CPU has them, and of float32, as on a GPU or another CPU."""
    if request.param == "floats":
        monkeypatch.setattr(exact_layer, "has_exact_byte_products", lambda: False)


def torch_networks(weights: PhotoWeights, device: torch.device = CPU) -> EntropyNetworks:
    return EntropyNetworks(weights.arch, weights.layers, weights.index_offset, weights.hyper_index, device)


def numpy_networks(weights: PhotoWeights) -> NumpyEntropyNetworks:
    return NumpyEntropyNetworks(weights.arch, weights.layers, weights.index_offset, weights.hyper_index)


def inputs(batch: int, height: int, width: int, seed: int = 0) -> tuple[Tensor, Tensor]:
    """Restored z in steps of 1/16, and residuals, both mostly small, some as large as they may be."""
    generator = torch.Generator().manual_seed(seed)
    z = torch.randint(-640, 640, (batch, SMALL.hyper, height, width), generator=generator, dtype=torch.int32)
    k = torch.randint(-40, 40, (batch, SMALL.latents, 4 * height, 4 * width), generator=generator, dtype=torch.int32)
    k[..., 0, 0], k[..., -1, -1] = 32767, -32767
    return z, k


Array = TypeVar("Array", Tensor, np.ndarray)


def outputs(networks: Any, z: Array, k: Array, quality: int) -> list[Array]:
    """Features, then of both fields and every pass what is shown, its context, means and table numbers."""
    fields = networks.hyper_field(len(z), *z.shape[2:], quality), networks.latent_field(z, quality)
    out = [networks.features(z, quality)]
    for field, residual in zip(fields, (z // 16, k), strict=True):
        shown = field.shown(residual, residual * 16 + residual % 16)
        out.append(shown)
        for step in range(PASSES):
            context = networks.context(field, step, shown) if step else None
            out += [] if context is None else [context]
            out += networks.parameters(field, step, context)
    return out


def torch_outputs(networks: EntropyNetworks, z: Tensor, k: Tensor, quality: int) -> list[Tensor]:
    return [x.cpu() for x in outputs(networks, z, k, quality)]


def numpy_outputs(networks: NumpyEntropyNetworks, z: Tensor, k: Tensor, quality: int) -> list[np.ndarray]:
    return outputs(networks, z.numpy().astype(np.int64), k.numpy().astype(np.int64), quality)


def assert_same(found: list[Tensor], expected: list[np.ndarray] | list[Tensor]) -> None:
    for a, b in zip(found, expected, strict=True):
        assert np.array_equal(a.numpy().astype(np.int64), np.asarray(b))


@pytest.mark.parametrize("quality", QUALITIES)
@pytest.mark.parametrize(("batch", "height", "width"), [(1, 1, 1), (1, 1, 5), (2, 3, 2)])
def test_torch_is_the_numpy_definition(
    weights: PhotoWeights, batch: int, height: int, width: int, quality: int
) -> None:
    z, known = inputs(batch, height, width, seed=quality)
    found = torch_outputs(torch_networks(weights), z, known, quality)
    assert_same(found, numpy_outputs(numpy_networks(weights), z, known, quality))


@pytest.mark.parametrize("seed", [2, 3])
def test_other_weights_too(seed: int) -> None:
    weights = small_weights(seed)
    z, known = inputs(1, 2, 3, seed)
    assert_same(
        torch_outputs(torch_networks(weights), z, known, 20_000),
        numpy_outputs(numpy_networks(weights), z, known, 20_000),
    )


def widest_weights(weights: PhotoWeights) -> PhotoWeights:
    """Every layer as near the bound of 2^24 as may be, with no shift to hide the low bits."""
    layers = {}
    for name, layer in weights.layers.items():
        room = (ACC_LIMIT - 1 - 255 * layer.weight.double().flatten(1).abs().sum(1)).float()
        layers[name] = layer._replace(bias=room * layer.bias.sign(), shift=torch.zeros_like(layer.shift))
    return replace(weights, layers=layers)


def test_at_the_bound_nothing_is_lost(weights: PhotoWeights) -> None:
    extreme = widest_weights(weights)
    z, known = inputs(1, 2, 2)
    assert_same(
        torch_outputs(torch_networks(extreme), z, known, 5_000), numpy_outputs(numpy_networks(extreme), z, known, 5_000)
    )


def parameters_of(networks: Any, z: Array, features: Array, context: Array) -> tuple[Array, Array]:
    """Means and table numbers of the second pass, whatever the hyper decoder would have made of ``z``."""
    networks.features = lambda *_: features
    parameters: tuple[Array, Array] = networks.parameters(networks.latent_field(z, 5_000), 1, context)
    return parameters


def test_means_at_the_bound_add_up_exactly(weights: PhotoWeights) -> None:
    """Each of the two sums is below 2^24, what float32 holds, but not the sum of both."""
    extreme = widest_weights(weights)
    generator = torch.Generator().manual_seed(1)
    features = torch.randint(0, 256, (1, SMALL.features, 4, 4), generator=generator, dtype=torch.int32)
    context = torch.randint(0, 256, (1, SMALL.context, 4, 4), generator=generator, dtype=torch.int32)
    z = torch.zeros(1, SMALL.hyper, 1, 1, dtype=torch.int32)
    found = parameters_of(torch_networks(extreme), z, features.to(torch.uint8), context.to(torch.uint8))
    whole = (x.long().numpy() for x in (z, features, context))
    expected = parameters_of(numpy_networks(extreme), *whole)
    assert np.abs(expected[0]).max() > ACC_LIMIT
    assert_same(list(found), list(expected))


def with_two_threads(outputs: Callable[[], list[Tensor]]) -> list[Tensor]:
    torch.set_num_threads(2)
    return outputs()


def without_onednn(outputs: Callable[[], list[Tensor]]) -> list[Tensor]:
    with torch.backends.mkldnn.flags(enabled=False):
        return outputs()


def under_autocast(outputs: Callable[[], list[Tensor]]) -> list[Tensor]:
    with torch.autocast("cpu", torch.bfloat16):
        return outputs()


def with_fast_matmuls(outputs: Callable[[], list[Tensor]]) -> list[Tensor]:
    """What a careless neighbour in the same process may have set: products in bfloat16."""
    before = torch.get_float32_matmul_precision()
    torch.set_float32_matmul_precision("medium")
    try:
        return outputs()
    finally:
        torch.set_float32_matmul_precision(before)


@pytest.mark.parametrize("setting", [with_two_threads, without_onednn, under_autocast, with_fast_matmuls])
def test_no_setting_changes_an_integer(
    weights: PhotoWeights, setting: Callable[[Callable[[], list[Tensor]]], list[Tensor]]
) -> None:
    networks = torch_networks(weights)
    z, known = inputs(2, 3, 5)
    plain = torch_outputs(networks, z, known, 17_000)
    assert_same(setting(lambda: torch_outputs(networks, z, known, 17_000)), plain)


def test_a_batch_of_8_is_8_batches_of_1(weights: PhotoWeights) -> None:
    networks = torch_networks(weights)
    z, known = inputs(8, 2, 3)
    together = torch_outputs(networks, z, known, 9_000)
    alone = [torch_outputs(networks, z[n : n + 1], known[n : n + 1], 9_000) for n in range(8)]
    assert_same(together, [torch.cat(parts) for parts in zip(*alone, strict=True)])


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs CUDA")
@pytest.mark.parametrize("quality", QUALITIES)
def test_cuda_is_the_numpy_definition(weights: PhotoWeights, quality: int) -> None:
    z, known = inputs(8, 3, 5, seed=quality)
    cuda = torch.device("cuda")
    found = torch_outputs(torch_networks(weights, cuda), z.to(cuda), known.to(cuda), quality)
    assert_same(found, numpy_outputs(numpy_networks(weights), z, known, quality))


def test_every_latent_is_decoded_by_one_pass_as_the_masks_say() -> None:
    masks = pass_masks(SMALL.latents, 4, 6)
    assert torch.equal(masks.sum(0), torch.ones(SMALL.latents, 4, 6, dtype=torch.long))
    for step in range(PASSES):
        for phase in range(4):
            inside = exact.phase_of(masks[step][None], phase)[0]
            assert inside[phase ^ PASS_ORDER[step] :: 4].all()
            assert inside.sum() == inside[0::4].numel()


def test_quality_is_read_alike() -> None:
    rows = torch.randint(-1000, 1000, (10, 7), generator=torch.Generator().manual_seed(1), dtype=torch.int32)
    rows[0, 0], rows[1, 0] = ACC_LIMIT - 1, 1 - ACC_LIMIT
    for quality in range(0, 25_601, 37):
        assert exact.quality_level(quality) == numpy_reference.quality_level(quality)
        expected = numpy_reference.interpolate_rows(rows.numpy().astype(np.int64), quality)
        assert np.array_equal(exact.interpolate_rows(rows, quality).numpy(), expected)


def test_offsets_that_could_overflow_are_refused(weights: PhotoWeights) -> None:
    for worst in (2**31 - 1, -(2**31)):
        broken = replace(weights, index_offset=torch.full_like(weights.index_offset, worst))
        with pytest.raises(ValueError, match="index_offset holds numbers of 2\\^24 or more"):
            torch_networks(broken)
