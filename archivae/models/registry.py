"""From what people call a model to a model at work.

A model is called by

- the name of one that comes with the package: ``vae-digits``;
- a weight file of one of the families, or of the photo codec: ``gs://bucket/mine.safetensors``;
- the name of a family beside ``weights``: ``vae`` and ``gs://bucket/mine.safetensors``;
- a name that an installed package registers under the entry point group ``archivae.models``;
- ``package.module:Class``, which is imported. So a name must come from who runs the job, never out of a file.

Both of the last stand for something that, called with what ``architecture`` in the metadata of ``weights`` says (nothing,
if it says nothing), makes a model of `archivae.models.protocol` that is a `torch.nn.Module`.
"""

from __future__ import annotations

import importlib
import re
from collections.abc import Callable
from dataclasses import dataclass
from importlib.metadata import entry_points
from pathlib import Path
from typing import Any

from safetensors import SafetensorError
from safetensors.torch import load
from torch import Tensor, nn

from archivae.errors import ModelError, UnknownModelError
from archivae.models.accelerator import pick_device
from archivae.models.families import FAMILIES
from archivae.models.families.weights import FamilyWeights
from archivae.models.photo.features import PhotoFeatures
from archivae.models.protocol import Decoder, Describer
from archivae.models.running import RunningModel
from archivae.models.shipped import codec_path, parse_codec, shipped_codecs
from archivae.models.weight_file import check_finite, content_id, parse_architecture, read_metadata
from archivae.untrusted import shown

GROUP = "archivae.models"
_IMPORTED = re.compile(r"[A-Za-z_][\w.]*:[A-Za-z_]\w*")

Read = Callable[[str], bytes]
"""From the URI of a weight file to its bytes."""


@dataclass(frozen=True)
class ModelName:
    """What a model is called: the options ``--model`` and ``--weights``."""

    model: str
    weights: str = ""

    def __str__(self) -> str:
        return f"{self.model} with {self.weights}" if self.weights else self.model


def _read_local(uri: str) -> bytes:
    return Path(uri).read_bytes()


def open_model(name: ModelName | str, accelerator: str = "auto", read: Read = _read_local) -> RunningModel:
    """The model on its device, ready to be used; a plain text is a name without weights.

    Raises UnknownModelError for a name that is nobody's, ModelError for weights that are damaged, of another family or of
    another class, AcceleratorError where there is no such device.
    """
    name = ModelName(name) if isinstance(name, str) else name
    device = pick_device(accelerator)
    model, model_id = _find(name, read)
    return RunningModel(name.model, model_id.hex(), model.to(device), device)  # type: ignore[arg-type]


def registered() -> list[str]:
    """Names that installed packages register."""
    return sorted(point.name for point in entry_points(group=GROUP))


def _find(name: ModelName, read: Read) -> tuple[nn.Module, bytes]:
    model, weights = name.model, name.weights
    if _IMPORTED.fullmatch(model):
        return _make(_import(model), model, read(weights) if weights else None)
    if model in FAMILIES and weights:
        return _from_file(read(weights), expected=model)
    if model in registered():
        (factory,) = entry_points(group=GROUP, name=model)
        return _make(factory.load(), model, read(weights) if weights else None)
    if weights:
        raise UnknownModelError(
            f"expected --weights beside a family ({', '.join(FAMILIES)}), a registered model or package.module:Class, "
            f"found them beside {model!r}: leave them out"
        )
    if model in shipped_codecs():
        return _from_file(codec_path(model).read_bytes())
    if model.endswith(".safetensors"):
        return _from_file(read(model))
    known = ", ".join([*shipped_codecs(), *registered()])
    raise UnknownModelError(
        f"expected a model of {known}, a .safetensors file or package.module:Class, found {model!r}"
    )


def _from_file(data: bytes, expected: str = "") -> tuple[nn.Module, bytes]:
    weights = parse_codec(data)
    found = weights.family if isinstance(weights, FamilyWeights) else "photo"
    if expected and found != expected:
        raise ModelError(f"expected weights of the family {expected}, found those of {found}: say --model {found}")
    model = weights.build() if isinstance(weights, FamilyWeights) else PhotoFeatures(weights)
    return model, weights.model_id()


def _import(path: str) -> Callable[..., Any]:
    module, _, attribute = path.partition(":")
    try:
        found = getattr(importlib.import_module(module), attribute)
    except (ImportError, AttributeError) as error:
        raise UnknownModelError(
            f"cannot import {path}: {error}; is its package installed, and the name right?"
        ) from error
    if not callable(found):
        raise UnknownModelError(f"expected a class or function at {path}, found {type(found).__name__}")
    made: Callable[..., Any] = found
    return made


def _make(factory: Callable[..., Any], name: str, data: bytes | None) -> tuple[nn.Module, bytes]:
    """What ``factory`` makes, with the weights of ``data`` in it, and a hash of both."""
    architecture = _architecture(data)
    try:
        model = factory(**architecture)
    except TypeError as error:
        raise ModelError(f"{name} cannot be made with {architecture or 'no arguments'}: {error}") from error
    if not isinstance(model, nn.Module) or not isinstance(model, Decoder | Describer):
        raise ModelError(
            f"expected {name} to make a torch.nn.Module with form and decode (or describe), found "
            f"{type(model).__name__}: see archivae.models.protocol"
        )
    if data is not None:
        _fill(model, data, name)
    model.eval().requires_grad_(False)
    tensors: dict[str, Tensor] = {key: tensor.contiguous() for key, tensor in model.state_dict().items()}
    return model, content_id([name, architecture], tensors)


def _architecture(data: bytes | None) -> dict[str, Any]:
    text = "{}" if data is None else _metadata(data).get("architecture", "{}")
    try:
        return dict(parse_architecture(text))
    except (ValueError, TypeError) as error:
        raise ModelError(
            f"expected a JSON object as architecture in the weight file, found {shown(repr(text), 200)}"
        ) from error


def _metadata(data: bytes) -> dict[str, str]:
    try:
        return read_metadata(data)
    except ModelError:
        return {}  # a file may have none; whether it is a weight file at all shows when it is loaded


def _fill(model: nn.Module, data: bytes, name: str) -> None:
    try:
        tensors = load(data)
        check_finite(tensors)
        model.load_state_dict(tensors)
    except (SafetensorError, RuntimeError, ValueError) as error:
        raise ModelError(f"the weights are not those of {name}: {error}") from error
