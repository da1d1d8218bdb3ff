from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import torch

from archivae.models.photo.architecture import Architecture, anchor_mix
from archivae.models.photo.trainable import TrainableCodec
from archivae.models.training.pca import initialise, principal_components
from tests.training.tiny import PLAN, smooth_picture


def crops(seeds: range) -> torch.Tensor:
    return torch.from_numpy(np.stack([smooth_picture(n) for n in seeds])).permute(0, 3, 1, 2) / 255


@torch.no_grad()
def psnr(model: TrainableCodec, pixels: torch.Tensor) -> float:
    mix = anchor_mix(torch.tensor([4.0]))
    decoded = model.synthesis(model.analysis(pixels * 2 - 1, mix), mix) * 0.5 + 0.5
    return -10 * math.log10((decoded - pixels).square().mean().item())


def codec(architecture: Architecture) -> TrainableCodec:
    torch.manual_seed(0)
    return TrainableCodec(architecture)


def test_components_are_orthonormal_and_sorted() -> None:
    x = torch.randn(4, 12, 8, 8) * torch.arange(12).view(1, -1, 1, 1)
    rows, deviations = principal_components(x, 5)
    assert torch.allclose(rows @ rows.T, torch.eye(5), atol=1e-5)
    assert torch.allclose(deviations, torch.arange(11, 6, -1).float(), rtol=0.2)
    assert (deviations.diff() <= 0).all()


def test_more_components_than_channels_are_zero() -> None:
    rows, deviations = principal_components(torch.randn(2, 3, 8, 8), 5)
    assert rows.shape == (5, 3) and not rows[3:].any() and not deviations[3:].any()


def test_a_fresh_model_reconstructs_pictures_it_never_saw() -> None:
    model, unseen = codec(PLAN.architecture), crops(range(100, 104))
    before = psnr(model, unseen)
    initialise(model, crops(range(16)))
    assert before < 15 and psnr(model, unseen) > 30


def test_more_latents_than_coarse_channels_lose_nothing() -> None:
    wide, narrow = (codec(replace(PLAN.architecture, latents=n)) for n in (48, 32))
    for model in (wide, narrow):
        initialise(model, crops(range(16)))
    assert abs(psnr(wide, crops(range(100, 104))) - psnr(narrow, crops(range(100, 104)))) < 0.5


def test_widths_make_the_first_bits_sensible() -> None:
    """The entropy model's first guess of a scale costs far fewer bits than the one of a model that knows nothing."""
    fresh, informed, pixels = (
        codec(PLAN.architecture),
        codec(PLAN.architecture),
        crops(range(100, 104))[:, :, :64, :128],
    )
    initialise(fresh, crops(range(16)))
    initialise(informed, crops(range(16)))
    fresh.parameter_head.bias.data.zero_()
    position = torch.full((4,), 5.0)
    with torch.no_grad():
        bits = [m.eval()(pixels, position).residual_bits.sum().item() for m in (fresh, informed)]
    assert bits[1] < 0.5 * bits[0]


def test_an_initialised_model_can_be_frozen() -> None:
    model = codec(PLAN.architecture)
    initialise(model, crops(range(4)))
    model.parameter_head.freeze()  # checks exactness itself
