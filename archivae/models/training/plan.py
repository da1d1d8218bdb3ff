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
from archivae.models.training.optim import HORIZON, Optimisers, Steps, plateau_factor, rate_factor

if TYPE_CHECKING:
    from typing_extensions import Self  # typing has it from Python 3.11 on

Precision = Literal["bf16", "float32"]
Schedule = Literal["cosine", "plateau"]

SSIM_SMALLEST_CROP = 192
"""MS-SSIM is not defined below 161 pixels a side."""


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
    lengths: ClassVar[tuple[str, ...]] = ("steps",)
    """What may change from one session of a run to the next."""

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

    @property
    def plateau_end(self) -> int:
        """The step up to which a run is the same however long it will be."""
        return self.steps

    def rate_factor(self, step: int) -> float:
        """What part of the peak learning rates ``step`` takes."""
        return rate_factor(step, self.steps)

    def horizon(self, step: int) -> int:
        """Steps that the moving average remembers at ``step``."""
        return HORIZON

    def check_continues(self, earlier: Plan, step: int) -> None:
        """UsageError unless this plan may go on from a checkpoint of ``earlier`` at ``step``.

        All must be equal but the names of `lengths`.
        """
        names = [f.name for f in fields(self) if f.name not in self.lengths]
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
    """The plan of a photo codec of ``architecture``.

    Attributes:
        schedule: "cosine" falls over the whole run, "plateau" over the last ``cooldown`` steps alone.
        large_crop, large_crop_steps: side of the crops of so many last steps, as many pixels a step; 0: none.
        ssim_share: how much of the distortion is MS-SSIM's; the rest is the squared error's.
        damaged: share of crops that are noisy, re-compressed or dark copies.
        synthesis_only: train the decoder's transform alone, on what the encoder of the weights at the start codes.
        compiled: run the model through torch.compile: other rounding, fewer seconds.
    """

    crop_grain = HYPER_STRIDE
    architecture_type = Architecture
    lengths = ("steps", "cooldown", "large_crop_steps")

    architecture: Architecture = Architecture()
    schedule: Schedule = "cosine"
    cooldown: int = 0
    large_crop: int = 0
    large_crop_steps: int = 0
    ssim_share: float = 0.0
    damaged: float = 0.0
    synthesis_only: bool = False
    compiled: bool = False

    def __post_init__(self) -> None:
        super().__post_init__()
        _check_architecture(self.architecture)
        self._check_schedule()
        self._check_large_crops()
        for name, share in (("--ssim-share", self.ssim_share), ("--damaged", self.damaged)):
            if not 0 <= share <= 1:
                raise UsageError(f"{name} is {share}, but a share lies within 0 and 1")
        if self.ssim_share and self.crop < SSIM_SMALLEST_CROP:
            raise UsageError(f"--crop is {self.crop}, but --tune ssim needs at least {SSIM_SMALLEST_CROP} pixels")

    @property
    def large_batch(self) -> int:
        """Large crops a step: as many pixels as the others have."""
        return max(1, self.batch * self.crop**2 // self.large_crop**2)

    @property
    def large_crops_from(self) -> int:
        """The first step that takes large crops."""
        return self.steps - self.large_crop_steps

    @property
    def plateau_end(self) -> int:
        return self.steps - max(self.cooldown, self.large_crop_steps) if self.schedule == "plateau" else self.steps

    def rate_factor(self, step: int) -> float:
        if self.schedule == "plateau":
            return plateau_factor(step, self.steps, self.cooldown)
        return super().rate_factor(step)

    def horizon(self, step: int) -> int:
        """A quarter of a cool-down: what was before it should be forgotten."""
        cooling = self.cooldown and step >= self.steps - self.cooldown
        return min(HORIZON, max(1, self.cooldown // 4)) if cooling else HORIZON

    def check_continues(self, earlier: Plan, step: int) -> None:
        super().check_continues(earlier, step)
        same = all(getattr(self, name) == getattr(earlier, name) for name in self.lengths)
        if self.schedule == "plateau" and not same and step > (end := min(self.plateau_end, earlier.plateau_end)):
            raise UsageError(
                f"the checkpoint is at step {step}, but the plateau that both plans share ends at {end}; raise --steps, "
                "or go on from a checkpoint of the plateau"
            )

    def _check_schedule(self) -> None:
        if self.schedule not in ("cosine", "plateau"):
            raise UsageError(f"--schedule is {self.schedule!r}; choose cosine or plateau")
        if self.cooldown and self.schedule != "plateau":
            raise UsageError("--cooldown is for --schedule plateau: the cosine falls to its end by itself")
        if not 0 <= self.cooldown < self.steps:
            raise UsageError(
                f"--cooldown is {self.cooldown}, but must be at least 0 and below the {self.steps} --steps"
            )

    def _check_large_crops(self) -> None:
        if bool(self.large_crop) != bool(self.large_crop_steps):
            raise UsageError("give --large-crop and --large-crop-steps together")
        if not 0 <= self.large_crop_steps < self.steps:
            raise UsageError(
                f"--large-crop-steps is {self.large_crop_steps}, but must be at least 0 and below the {self.steps} --steps"
            )
        if self.large_crop and (self.large_crop < self.crop or self.large_crop % self.crop_grain):
            raise UsageError(
                f"--large-crop is {self.large_crop}; choose a multiple of {self.crop_grain} from --crop {self.crop} up"
            )


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
