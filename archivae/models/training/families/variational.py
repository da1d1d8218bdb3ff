"""The evidence lower bound: the objectives of vae and cvae."""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from torch import Tensor

from archivae.models.families import Cvae, Vae
from archivae.models.families.variational import Posterior
from archivae.models.training.families.objective import Objective, reconstruction
from archivae.models.training.families.settings import VaeSettings


class VaeObjective(Objective):
    """Cross-entropy of the reconstruction plus beta times the divergence, in nats a sample of the picture."""

    measures = ("cross-entropy", "bits a picture")
    model: Vae

    def forward(self, pictures: Tensor, labels: Tensor) -> tuple[Tensor, ...]:
        posterior = self.model.posterior(pictures)
        error = reconstruction(self.model.logits(posterior.draw()), pictures, "cross-entropy")
        divergence, bits = price(posterior, self.settings)
        return error + divergence / pictures[0].numel(), error, bits


class CvaeObjective(Objective):
    """The same with the picture's class told to the decoder, and read off the picture by the encoder."""

    measures = ("cross-entropy", "bits a picture", "wrong labels")
    model: Cvae

    def forward(self, pictures: Tensor, labels: Tensor) -> tuple[Tensor, ...]:
        posterior, scores = self.model.posterior(pictures)
        told = F.one_hot(labels, self.model.classes).float()
        error = reconstruction(self.model.logits(torch.cat([posterior.draw(), told], 1)), pictures, "cross-entropy")
        divergence, bits = price(posterior, self.settings)
        loss = error + (divergence + F.cross_entropy(scores, labels)) / pictures[0].numel()
        return loss, error, bits, (scores.argmax(1) != labels).float().mean()


def price(posterior: Posterior, settings: VaeSettings) -> tuple[Tensor, Tensor]:
    """What the divergence costs in nats a picture, free bits off; and what it is, in bits a picture."""
    mean = posterior.divergence().mean(0)
    paid = mean.clamp_min(settings.free_bits * math.log(2)).sum()
    return settings.beta * paid, mean.sum() / math.log(2)
