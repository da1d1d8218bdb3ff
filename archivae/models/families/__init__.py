"""The families of small autoencoders, each in a file of its own."""

from archivae.models.families.adversarial import Gan
from archivae.models.families.conditional import Cvae
from archivae.models.families.convolutional import Conv, Denoising
from archivae.models.families.dense import Dense
from archivae.models.families.family import Family
from archivae.models.families.variational import Vae, VaeGan
from archivae.models.families.vector_quantised import Vq

_FAMILIES: tuple[type[Family], ...] = (Dense, Conv, Denoising, Vae, Cvae, Gan, VaeGan, Vq)
FAMILIES: dict[str, type[Family]] = {family.name: family for family in _FAMILIES}

__all__ = ["FAMILIES", "Conv", "Cvae", "Denoising", "Dense", "Family", "Gan", "Vae", "VaeGan", "Vq"]
