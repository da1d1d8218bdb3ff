"""Changes of latents: a number at a time, or along a direction that labelled pictures show."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from archivae.errors import UsageError
from archivae.models import RunningModel
from archivae.models.running import Latents

Pixels = npt.NDArray[np.uint8]

_CHANGE = re.compile(r"\s*(\d+)\s*:\s*([+*=-])\s*(-?\d+(?:\.\d+)?(?:e-?\d+)?)\s*")


class LatentOp(Protocol):
    """What is done to latents (N, ...) between encoding and decoding."""

    def apply(self, latents: Latents) -> Latents:
        """New latents of the same shape."""

    def asked(self) -> dict[str, Any]:
        """All that decides it, as plain values."""


@dataclass(frozen=True)
class ChangeOne:
    """Of latent number ``index`` (of a model with maps: of the map of that number) ``sign`` ``value``."""

    index: int
    sign: str
    value: float

    def apply(self, latents: Latents) -> Latents:
        if self.index >= latents.shape[1]:
            raise UsageError(f"expected a latent of 0 to {latents.shape[1] - 1}, found {self.index}")
        changed = latents.copy()
        column = changed[:, self.index]
        changed[:, self.index] = {
            "+": column + self.value,
            "-": column - self.value,
            "*": column * self.value,
            "=": np.full_like(column, self.value),
        }[self.sign]
        return changed

    def asked(self) -> dict[str, Any]:
        return {"latent": self.index, "sign": self.sign, "value": self.value}


@dataclass(frozen=True, eq=False)
class Along:
    """``amount`` times ``direction``, a picture's worth of latents, added."""

    direction: Latents
    amount: float

    def apply(self, latents: Latents) -> Latents:
        return (latents + self.amount * self.direction).astype(np.float32)

    def asked(self) -> dict[str, Any]:
        return {"direction": [float(f"{value:.6g}") for value in self.direction.ravel()], "amount": self.amount}


def parse_latent_ops(text: str) -> list[LatentOp]:
    """``"2:+1.5"`` adds 1.5 to latent 2; ``-``, ``*`` and ``=`` do what they say; several are parted by commas.

    >>> parse_latent_ops("2:+1.5, 7:=0")
    [ChangeOne(index=2, sign='+', value=1.5), ChangeOne(index=7, sign='=', value=0.0)]
    """
    found = [_CHANGE.fullmatch(part) for part in text.split(",")]
    if not all(found):
        raise UsageError(f'expected changes of latents such as "2:+1.5" or "2:*0.5,7:=0", found {text!r}')
    return [ChangeOne(int(match[1]), match[2], float(match[3])) for match in found if match]


def direction_between(model: RunningModel, without: Sequence[Pixels], having: Sequence[Pixels]) -> Latents:
    """What the latents of pictures that have something have in common, less those of pictures without.

    The difference of the means (Larsen et al. 2016, arXiv:1512.09300, figure 5).
    """
    means = [np.mean([model.encode([picture])[0] for picture in pictures], 0) for pictures in (without, having)]
    return (means[1] - means[0]).astype(np.float32)


def transform(model: RunningModel, pictures: Sequence[Pixels], ops: Sequence[LatentOp]) -> list[Pixels]:
    """Pictures of one size, encoded, changed and decoded."""
    latents = model.encode(pictures)
    for op in ops:
        latents = op.apply(latents)
    return model.decode(latents)
