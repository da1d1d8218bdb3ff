"""Two networks against each other: the objectives of gan and vae-gan.

Both take their steps at once. The discriminator sees made pictures cut off from what made them; what made them sees a
discriminator that stands still. The losses are hinges (Lim and Ye 2017, arXiv:1705.02894).
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from archivae.models.families import Family, Gan, VaeGan
from archivae.models.families.adversarial import Discriminator
from archivae.models.training.families.objective import Objective, frozen, reconstruction
from archivae.models.training.families.settings import GanSettings, VaeGanSettings
from archivae.models.training.families.variational import price

DISCRIMINATOR_DEPTH = 2
NOISE = 0.15
"""The discriminator sees everything under noise of this deviation (Sønderby et al. 2017, arXiv:1610.04490): else the exact
black of scanned paper, which no network gives, would tell made pictures from real ones."""


class _Adversarial(Objective):
    """An objective with a discriminator beside the model."""

    betas = (0.5, 0.9)

    def __init__(self, model: Family, settings: GanSettings | VaeGanSettings) -> None:
        super().__init__(model, settings)
        self.discriminator = Discriminator(model.form, model.sizes.width, DISCRIMINATOR_DEPTH)

    @torch.no_grad()
    def _features(self, pictures: Tensor) -> Tensor:
        return self._judge(pictures)[1]

    def _judge(self, pictures: Tensor) -> tuple[Tensor, Tensor]:
        scores, features = self.discriminator(pictures + NOISE * torch.randn_like(pictures))
        return scores, features

    def _separation(self, real: Tensor, made: Tensor) -> Tensor:
        """What the discriminator minimises: real pictures over 1, made ones under -1."""
        high, low = self._judge(real)[0], self._judge(made.detach())[0]
        return F.relu(1 - high).mean() + F.relu(1 + low).mean()


class GanObjective(_Adversarial):
    """Pictures out of noise that the discriminator takes for real."""

    measures = ("discriminator",)
    model: Gan

    def forward(self, pictures: Tensor, labels: Tensor) -> tuple[Tensor, ...]:
        noise = torch.randn(len(pictures), self.model.sizes.latents, device=pictures.device)
        made = self.model.decode(noise)
        separation = self._separation(pictures, made)
        with frozen(self.discriminator):
            scores, _ = self._judge(made)
        return separation - scores.mean(), separation


class VaeGanObjective(_Adversarial):
    """The lower bound, and pictures out of the prior that the discriminator takes for real.

    Reconstructions must also look like their pictures to the discriminator's last features.
    """

    measures = ("cross-entropy", "bits a picture", "discriminator")
    model: VaeGan

    def forward(self, pictures: Tensor, labels: Tensor) -> tuple[Tensor, ...]:
        posterior = self.model.posterior(pictures)
        logits = self.model.logits(posterior.draw())
        made = self.model.decode(torch.randn_like(posterior.mean))
        error = reconstruction(logits, pictures, "cross-entropy")
        divergence, bits = price(posterior, self.settings)
        with frozen(self.discriminator):
            scores, _ = self._judge(made)
            _, rebuilt = self._judge(logits.sigmoid())
            wanted = self._features(pictures)
        judged = F.mse_loss(rebuilt.float(), wanted.float()) - scores.mean()
        samples = pictures[0].numel()
        separation = self._separation(pictures, made)
        loss = error + (divergence + self.settings.adversarial * judged) / samples + separation / samples
        return loss, error, bits, separation
