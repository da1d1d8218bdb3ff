"""The evidence lower bound: the objectives of vae and cvae."""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from torch import Tensor

from archivae.models.families import Cvae, Vae
from archivae.models.families.variational import Posterior
from archivae.models.training.families.objective import Objective, frozen, reconstruction
from archivae.models.training.families.settings import VaeSettings

READING, SAMPLING = 20.0, 5.0
"""Weights of reading a picture's class and a sample's, in nats a picture: against some hundred of a picture's own they would
hardly be learned (Kingma et al. weigh the first likewise)."""


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
    """The same with the picture's class told to the decoder, and read off the picture by the encoder.

    And what is drawn from the prior for a class must be read as that class (as in CVAE-GAN, Bao et al. 2017,
    arXiv:1703.10155): without that, a manner at odds with the class wins too often.
    """

    measures = ("cross-entropy", "bits a picture", "wrong labels", "wrong samples")
    model: Cvae

    def forward(self, pictures: Tensor, labels: Tensor) -> tuple[Tensor, ...]:
        model = self.model
        told = F.one_hot(labels, model.classes).float()
        seen, scores = model.read(pictures)
        posterior = model.posterior(seen, told)
        error = reconstruction(model.logits(torch.cat([posterior.draw(), told], 1)), pictures, "cross-entropy")
        divergence, bits = price(posterior, self.settings)
        sampled = model.decode(torch.cat([torch.randn_like(posterior.mean), told], 1))
        with frozen(model.down), frozen(model.look), frozen(model.tell_class):
            _, read = model.read(sampled)
        classes = READING * F.cross_entropy(scores, labels) + SAMPLING * F.cross_entropy(read, labels)
        loss = error + (divergence + classes) / pictures[0].numel()
        return loss, error, bits, _wrong(scores, labels), _wrong(read, labels)


def _wrong(scores: Tensor, labels: Tensor) -> Tensor:
    return (scores.argmax(1) != labels).float().mean()


def price(posterior: Posterior, settings: VaeSettings) -> tuple[Tensor, Tensor]:
    """What the divergence costs in nats a picture, free bits off; and what it is, in bits a picture."""
    mean = posterior.divergence().mean(0)
    paid = mean.clamp_min(settings.free_bits * math.log(2)).sum()
    return settings.beta * paid, mean.sum() / math.log(2)
