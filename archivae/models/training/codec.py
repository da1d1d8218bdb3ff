"""The training of the photo codec, step by step. Whoever draws the steps reports and saves."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor

from archivae.errors import UsageError
from archivae.models.photo.architecture import ANCHORS, LAMBDAS
from archivae.models.photo.trainable import TrainableCodec, TrainingOutput
from archivae.models.training.data import Batch, CropSampler, Pixels
from archivae.models.training.optim import MovingAverage, Optimisers, rate_factor
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


class CodecTraining:
    """A `TrainableCodec`, its optimisers and its moving average, at ``step`` of ``plan``.

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
        self.plan = plan
        self.step = 0
        self._device = device
        self._workers = workers
        self._share = workers.share(plan.batch)
        self._sampler = CropSampler(pictures, plan.crop, plan.seed)
        weights = checkpoint["model"] if checkpoint is not None else start
        self._model = self._first_model(weights).to(device).train()
        self._model.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        self._optimisers = Optimisers(self._model, plan.muon_rate, plan.adam_rate)
        self._average = MovingAverage(self._model)
        if checkpoint is not None:
            self._go_on_from(checkpoint)
        self._network = workers.wrap(self._model, device)

    @property
    def average(self) -> TrainableCodec:
        """The averaged model: the one to ship."""
        return self._average.model

    def run(self) -> Iterator[Tensor]:
        """Take the remaining steps; of each, loss, bits per pixel and squared error (of [0, 1]): (3,) on the device."""
        for batch in self._sampler.batches(range(self.step, self.plan.steps), self._share):
            yield self._advance(batch)

    def state_dict(self) -> dict[str, Any]:
        """Everything that a new process needs to go on to the same curve; tensors and plain values only."""
        return {
            "step": self.step,
            "plan": self.plan.asdict(),
            "model": self._model.state_dict(),
            "optimisers": self._optimisers.state_dict(),
            "average": self._average.model.state_dict(),
        }

    def _first_model(self, weights: Mapping[str, Tensor] | None) -> TrainableCodec:
        torch.manual_seed(self.plan.seed)
        model = TrainableCodec(self.plan.architecture)
        if weights is None:
            initialise(model, self._sampler.batch(0, range(PCA_CROPS)).pixels / 255)
        else:
            model.load_state_dict(weights)
        return model

    def _go_on_from(self, checkpoint: Mapping[str, Any]) -> None:
        self.plan.check_continues(TrainingPlan.from_dict(checkpoint["plan"]))
        self.step = int(checkpoint["step"])
        if self.step > self.plan.steps:
            raise UsageError(
                f"the checkpoint is {self.step} steps on, beyond the {self.plan.steps} asked for; ask for more, "
                "or take another folder"
            )
        self._optimisers.load_state_dict(checkpoint["optimisers"])
        self._average.model.load_state_dict(checkpoint["average"])

    def _advance(self, batch: Batch) -> Tensor:
        seeds = np.random.SeedSequence((self.plan.seed, self.step, self._workers.rank))
        torch.manual_seed(int(seeds.generate_state(1)[0]))
        metrics = self._backward(batch)
        self._optimisers.step(rate_factor(self.step, self.plan.steps))
        self._average.update(self._model, self.step)
        self.step += 1
        return self._workers.mean(metrics)

    def _backward(self, batch: Batch) -> Tensor:
        pixels = batch.pixels.to(self._device, non_blocking=True).float().div_(255)
        position = batch.quality.to(self._device) * (ANCHORS - 1)
        with torch.autocast(self._device.type, dtype=torch.bfloat16, enabled=self.plan.precision == "bf16"):
            output = self._network(pixels, position)
        loss, bpp, error = rate_distortion(output, pixels, position)
        loss.backward()  # type: ignore[no-untyped-call]
        return torch.stack([loss, bpp, error]).detach()
