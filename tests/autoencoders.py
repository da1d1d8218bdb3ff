"""Small autoencoders that tests share: untrained ones of every family, and one that a user might write."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from archivae.models import FAMILIES, FamilyWeights, Form
from archivae.models.families import Family
from archivae.models.families.quantiser import calibrate
from archivae.models.families.weights import stored_network
from archivae.models.running import to_tensor

FORM = Form(channels=1, height=12, width=12, labels=("round", "square"))
SMALL: dict[str, dict[str, int]] = {
    "dense": {"hidden": 16, "latents": 6},
    **{name: {"width": 4, "latents": 6} for name in ("conv", "denoising", "vae", "cvae", "gan", "vae-gan")},
    "vq": {"width": 4, "latents": 4, "words": 8},
}


class Mine(nn.Module):
    """What somebody else's package might hold: no family, no sampling."""

    form = Form(channels=1, height=12, width=12)

    def __init__(self, latents: int = 3) -> None:
        super().__init__()
        self.down, self.up = nn.Linear(144, latents), nn.Linear(latents, 144)

    def encode(self, pictures: Tensor) -> Tensor:
        return self.down(pictures.flatten(1))

    def decode(self, latents: Tensor) -> Tensor:
        return self.up(latents).sigmoid().view(-1, 1, 12, 12)


class NoModel:
    """A class that is no model at all."""


def pictures(count: int = 20, channels: int = 1, side: int = 12) -> np.ndarray:
    """Dark pictures with a bright rectangle each, (N, H, W, C) uint8."""
    rng = np.random.default_rng(5)
    made = np.zeros((count, side, side, channels), np.uint8)
    for picture in made:
        top, left = rng.integers(0, side // 2, 2)
        picture[top : top + side // 2, left : left + side // 2] = rng.integers(100, 256, channels)
    return made


def family(name: str, form: Form = FORM, **sizes: int) -> Family:
    """An untrained network, the same at each call; its weights are large, so that its latents can be seen in pictures."""
    torch.manual_seed(3)
    kind = FAMILIES[name]
    form = form if kind.conditional else replace(form, labels=())
    model = kind(form, kind.sizes_type(**(SMALL[name] | sizes))).eval()
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.mul_(2.5)
    return model


def weights(name: str, form: Form = FORM, **sizes: int) -> FamilyWeights:
    """The weight file of `family`, its codec fitted to `pictures`."""
    model = family(name, form, **sizes)
    plain = FamilyWeights(f"small-{name}", name, model.form, model.sizes.asdict(), stored_network(model))
    sample = to_tensor(list(pictures(channels=form.channels, side=form.height)), form, torch.device("cpu"))
    return FamilyWeights(plain.name, name, model.form, plain.sizes, plain.network, calibrate(plain.build(), sample))


def weight_file(folder: Path, name: str, **sizes: int) -> str:
    """The path of a weight file of that family."""
    path = folder / f"{name}.safetensors"
    path.write_bytes(weights(name, **sizes).to_bytes())
    return str(path)
