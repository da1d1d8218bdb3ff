"""The models that come with the package."""

from __future__ import annotations

import struct
from functools import cache
from pathlib import Path

from archivae.errors import UnknownModelError
from archivae.models.photo.weights import FORMAT as PHOTO
from archivae.models.photo.weights import PhotoWeights, parse_weights
from archivae.models.restore.weights import FORMAT as RESTORE
from archivae.models.restore.weights import RestorerWeights, parse_restorer
from archivae.models.weight_file import read_metadata

DEFAULT_MODEL = "photo"
_FOLDER = Path(__file__).parent / "weights"


def shipped_models() -> dict[str, Path]:
    """Weight files of photo codecs in the package, by name."""
    return _shipped(PHOTO)


def shipped_restorers() -> dict[str, Path]:
    """Weight files of restorers in the package, by name: that of their task."""
    return _shipped(RESTORE)


def model_path(name: str) -> Path:
    """The weight file of a shipped model, or a local path ending in ``.safetensors``. UnknownModelError if neither."""
    return _find(name, shipped_models())


def load_model(name: str = DEFAULT_MODEL) -> PhotoWeights:
    """A shipped model by name, or one from a ``.safetensors`` file. UnknownModelError, or ModelError if damaged."""
    return parse_weights(model_path(name).read_bytes())


def load_restorer(name: str) -> RestorerWeights:
    """A shipped restorer by its task, or one from a ``.safetensors`` file; errors as of `load_model`."""
    return parse_restorer(_find(name, shipped_restorers()).read_bytes())


@cache
def shipped_ids() -> dict[bytes, str]:
    """Names of the shipped photo codecs by id."""
    return {load_model(name).model_id(): name for name in shipped_models()}


@cache
def _shipped(kind: str) -> dict[str, Path]:
    paths = sorted(_FOLDER.glob("*.safetensors"))
    return {path.stem: path for path in paths if _format_of(path) == kind}


def _format_of(path: Path) -> str | None:
    """What kind of weight file it is; only its head is read."""
    with path.open("rb") as file:
        start = file.read(8)
        (length,) = struct.unpack("<Q", start)
        return read_metadata(start + file.read(length)).get("format")


def _find(name: str, shipped: dict[str, Path]) -> Path:
    path = Path(name) if name.endswith(".safetensors") else shipped.get(name)
    if path is None or not path.is_file():
        known = ", ".join(shipped)
        raise UnknownModelError(f"expected a model of {known}, or a .safetensors file, found {name!r}")
    return path
