"""What training any model has in common: steps that can be stopped anywhere and resumed to the same curve.

Whoever draws the steps reports and saves.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping
from typing import Any, Generic, TypeVar

import numpy as np
import torch
from torch import Tensor, nn

from archivae.errors import UsageError
from archivae.models.training.optim import MovingAverage
from archivae.models.training.plan import Plan
from archivae.models.training.workers import Workers

Model = TypeVar("Model", bound=nn.Module)
Drawn = TypeVar("Drawn")


class Training(ABC, Generic[Model, Drawn]):
    """A model, its optimisers and its moving average, at ``step`` of ``plan``.

    A child says what its batches are and what of each is measured; the first measure is the loss.

    Args:
        plan: what to do.
        model: what to train, as it is before the first step.
        device: where to compute.
        workers: the processes that share each batch.
        checkpoint: a `state_dict` to go on from, of a plan that this one may continue.
    """

    def __init__(
        self, plan: Plan, model: Model, device: torch.device, workers: Workers, checkpoint: Mapping[str, Any] | None
    ) -> None:
        self.plan = plan
        self.step = 0
        self.device = device
        self._workers = workers
        self._share = workers.share(plan.batch)
        if checkpoint is not None:
            self._check_continues(checkpoint)
            model.load_state_dict(checkpoint["model"])
        self._model = model.to(device).train()
        self._model.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        self._optimisers = plan.optimisers(self._model)
        self._average = MovingAverage(self._model)
        if checkpoint is not None:
            self.step = int(checkpoint["step"])
            self._optimisers.load_state_dict(checkpoint["optimisers"])
            self._average.model.load_state_dict(checkpoint["average"])
        self.network = workers.wrap(self._callable(self._model), device)
        """The model as the loss should call it: with several processes, it averages gradients."""

    @property
    def average(self) -> Model:
        """The averaged model: the one to ship."""
        return self._average.model

    @property
    def finished(self) -> bool:
        """Whether there is nothing left to do."""
        return self.step >= self.plan.steps

    def run(self) -> Iterator[Tensor]:
        """Take the remaining steps; of each, what was measured, (n,) on the device."""
        for batch in self._batches(range(self.step, self.plan.steps), self._share):
            yield self._advance(batch)
            if self.finished:
                return

    def state_dict(self) -> dict[str, Any]:
        """Everything that a new process needs to go on to the same curve; tensors and plain values only."""
        return {
            "step": self.step,
            "plan": self.plan.asdict(),
            "model": self._model.state_dict(),
            "optimisers": self._optimisers.state_dict(),
            "average": self._average.model.state_dict(),
        }

    def _callable(self, model: Model) -> nn.Module:
        """What `network` wraps: the model, or a part or another form of it with the same parameters."""
        return model

    def autocast(self) -> torch.autocast:
        """Where the plan says bf16, convolutions inside compute in it."""
        return torch.autocast(self.device.type, dtype=torch.bfloat16, enabled=self.plan.precision == "bf16")

    @abstractmethod
    def _batches(self, steps: range, share: range) -> Iterator[Drawn]:
        """The batches of ``steps``, of each the crops numbered ``share``: a function of the plan's seed alone."""

    @abstractmethod
    def _measure(self, batch: Drawn) -> tuple[Tensor, ...]:
        """Through `network`: the loss, then what else is to be reported; scalars, means over the batch."""

    def _check_continues(self, checkpoint: Mapping[str, Any]) -> None:
        self.plan.check_continues(type(self.plan).from_dict(checkpoint["plan"]), checkpoint["step"])
        if checkpoint["step"] > self.plan.steps:
            raise UsageError(
                f"the checkpoint is {checkpoint['step']} steps on, beyond the {self.plan.steps} asked for; ask for "
                "more, or take another folder"
            )

    def _advance(self, batch: Drawn) -> Tensor:
        seeds = np.random.SeedSequence((self.plan.seed, self.step, self._workers.rank))
        torch.manual_seed(int(seeds.generate_state(1)[0]))
        loss, *others = self._measure(batch)
        loss.backward()  # type: ignore[no-untyped-call]
        self._optimisers.step(self.plan.rate_factor(self.step))
        self._average.update(self._model, self.step, self.plan.horizon(self.step))
        self.step += 1
        return self._workers.mean(torch.stack([loss, *others]).detach())
