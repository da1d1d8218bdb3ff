"""Encoding harder: the derivative against autograd, prices against what is coded, and never worse than without."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest
import torch

from archivae.errors import UsageError
from archivae.models.photo.adjoint import Adjoint, traced
from archivae.models.photo.architecture import ANCHORS, LAMBDAS, anchor_mix
from archivae.models.photo.codec import PhotoCodec, cells
from archivae.models.photo.coder import choose_integers, code_tiles
from archivae.models.photo.distortion import Renderer, TileError, window_of
from archivae.models.photo.exact import QUALITY_SCALE
from archivae.models.photo.quantiser import BIT_UNIT, WIDEST_COUNTED, BitCount
from archivae.models.photo.refine import MOST_EFFORT, error_worth, seed_of
from archivae.models.photo.transforms import Synthesis
from archivae.models.photo.weights import PhotoWeights
from tests.models.small_codec import SMALL, picture, small_weights

CPU = torch.device("cpu")
MIX = anchor_mix(torch.tensor([3.25]))


@pytest.fixture(scope="module")
def synthesis() -> Synthesis:
    """With branches that matter, and a bias."""
    torch.manual_seed(3)
    made = Synthesis(replace(SMALL, fine_blocks=2, coarse_blocks=2)).requires_grad_(False)
    for name, parameter in made.named_parameters():
        if name.endswith(("leave.weight", "narrow.weight")):
            parameter.mul_(30)
        if name.endswith("bias"):
            parameter.add_(torch.randn(parameter.shape) * 0.1)
    return made.eval()


def test_the_adjoint_is_what_autograd_says(synthesis: Synthesis) -> None:
    latents = torch.randn(1, SMALL.latents, 4, 6, requires_grad=True)
    pixels = synthesis(latents, MIX)
    weights = torch.randn_like(pixels)
    (expected,) = torch.autograd.grad((pixels * weights).sum(), latents)
    with torch.no_grad():
        found, trace = traced(synthesis, latents, MIX)
        torch.testing.assert_close(found, pixels, rtol=1e-4, atol=1e-4)
        torch.testing.assert_close(Adjoint(synthesis)(weights, trace, MIX), expected, rtol=1e-3, atol=1e-3)


def test_the_gradient_and_the_spread_are_those_of_the_error(synthesis: Synthesis) -> None:
    """By differences, and by each latent's own step: of the part that is seen alone."""
    generator = torch.Generator().manual_seed(0)
    around = torch.randint(-40, 40, (1, SMALL.latents, 6, 6), generator=generator, dtype=torch.int32)
    gain = torch.rand(1, SMALL.latents, 1, 1, generator=generator) + 0.5
    window = window_of((0, 0, 96, 96), (32, 16, 64, 48), (16, 8, 80, 64))
    inner = around[(..., *window.inner)].clone()
    pixels = torch.randint(50, 150, (1, 3, 64, 56), generator=generator).float()
    shifted = synthesis
    with torch.no_grad():
        shifted.patch.bias.add_(100)
        error = TileError(Renderer(shifted, Adjoint(shifted), MIX, gain), around, window, pixels)
        decoded = error.decode(inner)

        def exact(restored: torch.Tensor) -> float:
            whole = around.double()
            whole[(..., *window.inner)] = restored
            seen = shifted((whole * gain / 16).float(), MIX)[(..., *window.seen)]
            return float((seen.clamp(0, 255).double() - pixels).square().sum())

        gradient = error.gradient(decoded)
        for place in ((0, 0, 0, 0), (0, 5, 1, 1), (0, 23, 0, 1)):
            step = torch.zeros_like(inner, dtype=torch.double)
            step[place] = 0.16
            slope = (exact(inner + step) - exact(inner - step)) / 0.02
            assert float(gradient[place]) == pytest.approx(slope, rel=0.05, abs=2)
        assert decoded.squared_error == pytest.approx(exact(inner.double()), rel=0.02)

        spreads = torch.stack([error.spread(decoded, seed) for seed in range(200)]).mean(0).flatten()
        own = torch.zeros(SMALL.latents)
        base = shifted((around * gain / 16).float(), MIX)[(..., *window.seen)]
        for channel in range(SMALL.latents):
            for row, column in np.ndindex(2, 2):
                moved = (around * gain / 16).float()
                moved[0, channel, 2 + row, 1 + column] += gain[0, channel, 0, 0] * 1e-2
                change = (shifted(moved, MIX)[(..., *window.seen)] - base) / 1e-2
                own[channel] += float(change.square().sum()) / 4
        shifted.patch.bias.sub_(100)
    torch.testing.assert_close(spreads, own, rtol=0.2, atol=0.01)


def test_bits_are_those_of_the_stream(weights: PhotoWeights, codec: PhotoCodec) -> None:
    """Escapes, and values too wide to be counted, included."""
    generator = torch.Generator().manual_seed(1)
    latents = torch.randn(1, SMALL.latents, 16, 16, generator=generator) * 40
    latents[0, 0] *= 60
    z = torch.randn(1, SMALL.hyper, 4, 4, generator=generator) * 9
    chosen = choose_integers(codec._networks, codec._quantiser, latents, z, 12800)
    assert int(chosen.values.abs().max()) > WIDEST_COUNTED
    counted = BitCount(weights.tables, CPU)(*chosen) / BIT_UNIT
    (tile,) = code_tiles(chosen, weights.tables)
    assert counted == pytest.approx(8 * len(tile.stream), rel=0.02)
    usual = chosen._replace(values=chosen.values.clamp(-WIDEST_COUNTED, WIDEST_COUNTED))
    usual = usual._replace(values=usual.values.masked_fill(usual.indices == 0, 0))
    (tile,) = code_tiles(usual, weights.tables)
    assert BitCount(weights.tables, CPU)(*usual) / BIT_UNIT == pytest.approx(8 * len(tile.stream), abs=64)


