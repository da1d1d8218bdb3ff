"""Latents of a family as integers and back, and with which table each integer is coded.

Only the integers and the tables, which depend on quality alone, decide a bitstream. Everything here that is float decides
no more than which integer an encoder picks, and how a decoder draws it.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from archivae.bitstream import Tables
from archivae.bitstream.container import QUALITY_MAX, QUALITY_STEP
from archivae.bitstream.rans import VALUE_LIMIT
from archivae.errors import CorruptBitstreamError, ModelError
from archivae.models.families.family import Family
from archivae.models.families.tables import bell_tables, bits, build_tables, chosen, store_tables, stored_tables
from archivae.models.families.vector_quantised import Vq
from archivae.models.protocol import Autoencoder

Integers = npt.NDArray[np.int32]
Indices = npt.NDArray[np.uint8]

COARSEST, FINEST = 128.0, 1.0
"""The step at quality 0 and at quality 100, as the grey levels by which one step changes the whole picture (root sum of
squares): what the step of a JPEG's quantiser is to its cosine transform."""
PROBE = 0.05
"""Latents are moved by this part of their deviation to see what that does to the picture."""


class Quantiser(Protocol):
    """What `archivae.models.families.codec` asks."""

    tables: Tables

    def integers(self, pictures: Tensor, quality: int) -> Integers:
        """All integers of each picture, (N, count)."""

    def indices(self, quality: int) -> Indices:
        """The table of each integer of a picture, (count,)."""

    def pictures(self, values: Integers, quality: int) -> Tensor:
        """Float pictures of integers (N, count)."""


def make_quantiser(model: Family, stored: Mapping[str, Tensor]) -> Quantiser:
    """The quantiser of a model from what its weight file says. ModelError for a model without one."""
    if not stored:
        raise ModelError(f"a {model.name} takes no pictures in, so it cannot encode: expected a model with an encoder")
    if isinstance(model, Vq):
        return WordQuantiser(model, stored)
    assert isinstance(model, Autoencoder)
    return ScalarQuantiser(model, stored)


