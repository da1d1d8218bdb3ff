"""Muon for the matrices, Adam for the rest, one learning-rate curve over both; and an exponential moving average."""

from __future__ import annotations

import copy
import math

import torch
from torch import nn

MUON_SMALLEST = 32
"""Matrices with a side below this are left to Adam."""


class Optimisers:
    """`torch.optim.Muon` (Jordan et al. 2024) on weight matrices beside Adam (Kingma and Ba 2015) on all else."""

    def __init__(self, model: nn.Module, muon_rate: float, adam_rate: float) -> None:
        matrices, others = [], []
        for p in model.parameters():
            (matrices if p.dim() == 2 and min(p.shape) >= MUON_SMALLEST else others).append(p)
        self.muon = torch.optim.Muon(matrices, lr=muon_rate, weight_decay=0.0)
        self.adam = torch.optim.Adam(others, lr=adam_rate, betas=(0.9, 0.98), fused=True)
        self.rates = {self.muon: muon_rate, self.adam: adam_rate}
        self.parameters = matrices + others

    def step(self, factor: float, max_norm: float = 1.0) -> None:
        """One step of both at ``factor`` times their learning rates; gradients are clipped and then dropped."""
        nn.utils.clip_grad_norm_(self.parameters, max_norm)
        for optimiser, rate in self.rates.items():
            for group in optimiser.param_groups:
                group["lr"] = rate * factor
            optimiser.step()
            optimiser.zero_grad(set_to_none=True)

    def state_dict(self) -> dict:
        return {"muon": self.muon.state_dict(), "adam": self.adam.state_dict()}

    def load_state_dict(self, state: dict) -> None:
        self.muon.load_state_dict(state["muon"])
        self.adam.load_state_dict(state["adam"])


def rate_factor(step: int, steps: int, warm_up: int = 100, floor: float = 0.01) -> float:
    """Linear warm-up, then half a cosine down to ``floor``."""
    cosine = 0.5 * (1 + math.cos(math.pi * min(1.0, step / steps)))
    return min(1.0, (step + 1) / warm_up) * (floor + (1 - floor) * cosine)


class MovingAverage:
    """An exponential moving average of a model's parameters, whose memory grows to ``horizon`` steps."""

    def __init__(self, model: nn.Module, horizon: int = 1000) -> None:
        self.model = copy.deepcopy(model).eval().requires_grad_(False)
        self.horizon = horizon

    @torch.no_grad()
    def update(self, model: nn.Module, step: int) -> None:
        weight = max(1 / self.horizon, 10 / (step + 20))
        torch._foreach_lerp_(list(self.model.parameters()), list(model.parameters()), weight)
