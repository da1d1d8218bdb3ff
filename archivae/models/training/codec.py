"""The training of the photo codec: what a step does, and what a fresh one begins with."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import torch
from torch import Tensor, nn

from archivae.models.photo.architecture import ANCHORS
from archivae.models.photo.trainable import TrainableCodec
from archivae.models.training.crops import PlannedCrops
from archivae.models.training.data import Batch, Pixels
from archivae.models.training.loop import Training
from archivae.models.training.loss import rate_distortion
from archivae.models.training.pca import initialise
from archivae.models.training.plan import TrainingPlan
from archivae.models.training.workers import Workers

PCA_CROPS = 64


class CodecTraining(Training[TrainableCodec, Batch]):
    """A `TrainableCodec` in training. Of each step, the measures of `rate_distortion`.

    Args:
        plan: what to do.
        pictures: (H, W, 3) uint8; those with a side below ``plan.crop`` are not used.
        device: where to compute.
        workers: the processes that share each batch.
        start: weights to begin with (`archivae.models.training.start`); without them, principal components.
        checkpoint: a `state_dict` to go on from, of a plan that this one may continue.
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
        self._plan = plan
        self._crops = PlannedCrops(plan, pictures, workers)
        torch.manual_seed(plan.seed)
        model = TrainableCodec(plan.architecture)
        if start is not None:
            model.load_state_dict(start)
        elif checkpoint is None:
            initialise(model, self._crops.usual.batch(0, range(PCA_CROPS)).pixels / 255)
        super().__init__(plan, model, device, workers, checkpoint)

    def _callable(self, model: TrainableCodec) -> nn.Module:
        return compiled(model) if self._plan.compiled else model

    def _batches(self, steps: range, share: range) -> Iterator[Batch]:
        return self._crops.batches(steps)

    def _measure(self, batch: Batch) -> tuple[Tensor, ...]:
        pixels = batch.pixels.to(self.device, non_blocking=True).float().div_(255)
        position = batch.quality.to(self.device) * (ANCHORS - 1)
        with self.autocast():
            output = self.network(pixels, position)
        return rate_distortion(output, pixels, position, self._plan.ssim_share)


def compiled(module: nn.Module) -> nn.Module:
    """``module`` through torch's compiler, once for each size of crops."""
    form: nn.Module = torch.compile(module, dynamic=False)  # type: ignore[assignment]
    return form
