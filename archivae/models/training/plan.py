"""What a training run does: equal plans over equal pictures follow the same curve."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from typing import Any, Literal

from archivae.errors import UsageError
from archivae.models.photo.architecture import HYPER_STRIDE, PASSES, Architecture

Precision = Literal["bf16", "float32"]


@dataclass(frozen=True)
class TrainingPlan:
    """Everything that decides the curve but the pictures, the device and the number of threads and processes.

    Attributes:
        steps: optimiser steps of the whole run; the learning rates fall to their floor at the last.
        batch: crops a step, over all processes.
        crop: side of a crop in pixels, a multiple of 64.
        seed: of weights, crops and noise.
        muon_rate, adam_rate: peak learning rates of the matrices and of all else.
        precision: what the convolutions compute in; weights and sums are float32 always.
        architecture: of the codec.
        init: id of the model that is trained on, in hexadecimal; empty for a fresh one.
    """

    steps: int
    batch: int
    crop: int
    seed: int
    muon_rate: float
    adam_rate: float
    precision: Precision
    architecture: Architecture = Architecture()
    init: str = ""

    def __post_init__(self) -> None:
        if self.steps < 1 or self.batch < 1:
            raise UsageError(f"expected at least 1 step and 1 crop a batch, found {self.steps} and {self.batch}")
        if self.crop < HYPER_STRIDE or self.crop % HYPER_STRIDE:
            raise UsageError(f"expected crops of a multiple of {HYPER_STRIDE} pixels, found {self.crop}")
        if self.seed < 0:
            raise UsageError(f"expected a seed from 0 up, found {self.seed}")
        _check_architecture(self.architecture)

    def asdict(self) -> dict[str, Any]:
        """Plain numbers and texts, as they lie in a checkpoint."""
        return asdict(self)

    @classmethod
    def from_dict(cls, stored: Mapping[str, Any]) -> TrainingPlan:
        """The plan that `asdict` took apart."""
        return cls(**{**stored, "architecture": Architecture(**stored["architecture"])})

    def check_continues(self, earlier: TrainingPlan) -> None:
        """UsageError unless this plan may go on from a checkpoint of ``earlier``: all but ``steps`` must be equal."""
        names = [f.name for f in fields(self) if f.name != "steps"]
        pairs = [(name, getattr(earlier, name), getattr(self, name)) for name in names]
        differing = [f"{name} {was!r}, found {now!r}" for name, was, now in pairs if was != now]
        if differing:
            raise UsageError(
                f"the checkpoint is of another plan: expected {'; '.join(differing)}; "
                "give the options it began with, or another folder"
            )


def _check_architecture(architecture: Architecture) -> None:
    counts = architecture.asdict()
    for name, count in counts.items():
        if count < (0 if name.endswith("_blocks") else 1):
            raise UsageError(f"expected a positive architecture.{name}, found {count}")
    for name in ("latents", "hyper"):
        if counts[name] % PASSES:
            raise UsageError(f"expected architecture.{name} to be a multiple of {PASSES}, found {counts[name]}")
