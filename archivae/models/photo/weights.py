"""The weight file of a photo codec: safetensors, with an id that is a hash of everything that decides a bitstream."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import torch
from safetensors.torch import load, save
from torch import Tensor

from archivae.bitstream import Tables
from archivae.errors import ModelError
from archivae.models.photo.architecture import ANCHORS, Architecture
from archivae.models.photo.exact import TABLES
from archivae.models.photo.integer import IntegerWeights, check_exact
from archivae.models.photo.shapes import exact_shapes, float_shapes
from archivae.models.weight_file import (
    DAMAGE,
    check_finite,
    check_header,
    check_numbers,
    content_id,
    parse_architecture,
    read_metadata,
    with_sorted_metadata,
)
from archivae.untrusted import shown

FORMAT = "archivae-photo-0"

MOST_BLOCKS, MOST_CHANNELS = 32, 4096
"""Of an architecture in a weight file: a network is built of so much before its weights are compared with it."""

_FLOAT_PARTS = ("analysis.", "synthesis.", "hyper_analysis.", "encoder_gain", "decoder_gain")


@dataclass(frozen=True)
class PhotoWeights:
    """A shipped photo codec, in memory.

    ``floats`` are the transforms' weights; ``layers`` the integer networks; ``index_offset`` and ``hyper_index`` table
    numbers in steps of 1/16; ``tables`` the frequencies.
    """

    name: str
    arch: Architecture
    floats: Mapping[str, Tensor]
    layers: Mapping[str, IntegerWeights]
    index_offset: Tensor
    hyper_index: Tensor
    tables: Tables

    def tensors(self) -> dict[str, Tensor]:
        """Everything as named tensors, as stored: int8 weights, int32 biases, uint8 shifts, float16 transforms."""
        stored = dict(self.floats)
        for name, layer in self.layers.items():
            stored[f"{name}.weight"] = layer.weight.to(torch.int8)
            stored[f"{name}.bias"] = layer.bias.to(torch.int32)
            stored[f"{name}.shift"] = layer.shift.to(torch.uint8)
        stored["index_offset"] = self.index_offset.to(torch.int32)
        stored["hyper_index"] = self.hyper_index.to(torch.int32)
        stored["tables.cumulative"] = torch.from_numpy(self.tables.cumulative.astype(np.int32))
        stored["tables.radius"] = torch.from_numpy(self.tables.radius)
        return {name: tensor.contiguous() for name, tensor in stored.items()}

    def model_id(self) -> bytes:
        """The first 8 bytes of a SHA-256 over architecture, weights and tables (not the name)."""
        return content_id([FORMAT, self.arch.asdict()], self.tensors())

    def to_bytes(self) -> bytes:
        """The weight file. safetensors with a fixed order: the same model gives the same bytes."""
        metadata = {"format": FORMAT, "name": self.name, "architecture": json.dumps(self.arch.asdict(), sort_keys=True)}
        metadata["id"] = self.model_id().hex()
        return with_sorted_metadata(save(self.tensors()), metadata)


def parse_weights(data: bytes) -> PhotoWeights:
    """Read a weight file; raises ModelError when it is damaged or of another kind."""
    check_header(data)
    metadata = read_metadata(data)
    if metadata.get("format") != FORMAT:
        raise ModelError(f"expected a weight file of format {FORMAT}, found {shown(repr(metadata.get('format')), 80)}")
    try:
        stored = load(data)
        arch = _architecture(metadata["architecture"])
        weights = PhotoWeights(
            name=metadata["name"],
            arch=arch,
            floats={n: t for n, t in stored.items() if n.startswith(_FLOAT_PARTS)},
            layers=_layers(stored),
            index_offset=stored["index_offset"],
            hyper_index=stored["hyper_index"],
            tables=_tables(stored),
        )
        check_finite(stored)
        _check_shapes(weights)
    except DAMAGE as error:
        raise ModelError(f"the weight file is damaged: {shown(error)}") from error
    if weights.model_id().hex() != metadata.get("id"):
        raise ModelError("the weights do not match the id in their file: it is damaged")
    return weights


def _architecture(text: str) -> Architecture:
    numbers = parse_architecture(text)
    check_numbers(numbers, {"fine_blocks": MOST_BLOCKS, "coarse_blocks": MOST_BLOCKS}, MOST_CHANNELS)
    return Architecture(**numbers)


def _check_shapes(weights: PhotoWeights) -> None:
    """ValueError unless the tensors are those of the architecture; nothing is allocated to see."""
    arch = weights.arch
    wanted: dict[str, tuple[int, ...]] = {
        **exact_shapes(arch),
        **float_shapes(arch),
        "index_offset": (ANCHORS, arch.latents),
        "hyper_index": (ANCHORS, arch.hyper),
    }
    found = {name: tuple(layer.weight.shape) for name, layer in weights.layers.items()}
    found |= {name: tuple(tensor.shape) for name, tensor in weights.floats.items()}
    found |= {name: tuple(getattr(weights, name).shape) for name in ("index_offset", "hyper_index")}
    differing = sorted(found.items() ^ wanted.items())[:4]
    if differing:
        raise ValueError(f"expected the tensors of its architecture, found others: {differing}")
    for name, layer in weights.layers.items():
        if not layer.bias.shape == layer.shift.shape == layer.weight.shape[:1]:
            raise ValueError(f"expected a bias and a shift for each output of {name}")


def _layers(stored: Mapping[str, Tensor]) -> dict[str, IntegerWeights]:
    layers = {}
    for name in (n.removesuffix(".shift") for n in stored if n.endswith(".shift")):
        layers[name] = IntegerWeights(*(stored[f"{name}.{field}"].float() for field in IntegerWeights._fields))
        check_exact(layers[name])
    return layers


def _tables(stored: Mapping[str, Tensor]) -> Tables:
    whole = stored["tables.cumulative"].numpy()
    tables = Tables(whole.astype(np.uint16), stored["tables.radius"].numpy())
    if len(tables.radius) != TABLES or not np.array_equal(tables.cumulative, whole):
        raise ValueError(f"expected {TABLES} tables of 16-bit numbers, found {len(whole)} up to {whole.max()}")
    return tables
