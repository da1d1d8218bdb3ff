"""Weights that a training of the photo codec begins with, and how they fit a deeper architecture."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace
from typing import NamedTuple

import torch
from safetensors import SafetensorError
from safetensors.torch import load
from torch import Tensor

from archivae.errors import ModelError, UsageError
from archivae.models.photo.architecture import Architecture
from archivae.models.photo.thaw import thaw
from archivae.models.photo.trainable import TrainableCodec
from archivae.models.photo.weights import FORMAT as PHOTO
from archivae.models.photo.weights import PhotoWeights, parse_weights
from archivae.models.shipped import model_path
from archivae.models.weight_file import content_id, read_metadata

State = Mapping[str, Tensor]


class Start(NamedTuple):
    """Weights to begin with; ``shipped`` is the weight file they are from, None for a bare state dict.

    ``id`` is the model's, or that of the state dict's content.
    """

    state: State
    arch: Architecture
    id: bytes
    shipped: PhotoWeights | None


GROWING = ("fine_blocks", "coarse_blocks")
"""Sizes that can grow without changing what a model computes."""

_WIDTHS = {
    "fine": ("analysis.patch.weight", 0),
    "coarse": ("analysis.head.weight", 1),
    "latents": ("analysis.head.weight", 0),
    "hyper": ("hyper_analysis.head.weight", 0),
    "features": ("parameter_head.weight", 1),
    "context": ("contexts.0.enter.weight", 0),
    "hyper_context": ("hyper_contexts.0.enter.weight", 0),
}


def read_start(name: str) -> Start:
    """A shipped model by name, a weight file, or a ``.safetensors`` state dict of a `TrainableCodec`, of any float type.

    Raises UnknownModelError, or ModelError if the file is damaged or of another kind.
    """
    data = model_path(name).read_bytes()
    if _metadata(data).get("format") == PHOTO:
        weights = parse_weights(data)
        return Start(thaw(weights), weights.arch, weights.model_id(), weights)
    try:
        stored = load(data)
    except SafetensorError as error:
        raise ModelError(f"{name!r} is damaged: {error}") from error
    state = {key: tensor.float() for key, tensor in stored.items()}
    arch = architecture_of(state)
    return Start(state, arch, content_id([arch.asdict()], state), None)


def architecture_of(state: State) -> Architecture:
    """The architecture whose `TrainableCodec` has ``state``. Raises ModelError if none has."""
    try:
        widths = {name: state[tensor].shape[side] for name, (tensor, side) in _WIDTHS.items()}
    except (KeyError, IndexError) as error:
        raise ModelError(f"the weights are not of a photo codec in training: {error} is missing") from error
    depths = {f"{name}_blocks": _count_blocks(state, f"analysis.{name}.") for name in ("fine", "coarse")}
    arch = Architecture(**widths, **depths)
    with torch.device("meta"):
        expected = {name: tensor.shape for name, tensor in TrainableCodec(arch).state_dict().items()}
    found = {name: tensor.shape for name, tensor in state.items()}
    if differing := sorted(n for n in expected.keys() | found.keys() if expected.get(n) != found.get(n)):
        raise ModelError(
            f"the weights are not of a photo codec in training: {len(differing)} tensors differ, the first {differing[0]!r}"
        )
    return arch


def grow(state: State, sizes: Mapping[str, int], seed: int) -> tuple[dict[str, Tensor], Architecture]:
    """``state`` with more residual blocks, which compute the identity at first, and its new architecture.

    ``sizes`` maps names of `GROWING` to numbers no smaller than they are; ``seed`` is of the new weights. Raises
    UsageError.
    """
    arch = architecture_of(state)
    for name, size in sizes.items():
        if name not in GROWING:
            raise UsageError(f"only {' and '.join(GROWING)} can grow, not {name!r}: correct --grow")
        if size < getattr(arch, name):
            raise UsageError(f"{name} is {getattr(arch, name)} and cannot shrink to {size}: correct --grow")
    grown = replace(arch, **sizes)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        fresh = {n: t for n, t in TrainableCodec(grown).state_dict().items() if n not in state}
    for name in fresh:
        if name.endswith(("leave.weight", "narrow.weight")):
            fresh[name] = torch.zeros_like(fresh[name])
    return dict(state) | fresh, grown


def _metadata(data: bytes) -> dict[str, str]:
    """The texts at the head of a safetensors file; a state dict may have none."""
    try:
        return read_metadata(data)
    except ModelError:
        return {}


def _count_blocks(state: State, prefix: str) -> int:
    return len({match[1] for name in state if (match := re.match(rf"{re.escape(prefix)}(\d+)\.", name))})
