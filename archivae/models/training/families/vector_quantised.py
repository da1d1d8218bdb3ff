"""Teach words and those who use them: the objective of vq."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from archivae.models.families import Vq
from archivae.models.families.vector_quantised import nearest
from archivae.models.training.families.objective import Objective, reconstruction
from archivae.models.training.families.settings import VqSettings

MEMORY = 0.99
"""How much of a word's count of uses is kept from one step to the next."""
IDLE = 0.05
"""Words used less often than this part of the mean are replaced by a vector of the batch."""


class VqObjective(Objective):
    """The error of reconstruction with words in place of vectors.

    Words move to the vectors they stand for, and vectors a little to their words.

    Gradients pass over the quantisation as if it were not there. Half of all batches keep only the first few stages, so
    that any number of them decodes to something.
    """

    measures = ("words in use",)
    model: Vq

    def __init__(self, model: Vq, settings: VqSettings) -> None:
        super().__init__(model, settings)
        self.uses: Tensor
        self.register_buffer("uses", torch.zeros(model.sizes.stages, model.sizes.words))

    def forward(self, pictures: Tensor, labels: Tensor) -> tuple[Tensor, ...]:
        latents = self.model.encode(pictures)
        flat = latents.permute(0, 2, 3, 1).flatten(0, 2)
        with torch.autocast(flat.device.type, enabled=False):  # the nearest word is a matter of small differences
            quantised, drift = self._quantised(flat)
        commitment = F.mse_loss(flat, quantised.detach())
        passed = (flat + (quantised - flat).detach()).view(len(latents), *latents.shape[2:], -1).permute(0, 3, 1, 2)
        error = reconstruction(self.model.logits(passed), pictures, self.settings.loss)
        return error + drift + self.settings.commitment * commitment, (self.uses > IDLE).float().mean()

    def _quantised(self, vectors: Tensor) -> tuple[Tensor, Tensor]:
        """``vectors`` (M, D) as sums of words, and how far the words are from what they stand for."""
        stages = self.model.sizes.stages
        kept = int(torch.randint(1, stages + 1, ())) if torch.rand(()) < 0.5 else stages
        rest, total, drift = vectors.detach(), torch.zeros_like(vectors), vectors.new_zeros(())
        for stage, codebook in enumerate(self.model.codebooks):
            self._wake(stage, codebook, rest)
            words = nearest(rest, codebook)
            chosen = codebook[words]
            drift = drift + F.mse_loss(chosen, rest)
            self._count(stage, words)
            rest = rest - chosen.detach()
            total = total + chosen if stage < kept else total
        return total, drift

    @torch.no_grad()
    def _wake(self, stage: int, codebook: Tensor, vectors: Tensor) -> None:
        """Put words that nobody uses where vectors are."""
        idle = self.uses[stage] < IDLE
        drawn = torch.randint(len(vectors), (len(codebook),), device=vectors.device)
        codebook.data[idle] = vectors[drawn[idle]]
        self.uses[stage, idle] = 1.0

    @torch.no_grad()
    def _count(self, stage: int, words: Tensor) -> None:
        """Uses of each word, 1 on average."""
        share = torch.bincount(words, minlength=self.uses.shape[1]) * (self.uses.shape[1] / len(words))
        self.uses[stage].lerp_(share.to(self.uses.dtype), 1 - MEMORY)
