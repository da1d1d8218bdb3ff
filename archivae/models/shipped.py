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


def read_model_bytes(name: str) -> bytes:
    """The weight file of a shipped model, or of a local path ending in ``.safetensors``."""
    path = Path(name) if name.endswith(".safetensors") else shipped_models().get(name)
    if path is None or not path.is_file():
        known = ", ".join(shipped_models())
        raise UnknownModelError(f"expected a model of {known}, or a .safetensors file, found {name!r}")
    return path.read_bytes()


def load_model(name: str = DEFAULT_MODEL) -> PhotoWeights:
    """A shipped model by name, or one from a ``.safetensors`` file. UnknownModelError, or ModelError if damaged."""
    return parse_weights(read_model_bytes(name))


@cache
def shipped_ids() -> dict[bytes, str]:
    """Names of the shipped models by id."""
    return {load_model(name).model_id(): name for name in shipped_models()}


def shipped_by_id(model_id: bytes) -> PhotoWeights | None:
    """The shipped model with that id, if any."""
    name = shipped_ids().get(model_id)
    return None if name is None else load_model(name)
