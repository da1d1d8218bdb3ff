"""What a step of a family's training minimises: the model, and whatever is needed beside it only while it learns."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, ClassVar

import torch.nn.functional as F
from torch import Tensor, nn

from archivae.models.families import Family
from archivae.models.training.families.settings import Loss


class Objective(nn.Module, ABC):
    """Called with pictures (N, C, H, W) in [0, 1] and labels (N,), it gives the loss and then ``measures``.

    Attributes:
        measures: names of what is reported besides the loss.
        betas: of Adam.
        model: what is taught, and shipped.
    """

    measures: ClassVar[tuple[str, ...]] = ()
    betas: ClassVar[tuple[float, float]] = (0.9, 0.99)

    def __init__(self, model: Family, settings: Any) -> None:
        super().__init__()
        self.model = model
        self.settings = settings

    @abstractmethod
    def forward(self, pictures: Tensor, labels: Tensor) -> tuple[Tensor, ...]:
        """Scalars, means over the batch."""


def reconstruction(logits: Tensor, pictures: Tensor, loss: Loss) -> Tensor:
    """The mean over all samples of the squared error, or of the cross-entropy in nats."""
    if loss == "mse":
        return F.mse_loss(logits.sigmoid(), pictures)
    return F.binary_cross_entropy_with_logits(logits, pictures)


@contextmanager
def frozen(module: nn.Module) -> Iterator[None]:
    """What is computed inside hands gradients through ``module`` but leaves none in it."""
    module.requires_grad_(False)
    try:
        yield
    finally:
        module.requires_grad_(True)
