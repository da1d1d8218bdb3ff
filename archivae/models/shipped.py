"""The models that come with the package."""

from __future__ import annotations

from functools import cache
from pathlib import Path

from archivae.errors import UnknownModelError
from archivae.models.photo.weights import PhotoWeights, parse_weights

DEFAULT_MODEL = "photo"
_FOLDER = Path(__file__).parent / "weights"


def shipped_models() -> dict[str, Path]:
    """Weight files in the package, by name."""
    return {path.stem: path for path in sorted(_FOLDER.glob("*.safetensors"))}


def model_path(name: str) -> Path:
    """The weight file of a shipped model, or a local path ending in ``.safetensors``. UnknownModelError if neither."""
    path = Path(name) if name.endswith(".safetensors") else shipped_models().get(name)
    if path is None or not path.is_file():
        known = ", ".join(shipped_models())
        raise UnknownModelError(f"expected a model of {known}, or a .safetensors file, found {name!r}")
    return path


def load_model(name: str = DEFAULT_MODEL) -> PhotoWeights:
    """A shipped model by name, or one from a ``.safetensors`` file. UnknownModelError, or ModelError if damaged."""
    return parse_weights(model_path(name).read_bytes())


@cache
def shipped_ids() -> dict[bytes, str]:
    """Names of the shipped models by id."""
    return {load_model(name).model_id(): name for name in shipped_models()}
