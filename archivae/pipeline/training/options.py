"""What ``archivae train`` was asked for. Imports no torch, so that ``--help`` answers at once."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(frozen=True)
class TrainingOptions:
    """The options of every kind of training; ``archivae.pipeline.train`` says what each does."""

    data: str
    out: str
    steps: int = 20_000
    batch: int = 8
    crop: int = 256
    seed: int = 0
    muon_rate: float = 0.01
    adam_rate: float = 4e-4
    device: str = "auto"
    precision: str = "auto"
    init: str | None = None
    architecture: dict[str, int] = field(default_factory=dict)
    name: str = ""
    memory: float = 4.0
    checkpoint_every: int = 200
    export_only: bool = False


@dataclass(frozen=True)
class CodecOptions(TrainingOptions):
    """The options of ``archivae train codec``."""

    name: str = "photo"


@dataclass(frozen=True)
class RestorerOptions(TrainingOptions):
    """The options of ``archivae train restore``; without a name, the weight file is called as the task."""

    steps: int = 10_000
    crop: int = 128
    adam_rate: float = 1e-3
    pairs: str | None = None
    task: str = field(kw_only=True)
