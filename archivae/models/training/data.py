"""Random crops of photographs, the same for the same seed and step: a resumed run sees what the first would have."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from archivae.errors import UsageError
from archivae.models.training.ahead import map_ahead

Pixels = npt.NDArray[np.uint8]
Damage = Callable[[np.random.Generator, Pixels], Pixels]


class Batch(NamedTuple):
    """``pixels`` (N, 3, crop, crop) uint8, channels last in memory; ``quality`` (N,) float32 in [0, 1)."""

    pixels: Tensor
    quality: Tensor


class RandomCrops:
    """Squares of ``crop`` pixels out of (H, W, C) uint8 pictures held in memory, larger pictures more often.

    Pictures with a side below ``crop`` are not used. UsageError if none is left.
    """

    def __init__(self, pictures: Sequence[Pixels], crop: int) -> None:
        self._pictures = [p for p in pictures if min(p.shape[:2]) >= crop]
        if not self._pictures:
            raise UsageError(
                f"expected pictures of at least {crop} pixels on both sides, found none among {len(pictures)}; "
                "take larger pictures or smaller crops"
            )
        self._crop = crop
        areas = np.array([p.shape[0] * p.shape[1] for p in self._pictures], float)
        self._edges = np.cumsum(areas) / areas.sum()

    def draw(self, rng: np.random.Generator) -> Pixels:
        """One of them, (crop, crop, C), mirrored and transposed or not; a view."""
        last = len(self._pictures) - 1
        picture = self._pictures[min(last, int(np.searchsorted(self._edges, rng.random(), side="right")))]
        top = int(rng.integers(picture.shape[0] - self._crop + 1))
        left = int(rng.integers(picture.shape[1] - self._crop + 1))
        crop = picture[top : top + self._crop, left : left + self._crop]
        if rng.random() < 0.5:
            crop = crop[:, ::-1]
        if rng.random() < 0.5:
            crop = crop.transpose(1, 0, 2)
        return crop


class CropSampler:
    """Batches of crops of (H, W, 3) uint8 pictures for the codec, each crop with a quality.

    Each crop has random numbers of its own, so that a batch is the same however many processes share it.

    Args:
        pictures: (H, W, 3) uint8.
        crop: side of a crop.
        seed: of everything.
        damaged: share of the crops, in [0, 1], that ``damage`` changes; the others are the same whatever it is.
        damage: a crop as it is given to the model in place of the one drawn.
    """

    def __init__(
        self, pictures: Sequence[Pixels], crop: int, seed: int, damaged: float = 0.0, damage: Damage | None = None
    ) -> None:
        self._crops = RandomCrops(pictures, crop)
        self._seed = seed
        self._damaged = damaged
        self._damage = damage

    def batch(self, step: int, crops: range) -> Batch:
        """The crops of those numbers of optimiser step ``step``."""
        drawn = [self._draw(np.random.default_rng((self._seed, step, number))) for number in crops]
        # NumPy, not torch: on a thread of its own torch would start a second set of OpenMP threads.
        pixels = np.stack([pixels for pixels, _ in drawn])
        quality = torch.tensor([quality for _, quality in drawn], dtype=torch.float32)
        return Batch(torch.from_numpy(pixels).permute(0, 3, 1, 2), quality)

    def batches(self, steps: range, crops: range) -> Iterator[Batch]:
        """The batches of ``steps``, each drawn while the one before it is in use."""
        return map_ahead(lambda step: self.batch(step, crops), steps, threads=1, window=1)

    def _draw(self, rng: np.random.Generator) -> tuple[Pixels, float]:
        pixels, quality = self._crops.draw(rng), rng.random()
        if self._damage is not None and rng.random() < self._damaged:
            pixels = self._damage(rng, pixels)
        return pixels, quality
