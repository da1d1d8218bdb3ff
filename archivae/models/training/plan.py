"""What a training run does: equal plans over equal pictures follow the same curve."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from torch import nn

from archivae.errors import UsageError
from archivae.models.photo.architecture import HYPER_STRIDE, PASSES, Architecture
from archivae.models.restore.architecture import RestorerArchitecture
from archivae.models.restore.fill import GRAIN
from archivae.models.restore.tasks import find_task
from archivae.models.training.optim import Optimisers, Steps

if TYPE_CHECKING:
    from typing_extensions import Self  # typing has it from Python 3.11 on

Precision = Literal["bf16", "float32"]


@dataclass(frozen=True, kw_only=True)
class Plan(ABC):
    """Everything that decides the curve but the pictures, the device and the number of threads and processes.

    Attributes:
        steps: optimiser steps of the whole run; the learning rates fall to their floor at the last.
        batch: crops, or whole pictures, a step, over all processes.
        seed: of weights, crops and noise.
        precision: what the convolutions compute in; weights and sums are float32 always.
        init: id of the model that is trained on, in hexadecimal; empty for a fresh one.
    """

    architecture_type: ClassVar[type]

    steps: int
    batch: int
    seed: int
    precision: Precision
    init: str = ""

    def __post_init__(self) -> None:
        if self.steps < 1 or self.batch < 1:
            raise UsageError(f"expected at least 1 step and 1 crop a batch, found {self.steps} and {self.batch}")
        if self.seed < 0:
            raise UsageError(f"expected a seed from 0 up, found {self.seed}")

    @abstractmethod
    def optimisers(self, model: nn.Module) -> Steps:
        """What takes the steps of ``model``."""

    def asdict(self) -> dict[str, Any]:
        """Plain numbers and texts, as they lie in a checkpoint."""
        return asdict(self)

    @classmethod
    def from_dict(cls, stored: Mapping[str, Any]) -> Self:
        """The plan that `asdict` took apart. UsageError if it was another kind's."""
        try:
            return cls(**{**stored, "architecture": cls.architecture_type(**stored["architecture"])})
        except (KeyError, TypeError) as error:
            raise UsageError(
                f"the checkpoint is of another kind of model: {error}; give the options it began with, or another folder"
            ) from error

    def check_continues(self, earlier: Plan) -> None:
        """UsageError unless this plan may go on from a checkpoint of ``earlier``: all but ``steps`` must be equal."""
        names = [f.name for f in fields(self) if f.name != "steps"]
        pairs = [(name, getattr(earlier, name), getattr(self, name)) for name in names]
        differing = [f"{name} {was!r}, found {now!r}" for name, was, now in pairs if was != now]
        if differing:
            raise UsageError(
                f"the checkpoint is of another plan: expected {'; '.join(differing)}; "
                "give the options it began with, or another folder"
            )


@dataclass(frozen=True, kw_only=True)
class CropPlan(Plan):
    """A plan over crops of photographs.

    Attributes:
        crop: side of a crop in pixels, a multiple of what the model takes.
        muon_rate, adam_rate: peak learning rates of the matrices and of all else.
    """

    crop_grain: ClassVar[int]

    crop: int
    muon_rate: float
    adam_rate: float

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.crop < self.crop_grain or self.crop % self.crop_grain:
            raise UsageError(f"expected crops of a multiple of {self.crop_grain} pixels, found {self.crop}")

    def optimisers(self, model: nn.Module) -> Steps:
        return Optimisers(model, self.muon_rate, self.adam_rate)


@dataclass(frozen=True, kw_only=True)
class TrainingPlan(CropPlan):
    """The plan of a photo codec of ``architecture``."""

    crop_grain = HYPER_STRIDE
    architecture_type = Architecture

    architecture: Architecture = Architecture()

    def __post_init__(self) -> None:
        super().__post_init__()
        _check_architecture(self.architecture)


@dataclass(frozen=True, kw_only=True)
class RestorationPlan(CropPlan):
    """The plan of a restorer of ``architecture`` for ``task``."""

    crop_grain = GRAIN
    architecture_type = RestorerArchitecture

    task: str
    architecture: RestorerArchitecture = RestorerArchitecture()

    def __post_init__(self) -> None:
        super().__post_init__()
        find_task(self.task)
        _check_positive(self.architecture.asdict(), may_be_zero=("encode", "latent", "decode"))


def _check_architecture(architecture: Architecture) -> None:
    counts = architecture.asdict()
    _check_positive(counts, may_be_zero=("fine_blocks", "coarse_blocks"))
    for name in ("latents", "hyper"):
        if counts[name] % PASSES:
            raise UsageError(f"expected architecture.{name} to be a multiple of {PASSES}, found {counts[name]}")


def _check_positive(counts: Mapping[str, int], may_be_zero: tuple[str, ...]) -> None:
    """UsageError for a count below 1, or below 0 where the name begins like one of ``may_be_zero``."""
    for name, count in counts.items():
        if count < (0 if name.startswith(may_be_zero) else 1):
            raise UsageError(f"expected a positive architecture.{name}, found {count}")
