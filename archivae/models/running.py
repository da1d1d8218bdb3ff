"""A model at work: any `Decoder`, given arrays of bytes instead of tensors, and asked for nothing it cannot do."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from archivae.errors import ModelError, UsageError
from archivae.models.protocol import Autoencoder, Decoder, Describer, Form, Sampler

Pixels = npt.NDArray[np.uint8]
Latents = npt.NDArray[np.float32]


@dataclass(frozen=True, eq=False)
class RunningModel:
    """A model on its device.

    ``name`` is what people called it, ``id`` a hash of what it computes, in hexadecimal. Pictures are uint8, (H, W, 1) or
    (H, W, 3). ModelError where the model has no such ability, UsageError where a picture or label does not suit it.
    """

    name: str
    id: str
    model: Decoder | Describer
    device: torch.device

    @property
    def form(self) -> Form:
        return self.model.form

    def decoder(self) -> Decoder:
        """The model as one that makes pictures. ModelError if it does not."""
        if not isinstance(self.model, Decoder):
            raise self._unable("make pictures")
        return self.model

    def autoencoder(self) -> Autoencoder:
        """The model as one that takes pictures in and gives them back. ModelError if it does not."""
        if isinstance(self.model, Describer) and not isinstance(self.model, Decoder):
            raise ModelError(
                f"{self.name} only describes pictures here, and nothing can be made of its vectors: take an autoencoder, such "
                "as vae-digits for digits, or train one on your own pictures (archivae train vae)"
            )
        if not isinstance(self.model, Autoencoder):
            raise self._unable("take pictures in and give them back")
        return self.model

    def sampler(self) -> Sampler:
        """The model as one that samples. ModelError if it does not."""
        if not isinstance(self.model, Sampler):
            raise self._unable("sample")
        return self.model

    def describer(self) -> Describer | Autoencoder:
        """The model as one that has a vector for a picture. ModelError if it has none."""
        return self.model if isinstance(self.model, Describer) else self.autoencoder()

    @torch.inference_mode()
    def encode(self, pictures: Sequence[Pixels]) -> Latents:
        """The latents of pictures of one size, N first."""
        model = self.autoencoder()
        return self._checked(model.encode(self._tensor(pictures)), len(pictures), "encode")

    @torch.inference_mode()
    def decode(self, latents: Latents) -> list[Pixels]:
        """The pictures of latents such as `encode` or `sample` gives."""
        model = self.decoder()
        return to_pixels(model.decode(torch.from_numpy(latents).to(self.device)))

    @torch.inference_mode()
    def sample(self, labels: Sequence[int | None], seed: int) -> Latents:
        """Latents of new pictures: a function of ``seed`` and ``labels`` alone."""
        model = self.sampler()
        latents = model.sample(labels, torch.Generator().manual_seed(seed))
        return self._checked(latents, len(labels), "sample")

    @torch.inference_mode()
    def describe(self, pictures: Sequence[Pixels]) -> Latents:
        """A float32 vector a picture, (N, D): what the model has for comparing, or else its latents."""
        if not isinstance(self.model, Describer):
            return self.encode(pictures).reshape(len(pictures), -1)
        return self._checked(self.model.describe(self._tensor(pictures)), len(pictures), "describe")

    def label(self, wanted: str | None) -> int | None:
        """The number of a class, given by name."""
        labels = self.form.labels
        if wanted is None:
            return None
        if not labels:
            raise UsageError(
                f"{self.name} has no classes, found label {wanted!r}: leave it out, or take a model with classes"
            )
        if wanted not in labels:
            raise UsageError(f"{self.name} has the labels {', '.join(labels)}; found {wanted!r}")
        return labels.index(wanted)

    def _tensor(self, pictures: Sequence[Pixels]) -> Tensor:
        for picture in pictures:
            check_picture(self.form, picture, self.name)
        return to_tensor(pictures, self.form, self.device)

    def _unable(self, deed: str) -> ModelError:
        return ModelError(f"{self.name} cannot {deed}: take another model; archivae models lists those shipped")

    def _checked(self, values: Tensor, count: int, method: str) -> Latents:
        if len(values) != count or not values.isfinite().all():
            raise ModelError(
                f"expected {count} rows of finite numbers from {method} of {self.name}, found {tuple(values.shape)}"
            )
        found: Latents = values.float().cpu().numpy()
        return found


def check_picture(form: Form, picture: Pixels, name: str) -> None:
    """UsageError unless the model called ``name`` takes ``picture``; grey passes for RGB with three equal channels."""
    height, width, channels = picture.shape
    if channels > form.channels or not form.fits(height, width):
        found = f"{'grey' if channels == 1 else 'RGB'}, {height}x{width}"
        raise UsageError(f"{name} takes {form}; found {found}: convert it, or take another model")


def to_tensor(pictures: Sequence[Pixels], form: Form, device: torch.device) -> Tensor:
    """(H, W, 1 or 3) uint8 of one size as float32 (N, channels, H, W) in [0, 1]."""
    batch = torch.from_numpy(np.stack(pictures)).to(device).permute(0, 3, 1, 2).float().div_(255)
    return batch.expand(-1, form.channels, -1, -1)


def to_pixels(pictures: Tensor) -> list[Pixels]:
    """Float pictures (N, C, H, W) as uint8 (H, W, C)."""
    whole = (pictures.float() * 255).round_().clamp_(0, 255).to(torch.uint8)
    return list(np.ascontiguousarray(whole.permute(0, 2, 3, 1).cpu().numpy()))
