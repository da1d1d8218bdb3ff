"""What the training of the photo codec minimises."""

from __future__ import annotations

from pytorch_msssim import ms_ssim  # type: ignore[import-untyped]
from torch import Tensor

from archivae.models.photo.architecture import LAMBDAS
from archivae.models.photo.trainable import TrainingOutput

SSIM_PRICE = 1250.0
"""Squared levels (of 0..255) that 1 - MS-SSIM weighs as much as, where both are shares of one distortion."""


def rate_distortion(
    output: TrainingOutput, pixels: Tensor, position: Tensor, ssim_share: float = 0.0
) -> tuple[Tensor, ...]:
    """Loss, mean bits per pixel, mean squared error (of [0, 1]) and, with a share, mean 1 - MS-SSIM of a batch.

    Each picture's ``lambda * distortion + bpp`` is divided by lambda^0.45, so that no quality drowns the others.
    """
    bpp = (output.residual_bits + output.hyper_bits) / (pixels.shape[2] * pixels.shape[3])
    distortion, *measures = distortions(output.pixels.float(), pixels, ssim_share)
    lambdas = LAMBDAS[0] * 2**position
    weight = (lambdas / LAMBDAS[4]) ** -0.45
    loss = ((lambdas * distortion + bpp) * weight).mean()
    return loss, bpp.mean(), *(measure.mean() for measure in measures)


def distortions(found: Tensor, pixels: Tensor, ssim_share: float) -> list[Tensor]:
    """The distortion of each picture in squared levels (of 0..255), then what it is made of: all (N,).

    It is made of the squared error (of [0, 1]) and, with a share, of 1 - MS-SSIM. ``found`` and ``pixels`` are
    (N, 3, H, W) in [0, 1].
    """
    error = (found - pixels).square().mean((1, 2, 3))
    if not ssim_share:
        return [255**2 * error, error]
    unlike = 1 - ms_ssim(found.clamp(0, 1), pixels, data_range=1.0, size_average=False)
    return [(1 - ssim_share) * 255**2 * error + ssim_share * SSIM_PRICE * unlike, error, unlike]
