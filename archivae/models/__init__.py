"""Autoencoders in torch. Knows nothing of Beam or buckets."""

from archivae.models.accelerator import ACCELERATORS, fastest_dtype, pick_device
from archivae.models.photo.codec import PhotoCodec
from archivae.models.photo.weights import PhotoWeights, parse_weights
from archivae.models.shipped import DEFAULT_MODEL, load_model, model_path, shipped_ids, shipped_models

__all__ = [
    "ACCELERATORS",
    "DEFAULT_MODEL",
    "PhotoCodec",
    "PhotoWeights",
    "fastest_dtype",
    "load_model",
    "model_path",
    "parse_weights",
    "pick_device",
    "shipped_ids",
    "shipped_models",
]
