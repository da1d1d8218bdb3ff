"""What a training run of a family does."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from torch import nn

from archivae.errors import UsageError
from archivae.models.families import FAMILIES
from archivae.models.families.family import Sizes
from archivae.models.protocol import Form
from archivae.models.training.families import OBJECTIVES
from archivae.models.training.families.settings import SETTINGS, Settings
from archivae.models.training.optim import OneOptimiser, Steps
from archivae.models.training.plan import Plan

if TYPE_CHECKING:
    from typing_extensions import Self

OptimiserKind = Literal["adam", "sgd"]


@dataclass(frozen=True, kw_only=True)
class FamilyPlan(Plan):
    """The plan of a model of ``family`` for pictures of ``form``.

    Attributes:
        optimiser, rate: what takes the steps, and its peak learning rate.
        until_loss: stop before the last step once the loss is this low; None: never.
        settings: of the family's objective.
        architecture: the sizes of the network.
    """

    family: str
    form: Form
    optimiser: OptimiserKind
    rate: float
    until_loss: float | None
    settings: Settings
    architecture: Sizes

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.optimiser not in ("adam", "sgd"):
            raise UsageError(f"expected --optimiser adam or sgd, found {self.optimiser!r}")

    @classmethod
    def from_dict(cls, stored: Mapping[str, Any]) -> Self:
        try:
            family = stored["family"]
            parts = {
                "form": Form(**{**stored["form"], "labels": tuple(stored["form"]["labels"])}),
                "settings": SETTINGS[family](**stored["settings"]),
                "architecture": FAMILIES[family].sizes_type(**stored["architecture"]),
            }
            return cls(**{**stored, **parts})
        except (KeyError, TypeError) as error:
            raise UsageError(
                f"the checkpoint is of another kind of model: {error}; give the options it began with, or another folder"
            ) from error

    def optimisers(self, model: nn.Module) -> Steps:
        return OneOptimiser(model, self.optimiser, self.rate, OBJECTIVES[self.family].betas)
