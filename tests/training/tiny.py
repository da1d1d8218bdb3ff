"""A codec and a run small enough to train in a test."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import numpy.typing as npt

from archivae.models.photo.architecture import Architecture
from archivae.models.training.plan import TrainingPlan

SIZES = {"fine": 32, "coarse": 32, "latents": 16, "hyper": 8, "features": 8, "context": 8}
SIZES |= {"hyper_context": 8, "fine_blocks": 1, "coarse_blocks": 1}
PLAN = TrainingPlan(
    steps=20,
    batch=2,
    crop=64,
    seed=3,
    muon_rate=0.01,
    adam_rate=4e-4,
    precision="float32",
    architecture=Architecture(**SIZES),
)


def plan(**changes: Any) -> TrainingPlan:
    return replace(PLAN, **changes)


def smooth_picture(seed: int, height: int = 96, width: int = 128) -> npt.NDArray[np.uint8]:
    """Waves of random direction, the long ones the strongest, as in photographs: (height, width, 3) uint8."""
    rng = np.random.default_rng(seed)
    y, x = np.mgrid[:height, :width] / max(height, width)
    picture = np.full((height, width, 3), rng.uniform(80, 170, 3))
    for _ in range(30):
        frequency, turn, phase = rng.exponential(6), rng.uniform(0, np.pi), rng.uniform(0, 2 * np.pi)
        wave = np.sin(2 * np.pi * frequency * (x * np.cos(turn) + y * np.sin(turn)) + phase)
        picture += wave[..., None] * rng.normal(0, 40 / (1 + frequency), 3)
    return picture.round().clip(0, 255).astype(np.uint8)