def test_an_error_is_worth_what_training_said() -> None:
    found = [3 * error_worth(n * QUALITY_SCALE // (ANCHORS - 1)) for n in range(ANCHORS)]
    assert found == pytest.approx(LAMBDAS, rel=1e-3)


def cost(codec: PhotoCodec, source: np.ndarray, quality: int, side: int, effort: int) -> float:
    """In bits, of what is coded and decoded; one word of each stream aside."""
    (tiles,) = codec.encode([source], quality, side, effort)
    (error,) = codec.squared_errors([source], [tiles], quality, side)
    return sum(8 * len(tile.stream) for tile in tiles) + error_worth(quality) * error


@pytest.mark.parametrize("quality", [0, 9000, 25600])
@pytest.mark.parametrize(("height", "width", "side"), [(100, 150, 1024), (200, 300, 128), (30, 20, 1024)])
def test_effort_is_never_worse_and_mostly_better(
    codec: PhotoCodec, quality: int, height: int, width: int, side: int
) -> None:
    source = picture(height, width)
    plain, hard = (cost(codec, source, quality, side, effort) for effort in (0, 2))
    assert hard <= plain + 64  # a stream is whole words
    if height * width > 10_000:
        assert hard < 0.999 * plain


def test_more_effort_is_no_worse(codec: PhotoCodec) -> None:
    costs = [cost(codec, picture(90, 120), 15000, 1024, effort) for effort in range(MOST_EFFORT + 1)]
    assert all(more <= less + 64 for less, more in pairwise(costs)) and costs[-1] < costs[0]


@pytest.mark.parametrize("side", [128, 1024])
def test_the_same_bytes_for_any_threads_and_neighbours(codec: PhotoCodec, side: int) -> None:
    sources = [picture(130, 170, seed) for seed in range(3)]
    together = codec.encode(sources, 12800, side, 1)
    torch.set_num_threads(4)
    (alone,) = codec.encode(sources[1:2], 12800, side, 1)
    assert alone == together[1]
    assert together[0] != codec.encode(sources[:1], 12800, side)[0]


def test_the_seed_is_the_pictures_own() -> None:
    one, other = picture(64, 64), picture(64, 64, 1)
    assert seed_of(one) == seed_of(one.copy()) != seed_of(other)
    assert seed_of(one[::2]) == seed_of(np.ascontiguousarray(one[::2]))


def test_grey_and_colour_are_refined_alike(codec: PhotoCodec) -> None:
    grey = picture(80, 80)[:, :, :1]
    assert codec.encode([grey], 12800, effort=1) == codec.encode([np.repeat(grey, 3, 2)], 12800, effort=1)


@pytest.mark.parametrize(("fine", "coarse", "reach", "halo"), [(2, 2, 48, 48), (2, 4, 80, 80), (1, 1, 24, 32)])
def test_the_reach_follows_from_the_blocks(fine: int, coarse: int, reach: int, halo: int) -> None:
    """A latent changes pixels as near to the end of its reach as shuffling lets it, and none beyond."""
    arch = replace(SMALL, fine_blocks=fine, coarse_blocks=coarse)
    assert (arch.reach, arch.halo) == (reach, halo)
    made = Synthesis(arch).requires_grad_(False)
    for name, parameter in made.named_parameters():
        if name.endswith(("leave.weight", "narrow.weight")):
            parameter.mul_(50)
    latents = torch.randn(1, SMALL.latents, 16, 16)
    moved = latents.clone()
    moved[:, :, 7, 7] += 10
    changed = (made(latents, MIX) != made(moved, MIX)).any(1)[0].nonzero()
    before = 7 * 16 - int(changed.min())
    assert reach - 16 <= before <= reach
    (cell,) = [c for c in cells(500, 500, 192, halo) if c.inner[:2] == (192, 192)]
    assert cell.outer == (192 - halo, 192 - halo, 384 + halo, 384 + halo)


def test_far_reaching_transforms_decode_in_small_tiles_as_in_one() -> None:
    """A halo wider than a tile takes more than one row of neighbours."""
    deep = small_weights(arch=replace(SMALL, fine_blocks=2, coarse_blocks=4))
    loud = {n: t * 25 if n.endswith("leave.weight") else t for n, t in deep.floats.items()}
    codec = PhotoCodec(replace(deep, floats=loud), CPU, torch.float32)
    tiles = codec.encode([picture(200, 70)], 12800, 64)
    restored = codec.restore_latents(tiles, 200, 70, 12800, 64)
    whole = codec._synthesise(restored, codec._rows_of_cells(200, 70, 1024)[0], 12800)[0, :200, :70]
    assert np.abs(codec.decode(tiles, 200, 70, 12800, 64)[0].astype(int) - whole).max() <= 1


def test_families_have_no_effort() -> None:
    from archivae.operations.codec import named_codec, with_effort

    hard = with_effort(named_codec("vae-digits", "cpu"), 2)
    with pytest.raises(UsageError, match="vae-digits encodes with effort 0 alone, found 2: leave --effort out"):
        hard.encode([np.zeros((28, 28, 1), np.uint8)], 12800)
    for wrong in (-1, 4, 1.5, True):
        with pytest.raises(UsageError, match="effort goes from 0 to 3"):
            with_effort(named_codec("vae-digits", "cpu"), wrong)  # type: ignore[arg-type]
