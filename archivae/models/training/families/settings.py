"""What may be said of an objective on the command line. Imports no torch, so that ``--help`` answers at once."""

from __future__ import annotations

from dataclasses import dataclass, field, fields
from typing import Any, Literal

from archivae.errors import UsageError

Loss = Literal["mse", "cross-entropy"]


def _said(default: Any, meaning: str) -> Any:
    return field(default=default, metadata={"help": meaning})


@dataclass(frozen=True)
class Settings:
    """Numbers must not be negative; a loss is one of two."""

    def __post_init__(self) -> None:
        for f in fields(self):
            value = getattr(self, f.name)
            if isinstance(value, float) and value < 0:
                raise UsageError(f"expected --{f.name.replace('_', '-')} of 0 or more, found {value}")
            if f.name == "loss" and value not in ("mse", "cross-entropy"):
                raise UsageError(f"expected --loss mse or cross-entropy, found {value!r}")


_LOSS = "what reconstruction minimises, mse or cross-entropy, a mean over all samples"


@dataclass(frozen=True)
class DenseSettings(Settings):
    loss: Loss = _said("mse", _LOSS)


@dataclass(frozen=True)
class ConvSettings(DenseSettings):
    # Squared error flattens out where pictures are wholly black: convolutions get stuck there on digits.
    loss: Loss = _said("cross-entropy", _LOSS)
    bits: float = _said(
        0.0, "price of a bit a pixel, in squared error: above 0, latents are taught to be coded cheaply"
    )


@dataclass(frozen=True)
class DenoisingSettings(DenseSettings):
    loss: Loss = _said("cross-entropy", _LOSS)
    sigma: float = _said(0.5, "deviation of the strongest noise, for samples in [0, 1]")


@dataclass(frozen=True)
class VaeSettings(Settings):
    beta: float = _said(1.0, "weight of the divergence from the prior (Higgins et al. 2017)")
    free_bits: float = _said(0.0, "bits a latent that cost nothing (Kingma et al. 2016, arXiv:1606.04934)")


@dataclass(frozen=True)
class GanSettings(Settings):
    pass


@dataclass(frozen=True)
class VaeGanSettings(VaeSettings):
    adversarial: float = _said(20.0, "weight of the discriminator's judgement, in nats a picture")


@dataclass(frozen=True)
class VqSettings(DenseSettings):
    loss: Loss = _said("cross-entropy", _LOSS)
    commitment: float = _said(0.25, "how strongly vectors are drawn to their words")


SETTINGS: dict[str, type[Settings]] = {
    "dense": DenseSettings,
    "conv": ConvSettings,
    "denoising": DenoisingSettings,
    "vae": VaeSettings,
    "cvae": VaeSettings,
    "gan": GanSettings,
    "vae-gan": VaeGanSettings,
    "vq": VqSettings,
}
