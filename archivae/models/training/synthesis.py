"""The synthesis trained alone, on the integers that the encoder codes: rounding with prices, not noise in its place.

The encoder, its tables and the entropy networks stay as they are, so files stay the same and only look better. After
"Decoder retrained on integers really coded" (arXiv:2506.08662).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

from archivae.models.photo.architecture import ANCHORS, anchor_mix
from archivae.models.photo.codec import PhotoCodec
from archivae.models.photo.exact import QUALITY_SCALE
from archivae.models.photo.integer import PARAMETER_UNIT
from archivae.models.photo.layers import blend
from archivae.models.photo.thaw import thaw
from archivae.models.photo.trainable import TrainableCodec, TrainingOutput
from archivae.models.photo.weights import PhotoWeights
from archivae.models.training.codec import compiled
from archivae.models.training.crops import PlannedCrops
from archivae.models.training.data import Batch, Pixels
from archivae.models.training.loop import Training
from archivae.models.training.loss import rate_distortion
from archivae.models.training.plan import TrainingPlan
from archivae.models.training.workers import Workers

TRAINED = ("synthesis.", "decoder_gain")
"""Beginnings of the names of what is trained."""


class Decoder(nn.Module):
    """The parts of ``codec`` that turn restored latents into pixels."""

    def __init__(self, codec: TrainableCodec) -> None:
        super().__init__()
        self.synthesis = codec.synthesis
        self.decoder_gain = codec.decoder_gain

    def forward(self, latents: Tensor, position: Tensor) -> Tensor:
        """Restored latents (N, latents, h, w) at ``position`` (N,) to pixels (N, 3, 16h, 16w), about [0, 1]."""
        mix = anchor_mix(position)
        gain = blend(mix, self.decoder_gain).exp()[:, :, None, None]
        pixels: Tensor = self.synthesis(latents * gain, mix) * 0.5 + 0.5
        return pixels


class Coded(NamedTuple):
    """Restored latents (N, latents, h, w), positions on the scale of anchors and bits: both (N,)."""

    latents: Tensor
    position: Tensor
    bits: Tensor


class SynthesisTraining(Training[TrainableCodec, Batch]):
    """The synthesis of ``encoder`` in training. Of each step, the measures of `rate_distortion`, bits as really coded.

    Args:
        plan: what to do; its architecture is the encoder's.
        pictures: (H, W, 3) uint8; those with a side below ``plan.crop`` are not used.
        device: where to compute.
        workers: the processes that share each batch.
        encoder: the model whose files are to look better.
        checkpoint: a `state_dict` to go on from, of a plan that this one may continue.
    """

    def __init__(
        self,
        plan: TrainingPlan,
        pictures: Sequence[Pixels],
        device: torch.device,
        workers: Workers = Workers(),  # noqa: B008 (frozen)
        *,
        encoder: PhotoWeights,
        checkpoint: Mapping[str, Any] | None = None,
    ) -> None:
        self._plan = plan
        self._crops = PlannedCrops(plan, pictures, workers)
        self._encoder = PhotoCodec(encoder, device, torch.bfloat16 if plan.precision == "bf16" else torch.float32)
        torch.manual_seed(plan.seed)
        model = TrainableCodec(plan.architecture)
        model.load_state_dict(thaw(encoder))
        for name, parameter in model.named_parameters():
            parameter.requires_grad_(name.startswith(TRAINED))
        super().__init__(plan, model, device, workers, checkpoint)

    def _callable(self, model: TrainableCodec) -> nn.Module:
        decoder = Decoder(model)
        return compiled(decoder) if self._plan.compiled else decoder

    def _batches(self, steps: range, share: range) -> Iterator[Batch]:
        return self._crops.batches(steps)

    def _measure(self, batch: Batch) -> tuple[Tensor, ...]:
        pixels = batch.pixels.to(self.device, non_blocking=True).float().div_(255)
        coded = self._code(batch)
        with self.autocast():
            found = self.network(coded.latents, coded.position)
        output = TrainingOutput(found, coded.bits, torch.zeros_like(coded.bits))
        return rate_distortion(output, pixels, coded.position, self._plan.ssim_share)

    def _code(self, batch: Batch) -> Coded:
        """Each crop through the encoder, at its own quality, and back to latents."""
        side = batch.pixels.shape[2]
        qualities = [round(quality * QUALITY_SCALE) for quality in batch.quality.tolist()]
        latents, bits = [], []
        for pixels, quality in zip(batch.pixels, qualities, strict=True):
            tiles = self._encoder.encode([pixels.permute(1, 2, 0).numpy()], quality)
            latents.append(self._encoder.restore_latents(tiles, side, side, quality))
            bits.append(8.0 * sum(len(tile.stream) for tile in tiles[0]))
        restored = torch.cat(latents).float() / PARAMETER_UNIT
        position = torch.tensor(qualities, device=self.device) * ((ANCHORS - 1) / QUALITY_SCALE)
        return Coded(restored, position, torch.tensor(bits, device=self.device))
