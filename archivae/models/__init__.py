"""Autoencoders in torch. Knows nothing of Beam or buckets."""

from archivae.models.accelerator import ACCELERATORS, fastest_dtype, pick_device
from archivae.models.photo.codec import PhotoCodec
from archivae.models.photo.weights import PhotoWeights, parse_weights
from archivae.models.restore.assess import Assessment, assess
from archivae.models.restore.restorer import Restored, Restorer
from archivae.models.restore.tasks import TASKS
from archivae.models.restore.weights import RestorerWeights, parse_restorer
from archivae.models.shipped import (
    DEFAULT_MODEL,
    load_model,
    load_restorer,
    model_path,
    shipped_ids,
    shipped_models,
    shipped_restorers,
)

__all__ = [
    "ACCELERATORS",
    "Assessment",
    "DEFAULT_MODEL",
    "PhotoCodec",
    "PhotoWeights",
    "Restored",
    "Restorer",
    "RestorerWeights",
    "TASKS",
    "assess",
    "fastest_dtype",
    "load_model",
    "load_restorer",
    "model_path",
    "parse_restorer",
    "parse_weights",
    "pick_device",
    "shipped_ids",
    "shipped_models",
    "shipped_restorers",
]
