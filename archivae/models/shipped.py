"""The models that come with the package."""

from __future__ import annotations

import struct
from functools import cache
from pathlib import Path

from archivae.errors import UnknownModelError
from archivae.models.families.weights import FORMAT as FAMILY
from archivae.models.families.weights import FamilyWeights, parse_family
from archivae.models.photo.weights import FORMAT as PHOTO
from archivae.models.photo.weights import PhotoWeights, parse_weights
from archivae.models.restore.weights import FORMAT as RESTORE
from archivae.models.restore.weights import RestorerWeights, parse_restorer
from archivae.models.weight_file import read_metadata

CodecWeights = PhotoWeights | FamilyWeights

DEFAULT_MODEL = "photo"
_FOLDER = Path(__file__).parent / "weights"


def shipped_models() -> dict[str, Path]:
    """Weight files of photo codecs in the package, by name."""
    return _shipped(PHOTO)


def shipped_families() -> dict[str, Path]:
    """Weight files of autoencoder families in the package, by name."""
    return _shipped(FAMILY)


def shipped_codecs() -> dict[str, Path]:
    """Weight files of all that can be called a model: photo codecs and families."""
    return shipped_models() | shipped_families()


def shipped_restorers() -> dict[str, Path]:
    """Weight files of restorers in the package, by name: that of their task."""
    return _shipped(RESTORE)


def model_path(name: str) -> Path:
    """The weight file of a shipped model, or a local path ending in ``.safetensors``. UnknownModelError if neither."""
    return _find(name, shipped_models())


def load_model(name: str = DEFAULT_MODEL) -> PhotoWeights:
    """A shipped model by name, or one from a ``.safetensors`` file. UnknownModelError, or ModelError if damaged."""
    return parse_weights(model_path(name).read_bytes())


def restorer_path(name: str) -> Path:
    """The weight file of a shipped restorer, by its task, or a local path; errors as of `model_path`."""
    return _find(name, shipped_restorers())


def load_restorer(name: str) -> RestorerWeights:
    """A shipped restorer by its task, or one from a ``.safetensors`` file; errors as of `load_model`."""
    return parse_restorer(restorer_path(name).read_bytes())


def codec_path(name: str) -> Path:
    """The weight file of a photo codec or family; else as `model_path`."""
    return _find(name, shipped_codecs())


def parse_codec(data: bytes) -> CodecWeights:
    """Read a weight file of a photo codec or a family. ModelError when it is damaged or of another kind."""
    return parse_family(data) if read_metadata(data).get("format") == FAMILY else parse_weights(data)


@cache
def shipped_ids() -> dict[bytes, str]:
    """Names of the shipped photo codecs and families by id."""
    return {parse_codec(path.read_bytes()).model_id(): name for name, path in shipped_codecs().items()}


@cache
def _shipped(kind: str) -> dict[str, Path]:
    paths = {path.stem: path for path in _FOLDER.glob("*.safetensors") if _format_of(path) == kind}
    return dict(sorted(paths.items()))  # not by file names: of "photo" and "photo-psnr" the former comes first


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
