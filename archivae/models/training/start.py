"""Weights that a training of the photo codec begins with, and how they fit a deeper architecture."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace

import torch
from torch import Tensor

from archivae.errors import ModelError, UsageError
from archivae.models.photo.architecture import Architecture
from archivae.models.photo.trainable import TrainableCodec

State = Mapping[str, Tensor]

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


def _count_blocks(state: State, prefix: str) -> int:
    return len({match[1] for name in state if (match := re.match(rf"{re.escape(prefix)}(\d+)\.", name))})
