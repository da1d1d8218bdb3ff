"""What ``archivae train`` was asked for. Imports no torch, so that ``--help`` answers at once."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field


@dataclass(frozen=True)
class TrainingOptions:
    """The options of every kind of training; ``archivae.pipeline.train`` says what each does.

    ``data`` is a place, or several where the command takes them.
    """

    data: str | Sequence[str]
    out: str
    steps: int = 20_000
    batch: int = 8
    seed: int = 0
    device: str = "auto"
    precision: str = "auto"
    architecture: dict[str, int] = field(default_factory=dict)
    name: str = ""
    checkpoint_every: int = 200
    export_only: bool = False

    @property
    def places(self) -> list[str]:
        """What ``data`` names, one by one."""
        return [self.data] if isinstance(self.data, str) else list(self.data)


@dataclass(frozen=True, kw_only=True)
class FamilyOptions(TrainingOptions):
    """The options of ``archivae train dense``, ``conv``, ...; without a name, the weight file is called as the family.

    ``settings`` are those of the family's objective (`archivae.models.training.families.settings`), ``first`` and
    ``part`` those of `archivae.pipeline.training.labelled.load_labelled`.
    """

    family: str
    steps: int = 3000
    batch: int = 64
    checkpoint_every: int = 500
    optimiser: str = "adam"
    rate: float = 1e-3
    until_loss: float | None = None
    first: int | None = None
    part: str = ""
    settings: dict[str, float | str] = field(default_factory=dict)


@dataclass(frozen=True)
class CropOptions(TrainingOptions):
    """The options of what trains on crops of photographs."""

    crop: int = 256
    muon_rate: float = 0.01
    adam_rate: float = 4e-4
    init: str | None = None
    memory: float = 4.0


@dataclass(frozen=True)
class CodecOptions(CropOptions):
    """The options of ``archivae train codec``."""

    name: str = "photo"
    grow: dict[str, int] = field(default_factory=dict)
    schedule: str = "cosine"
    cooldown: int = 0
    large_crop: int = 0
    large_crop_steps: int = 0
    tune: str = "psnr"
    ssim_share: float | None = None
    damaged: float = 0.0
    synthesis_only: bool = False
    compile: bool = False


@dataclass(frozen=True)
class RestorerOptions(CropOptions):
    """The options of ``archivae train restore``; without a name, the weight file is called as the task."""

    steps: int = 10_000
    crop: int = 128
    adam_rate: float = 1e-3
    pairs: str | None = None
    task: str = field(kw_only=True)
