"""What ``archivae train codec`` was asked for. Imports no torch, so that ``--help`` answers at once."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(frozen=True)
class CodecOptions:
    """The options of ``archivae train codec``; ``archivae.pipeline.train`` says what each does."""

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
    name: str = "photo"
    memory: float = 4.0
    checkpoint_every: int = 200
    export_only: bool = False
