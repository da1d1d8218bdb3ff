"""Autoencoders in torch. Knows nothing of Beam or buckets."""

from archivae.models.accelerator import ACCELERATORS, fastest_dtype, pick_device
from archivae.models.families import FAMILIES
from archivae.models.families.codec import FamilyCodec
from archivae.models.families.weights import FamilyWeights, parse_family
from archivae.models.photo.codec import PhotoCodec
from archivae.models.photo.refine import MOST_EFFORT
from archivae.models.photo.weights import PhotoWeights, parse_weights
from archivae.models.protocol import Autoencoder, Decoder, Describer, Form, Sampler
from archivae.models.registry import ModelName, open_model
from archivae.models.restore.assess import Assessment, assess
from archivae.models.restore.restorer import Restored, Restorer
from archivae.models.restore.tasks import TASKS
from archivae.models.restore.weights import RestorerWeights, parse_restorer
from archivae.models.running import RunningModel
from archivae.models.shipped import (
    DEFAULT_MODEL,
    CodecWeights,
    codec_path,
    load_model,
    load_restorer,
    model_path,
    parse_codec,
    restorer_path,
    shipped_codecs,
    shipped_families,
    shipped_ids,
    shipped_models,
    shipped_restorers,
)

__all__ = [
    "ACCELERATORS",
    "assess",
    "Assessment",
    "Autoencoder",
    "codec_path",
    "CodecWeights",
    "Decoder",
    "DEFAULT_MODEL",
    "Describer",
    "FAMILIES",
    "FamilyCodec",
    "FamilyWeights",
    "fastest_dtype",
    "Form",
    "load_model",
    "load_restorer",
    "model_path",
    "ModelName",
    "MOST_EFFORT",
    "open_model",
    "parse_codec",
    "parse_family",
    "parse_restorer",
    "parse_weights",
    "PhotoCodec",
    "PhotoWeights",
    "pick_device",
    "Restored",
    "Restorer",
    "RestorerWeights",
    "RunningModel",
    "Sampler",
    "shipped_codecs",
    "shipped_families",
    "restorer_path",
    "shipped_ids",
    "shipped_models",
    "shipped_restorers",
    "TASKS",
]
