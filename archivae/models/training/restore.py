"""The training of a restorer: what its steps minimise."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import torch
from torch import Tensor

from archivae.models.restore.network import RestorationModel, RestorationOutput
from archivae.models.restore.tasks import find_task
from archivae.models.training.data import Pixels
from archivae.models.training.loop import Training
from archivae.models.training.plan import RestorationPlan
from archivae.models.training.restore_data import RestorationBatch, RestorationSampler
from archivae.models.training.workers import Workers

FLOOR = 1e-5
"""Squared error, of [0, 1], below which a crop teaches little more: 50 dB."""
DECIBELS = 4.342944819
"""10 / ln 10."""


def restoration_loss(output: RestorationOutput, clean: Tensor, level: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Loss, mean PSNR in dB, what of it the network added to its base, and mean error of the estimated level.

    The loss is the mean logarithm of the squared error: PSNR itself, turned round, as in NAFNet. So a faint noise and
    a strong one, a small hole and a large one, count alike, as they do in the mean over a benchmark, and there is
    no weight to tune. The estimator shares no parameter with the network, so its error is just added.
    """
    logarithm = _log_error(output.pixels, clean)
    error = (output.level - level).abs().mean() if output.level is not None else logarithm.new_zeros(())
    with torch.no_grad():
        gain = _log_error(output.base, clean) - logarithm
    return 0.5 * logarithm.mean() + error, -DECIBELS * logarithm.mean(), DECIBELS * gain.mean(), error


def _log_error(pixels: Tensor, clean: Tensor) -> Tensor:
    return ((pixels - clean).square().mean((1, 2, 3)) + FLOOR).log()


class RestorerTraining(Training[RestorationModel, RestorationBatch]):
    """A `RestorationModel` in training. Of each step, the four measures of `restoration_loss`.

    Args:
        plan: what to do.
        pictures: (H, W, 3) uint8; those with a side below ``plan.crop`` are not used.
        pairs: (H, W, 6) uint8, damaged beside whole; may be empty.
        device: where to compute.
        workers: the processes that share each batch.
        start: weights to begin with, of this task or, the network's alone, of another.
        checkpoint: a `state_dict` to go on from, of a plan that differs in nothing but ``steps``.
    """

    def __init__(
        self,
        plan: RestorationPlan,
        pictures: Sequence[Pixels],
        pairs: Sequence[Pixels],
        device: torch.device,
        workers: Workers = Workers(),  # noqa: B008 (frozen)
        *,
        start: Mapping[str, Tensor] | None = None,
        checkpoint: Mapping[str, Any] | None = None,
    ) -> None:
        task = find_task(plan.task)
        self._sampler = RestorationSampler(task, pictures, pairs, plan.crop, plan.seed)
        torch.manual_seed(plan.seed)
        model = RestorationModel(task, plan.architecture)
        model.load_state_dict({**model.state_dict(), **(start or {})})
        super().__init__(plan, model, device, workers, checkpoint)

    def _batches(self, steps: range, share: range) -> Iterator[RestorationBatch]:
        return self._sampler.batches(steps, share)

    def _measure(self, batch: RestorationBatch) -> tuple[Tensor, ...]:
        pixels, clean, level, mask = (part.to(self.device, non_blocking=True) for part in batch)
        with self.autocast():
            output = self.network(pixels, level, mask)
        return restoration_loss(output, clean.float().div_(255), level)
