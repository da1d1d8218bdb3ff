"""The training of the photo codec: what its steps minimise, and what a fresh one begins with."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import torch
from torch import Tensor

from archivae.models.photo.architecture import ANCHORS, LAMBDAS
from archivae.models.photo.trainable import TrainableCodec, TrainingOutput
from archivae.models.training.data import Batch, CropSampler, Pixels
from archivae.models.training.loop import Training
from archivae.models.training.pca import initialise
from archivae.models.training.plan import TrainingPlan
from archivae.models.training.workers import Workers

PCA_CROPS = 64


def rate_distortion(output: TrainingOutput, pixels: Tensor, position: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Loss, mean bits per pixel and mean squared error (of [0, 1]) of a batch.

    Each picture's ``lambda * MSE + bpp`` is divided by lambda^0.45, so that no quality drowns the others.
    """
    lambdas = LAMBDAS[0] * 2**position
    error = (output.pixels.float() - pixels).square().mean((1, 2, 3))
    bpp = (output.residual_bits + output.hyper_bits) / (pixels.shape[2] * pixels.shape[3])
    weight = (lambdas / LAMBDAS[4]) ** -0.45
    return ((lambdas * 255**2 * error + bpp) * weight).mean(), bpp.mean(), error.mean()


class CodecTraining(Training[TrainableCodec, Batch]):
    """A `TrainableCodec` in training. Of each step: loss, bits per pixel and squared error (of [0, 1]).

    Args:
        plan: what to do.
        pictures: (H, W, 3) uint8; those with a side below ``plan.crop`` are not used.
        device: where to compute.
        workers: the processes that share each batch.
        start: weights to begin with (`archivae.models.photo.thaw`); without them, principal components.
        checkpoint: a `state_dict` to go on from, of a plan that differs in nothing but ``steps``.
    """

    def __init__(
        self,
        plan: TrainingPlan,
        pictures: Sequence[Pixels],
        device: torch.device,
        workers: Workers = Workers(),  # noqa: B008 (frozen)
        *,
        start: Mapping[str, Tensor] | None = None,
        checkpoint: Mapping[str, Any] | None = None,
    ) -> None:
        self._sampler = CropSampler(pictures, plan.crop, plan.seed)
        torch.manual_seed(plan.seed)
        model = TrainableCodec(plan.architecture)
        if start is not None:
            model.load_state_dict(start)
        elif checkpoint is None:
            initialise(model, self._sampler.batch(0, range(PCA_CROPS)).pixels / 255)
        super().__init__(plan, model, device, workers, checkpoint)

    def _batches(self, steps: range, share: range) -> Iterator[Batch]:
        return self._sampler.batches(steps, share)

    def _measure(self, batch: Batch) -> tuple[Tensor, ...]:
        pixels = batch.pixels.to(self.device, non_blocking=True).float().div_(255)
        position = batch.quality.to(self.device) * (ANCHORS - 1)
        with self.autocast():
            output = self.network(pixels, position)
        return rate_distortion(output, pixels, position)
