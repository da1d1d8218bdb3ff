"""Muon for the matrices, Adam for the rest, one learning-rate curve over both; and an exponential moving average."""

from __future__ import annotations

import copy
import math
from typing import Any, Generic, Literal, Protocol, TypeVar

import torch
from torch import nn

from archivae.models.training.muon import StackedMuon

Model = TypeVar("Model", bound=nn.Module)

MUON_SMALLEST = 32
"""Matrices with a side below this are left to Adam."""


class Steps(Protocol):
    """Takes optimiser steps, and can be put aside and taken up again."""

    def step(self, factor: float) -> None:
        """One step at ``factor`` times the learning rate; gradients are clipped and then dropped."""

    def state_dict(self) -> dict[str, Any]: ...

    def load_state_dict(self, state: dict[str, Any]) -> None: ...


class OneOptimiser:
    """Adam (Kingma and Ba 2015) or plain stochastic gradient descent with momentum on everything."""

    def __init__(self, model: nn.Module, kind: Literal["adam", "sgd"], rate: float, betas: tuple[float, float]) -> None:
        self._parameters = list(model.parameters())
        self._rate = rate
        self._optimiser: torch.optim.Optimizer
        if kind == "adam":
            self._optimiser = torch.optim.Adam(self._parameters, lr=rate, betas=betas, fused=True)
        else:
            self._optimiser = torch.optim.SGD(self._parameters, lr=rate, momentum=betas[0], fused=True)

    def step(self, factor: float, max_norm: float = 1.0) -> None:
        nn.utils.clip_grad_norm_(self._parameters, max_norm)
        for group in self._optimiser.param_groups:
            group["lr"] = self._rate * factor
        self._optimiser.step()
        self._optimiser.zero_grad(set_to_none=True)

    def state_dict(self) -> dict[str, Any]:
        return self._optimiser.state_dict()

    def load_state_dict(self, state: dict[str, Any]) -> None:
        self._optimiser.load_state_dict(state)


class Optimisers:
    """Muon (Jordan et al. 2024) on weight matrices beside Adam (Kingma and Ba 2015) on all else that is trained."""

    def __init__(self, model: nn.Module, muon_rate: float, adam_rate: float) -> None:
        matrices: list[nn.Parameter] = []
        others: list[nn.Parameter] = []
        for p in (p for p in model.parameters() if p.requires_grad):
            (matrices if p.dim() == 2 and min(p.shape) >= MUON_SMALLEST else others).append(p)
        self._parameters = matrices + others
        adam = torch.optim.Adam(others, lr=adam_rate, betas=(0.9, 0.98), fused=True)
        self._optimisers: dict[str, torch.optim.Optimizer] = {"adam": adam}
        self._rates = {"adam": adam_rate, "muon": muon_rate}
        if matrices:  # a tiny architecture has none, and torch takes no empty list
            self._optimisers["muon"] = StackedMuon(matrices, lr=muon_rate, weight_decay=0.0)

    def step(self, factor: float, max_norm: float = 1.0) -> None:
        """One step of both at ``factor`` times their learning rates; gradients are clipped and then dropped."""
        nn.utils.clip_grad_norm_(self._parameters, max_norm)
        for name, optimiser in self._optimisers.items():
            for group in optimiser.param_groups:
                group["lr"] = self._rates[name] * factor
            optimiser.step()
            optimiser.zero_grad(set_to_none=True)

    def state_dict(self) -> dict[str, Any]:
        return {name: optimiser.state_dict() for name, optimiser in self._optimisers.items()}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        for name, optimiser in self._optimisers.items():
            optimiser.load_state_dict(state[name])


WARM_UP = 100
"""Steps until a learning rate is at its peak."""
LOWEST = 0.01
"""What is left of a learning rate at the last step."""
HORIZON = 1000
"""Steps that a moving average remembers."""


def rate_factor(step: int, steps: int) -> float:
    """Linear warm-up, then half a cosine down to `LOWEST`."""
    cosine = 0.5 * (1 + math.cos(math.pi * min(1.0, step / steps)))
    return min(1.0, (step + 1) / WARM_UP) * (LOWEST + (1 - LOWEST) * cosine)


def plateau_factor(step: int, steps: int, cooldown: int) -> float:
    """Linear warm-up, a plateau, then a line down to `LOWEST` over the last ``cooldown`` of ``steps`` (WSD).

    Up to the cool-down it is the same whatever ``steps`` are, so that a longer run goes on from a shorter one's plateau
    (Hägele et al. 2024, arXiv:2405.18392).
    """
    left = min(1.0, (steps - step) / cooldown) if cooldown else 1.0
    return min(1.0, (step + 1) / WARM_UP) * (LOWEST + (1 - LOWEST) * left)


class MovingAverage(Generic[Model]):
    """An exponential moving average of a model's parameters."""

    def __init__(self, model: Model) -> None:
        self.model = copy.deepcopy(model).eval().requires_grad_(False)

    @torch.no_grad()
    def update(self, model: Model, step: int, horizon: int = HORIZON) -> None:
        """Take in ``model`` after ``step``; the memory grows to ``horizon`` steps."""
        weight = max(1 / horizon, 10 / (step + 20))
        torch._foreach_lerp_(list(self.model.parameters()), list(model.parameters()), weight)
        for kept, new in zip(self.model.buffers(), model.buffers(), strict=True):
            kept.copy_(new)  # statistics of a normalisation are averages already