class ScalarQuantiser:
    """Each latent is rounded to whole steps, of equal effect on the picture in all channels.

    A channel is one latent of a model with so many a picture, and one map of a model with maps.
    """

    def __init__(self, model: Autoencoder, stored: Mapping[str, Tensor]) -> None:
        self._model = model
        self._center, self._gain = stored["center"], stored["gain"]
        self._rows = stored["table_of"].numpy()  # uint8 (101, channels)
        self._shape = tuple(stored["latent_shape"].tolist())
        self.tables = stored_tables(stored)
        self._check()

    def _check(self) -> None:
        """ModelError where what the weight file says of latents is not so of this model."""
        form = self._model.form
        weight = next(self._model.parameters())  # type: ignore[attr-defined]
        empty = torch.zeros(1, form.channels, form.height, form.width, device=weight.device)
        with torch.no_grad():
            latents = self._model.encode(empty)
        shape = tuple(latents.shape[1:])
        spread = (shape[0], *[1] * (len(shape) - 1))
        found = (self._shape, tuple(self._center.shape), tuple(self._gain.shape), self._rows.shape, self._rows.dtype)
        if found != (shape, spread, spread, (QUALITY_MAX + 1, shape[0]), np.dtype(np.uint8)):
            raise ModelError(f"expected a quantiser of latents {shape}, found one of {found}")
        if self._rows.max() >= len(self.tables.radius) or not bool((self._gain > 0).all()):
            raise ModelError("a quantiser that names tables that are not there, or divides by nothing")

    def integers(self, pictures: Tensor, quality: int) -> Integers:
        latents = self._model.encode(pictures).float().cpu()
        whole = torch.round((latents - self._center) * (self._gain / step(quality)))
        values = whole.clamp(-VALUE_LIMIT, VALUE_LIMIT).to(torch.int32).flatten(1).numpy()
        values[:, self.indices(quality) == 0] = 0
        return values

    def indices(self, quality: int) -> Indices:
        positions = int(np.prod(self._shape[1:], dtype=np.int64))
        return np.repeat(self._rows[quality // QUALITY_STEP], positions)

    def pictures(self, values: Integers, quality: int) -> Tensor:
        whole = torch.from_numpy(values).view(-1, *self._shape).float()
        latents = whole * (step(quality) / self._gain) + self._center
        return self._model.decode(latents.to(next(self._model.parameters()).device))  # type: ignore[attr-defined]


class WordQuantiser:
    """The words' numbers; quality decides how many stages are kept. Each stage has a table of how frequent words are."""

    def __init__(self, model: Vq, stored: Mapping[str, Tensor]) -> None:
        self._model = model
        self._half = model.sizes.words // 2
        self.tables = stored_tables(stored)
        if len(self.tables.radius) != model.sizes.stages + 1:
            raise ModelError(f"expected a table for each of {model.sizes.stages} stages, found others")

    def integers(self, pictures: Tensor, quality: int) -> Integers:
        words = self._model.words(self._model.encode(pictures))[:, : self._stages(quality)]
        return (words.flatten(1).cpu().numpy() - self._half).astype(np.int32)

    def indices(self, quality: int) -> Indices:
        positions = self._model.grid[0] * self._model.grid[1]
        return np.repeat(np.arange(1, self._stages(quality) + 1, dtype=np.uint8), positions)

    def pictures(self, values: Integers, quality: int) -> Tensor:
        words = torch.from_numpy(values.astype(np.int64) + self._half)
        if words.min() < 0 or words.max() >= self._model.sizes.words:
            raise CorruptBitstreamError(f"expected words below {self._model.sizes.words}: the file is damaged")
        device = self._model.codebooks.device
        return self._model.decode_words(words.view(len(words), -1, *self._model.grid).to(device))

    def _stages(self, quality: int) -> int:
        return 1 + quality * (self._model.sizes.stages - 1) // (QUALITY_MAX * QUALITY_STEP)


def step(quality: int) -> float:
    """The step at a quality in steps of 1/256, in grey levels."""
    return COARSEST * (FINEST / COARSEST) ** (quality / (QUALITY_MAX * QUALITY_STEP))


@torch.no_grad()
def calibrate(model: Family, sample: Tensor) -> dict[str, Tensor]:
    """What the quantiser of a trained model needs, measured on ``sample`` (N, C, H, W); nothing without an encoder."""
    if isinstance(model, Vq):
        counts = _word_counts(model, sample).numpy().astype(np.float64)
        return store_tables(build_tables([_odd(row) for row in counts]))
    if not isinstance(model, Autoencoder):
        return {}
    latents = model.encode(sample)
    axes = (0, *range(2, latents.dim()))
    center = latents.mean(axes, keepdim=True)[0]
    deviation = latents.std(axes, keepdim=True)[0].clamp_min(1e-6)
    gain = _gains(model, latents[:64], deviation)
    scaled = (latents - center) * gain
    best = np.stack([_best_tables(scaled / step(quality * QUALITY_STEP)) for quality in range(QUALITY_MAX + 1)])
    used = sorted({*best.ravel().tolist()} - {0})
    return store_tables(chosen(bell_tables(), used)) | {
        "center": center,
        "gain": gain,
        "table_of": torch.from_numpy(np.searchsorted([0, *used], best).astype(np.uint8)),
        "latent_shape": torch.tensor(latents.shape[1:], dtype=torch.int32),
    }


def _gains(model: Autoencoder, latents: Tensor, deviation: Tensor) -> Tensor:
    """Grey levels by which a unit of each channel, at one position, changes the picture: root sum of squares."""
    before = model.decode(latents)
    gains = []
    positions = latents[0, 0].numel()
    for channel in range(latents.shape[1]):
        moved = latents.clone(memory_format=torch.contiguous_format)
        size = PROBE * deviation[channel].item()
        moved.view(len(moved), -1)[:, channel * positions + positions // 2] += size
        change = (model.decode(moved) - before).square().flatten(1).sum(1).mean().sqrt()
        gains.append(255 * change.item() / size)
    return torch.tensor(gains).clamp_min(1e-6).view(-1, *([1] * (latents.dim() - 2)))


def _best_tables(scaled: Tensor) -> Indices:
    """Of each channel of (N, channels, ...) the table that codes its rounded values in the fewest bits."""
    taken = bits(bell_tables())
    most = taken.shape[1] // 2
    whole = scaled.round().clamp(-most, most).to(torch.int64).transpose(0, 1).flatten(1).numpy() + most
    counts = np.stack([np.bincount(values, minlength=taken.shape[1]) for values in whole])
    used = counts > 0
    costs = np.stack([np.where(used, counts * row, 0).sum(1) for row in taken], 1)
    return costs.argmin(1).astype(np.uint8)


def _word_counts(model: Vq, sample: Tensor) -> Tensor:
    """How often each stage used each word, int32 (stages, words)."""
    words = model.words(model.encode(sample)).transpose(0, 1).flatten(1)
    return torch.stack([torch.bincount(row, minlength=model.sizes.words) for row in words]).to(torch.int32)


def _odd(counts: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """Weights of the values -r to r, from the counts of as many words or one less; no word is impossible."""
    return np.append(counts, [0.0] * (1 - len(counts) % 2)) + 0.5
