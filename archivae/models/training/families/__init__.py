"""How each family is taught: what its steps minimise."""

from archivae.models.training.families.adversarial import GanObjective, VaeGanObjective
from archivae.models.training.families.objective import Objective
from archivae.models.training.families.reconstruction import ConvObjective, DenoisingObjective, DenseObjective
from archivae.models.training.families.variational import CvaeObjective, VaeObjective
from archivae.models.training.families.vector_quantised import VqObjective

OBJECTIVES: dict[str, type[Objective]] = {
    "dense": DenseObjective,
    "conv": ConvObjective,
    "denoising": DenoisingObjective,
    "vae": VaeObjective,
    "cvae": CvaeObjective,
    "gan": GanObjective,
    "vae-gan": VaeGanObjective,
    "vq": VqObjective,
}

__all__ = ["OBJECTIVES", "Objective"]
