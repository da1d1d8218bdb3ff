"""The training of a family on the loop that all models share."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from archivae.models.families import FAMILIES
from archivae.models.training.families import OBJECTIVES, Objective
from archivae.models.training.families.plan import FamilyPlan
from archivae.models.training.loop import Training
from archivae.models.training.workers import Workers

RECENT = 0.05
"""How much a step counts in the loss that ``until_loss`` is compared with: it is a mean of some twenty."""


class LabelledBatch(NamedTuple):
    """``pixels`` (N, C, H, W) uint8, channels last in memory; ``labels`` (N,) int64, all 0 where there are none."""

    pixels: Tensor
    labels: Tensor


class FamilyTraining(Training[Objective, LabelledBatch]):
    """The objective of a family in training. Of each step, the loss and its ``measures``.

    Args:
        plan: what to do.
        pixels: (N, H, W, C) uint8.
        labels: (N,) int64.
        device: where to compute.
        workers: the processes that share each batch.
        checkpoint: a `state_dict` to go on from, of a plan that differs in nothing but ``steps``.
    """

    def __init__(
        self,
        plan: FamilyPlan,
        pixels: npt.NDArray[np.uint8],
        labels: npt.NDArray[np.int64],
        device: torch.device,
        workers: Workers = Workers(),  # noqa: B008 (frozen)
        *,
        checkpoint: Mapping[str, Any] | None = None,
    ) -> None:
        self._plan = plan
        self._pixels, self._labels = pixels, labels
        self._recent: float | None = None
        torch.manual_seed(plan.seed)
        model = FAMILIES[plan.family](plan.form, plan.architecture)
        objective = OBJECTIVES[plan.family](model, plan.settings)
        super().__init__(plan, objective, device, workers, checkpoint)

    @property
    def finished(self) -> bool:
        goal = self._plan.until_loss
        return super().finished or (goal is not None and self._recent is not None and self._recent <= goal)

    def _batches(self, steps: range, share: range) -> Iterator[LabelledBatch]:
        for step in steps:
            drawn = np.random.default_rng((self._plan.seed, step)).integers(len(self._pixels), size=self._plan.batch)
            mine = drawn[share.start : share.stop]
            pixels = torch.from_numpy(self._pixels[mine]).permute(0, 3, 1, 2)
            yield LabelledBatch(pixels, torch.from_numpy(self._labels[mine]))

    def _measure(self, batch: LabelledBatch) -> tuple[Tensor, ...]:
        pictures = batch.pixels.to(self.device).float().div_(255)
        with self.autocast():
            measures: tuple[Tensor, ...] = self.network(pictures, batch.labels.to(self.device))
        if self._plan.until_loss is not None:
            loss = measures[0].item()
            self._recent = loss if self._recent is None else self._recent + RECENT * (loss - self._recent)
        return measures
