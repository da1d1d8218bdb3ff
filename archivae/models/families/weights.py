"""The weight file of a family's model: safetensors with its form and sizes, what its codec needs, and a hash of it all."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

import torch
from safetensors.torch import load, save
from torch import Tensor

from archivae.errors import ModelError
from archivae.models.families import FAMILIES, Family
from archivae.models.protocol import Form
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

FORMAT = "archivae-family-0"
MOST_DEPTH, MOST_UNITS = 32, 1 << 16
"""Of an architecture in a weight file: a network is built of so much before its weights are compared with it."""
MOST_SIDE = 1 << 14
MOST_LABELS = 1 << 16
_NETWORK, _CODEC = "network.", "codec."


@dataclass(frozen=True)
class FamilyWeights:
    """A trained model in memory.

    ``network`` is its ``state_dict``, floats in float16. ``codec`` is what quantises its latents and codes them
    (`archivae.models.families.quantiser`); empty for a model that takes no pictures in.
    """

    name: str
    family: str
    form: Form
    sizes: Mapping[str, int]
    network: Mapping[str, Tensor]
    codec: Mapping[str, Tensor] = field(default_factory=dict)

    def build(self) -> Family:
        """The model in float32, on the CPU, to be used, not trained."""
        model = _untrained(self.family, self.form, self.sizes)
        model.load_state_dict({name: t.float() if t.is_floating_point() else t for name, t in self.network.items()})
        return model.eval().requires_grad_(False)

    def tensors(self) -> dict[str, Tensor]:
        """Everything as named tensors, as stored."""
        parts = ((_NETWORK, self.network), (_CODEC, self.codec))
        return {prefix + name: tensor.contiguous() for prefix, part in parts for name, tensor in part.items()}

    def model_id(self) -> bytes:
        """The first 8 bytes of a SHA-256 over family, form, sizes and tensors (not the name)."""
        return content_id([FORMAT, self.family, asdict(self.form), dict(self.sizes)], self.tensors())

    def to_bytes(self) -> bytes:
        """The weight file: the same model gives the same bytes."""
        metadata = {
            "format": FORMAT,
            "name": self.name,
            "family": self.family,
            "form": json.dumps(asdict(self.form), sort_keys=True),
            "architecture": json.dumps(dict(self.sizes), sort_keys=True),
            "id": self.model_id().hex(),
        }
        return with_sorted_metadata(save(self.tensors()), metadata)


def stored_network(model: Family) -> dict[str, Tensor]:
    """A trained network as it is stored. ModelError if float16 cannot hold it."""
    tensors = {name: t.detach().cpu().contiguous() for name, t in model.state_dict().items()}
    stored = {name: t.to(torch.float16) if t.is_floating_point() else t for name, t in tensors.items()}
    if broken := ", ".join(name for name, tensor in stored.items() if not tensor.isfinite().all()):
        raise ModelError(f"expected weights within float16, found others in {broken}; train with a lower rate")
    return stored


def parse_family(data: bytes) -> FamilyWeights:
    """Read a weight file; ModelError when it is damaged or of another kind."""
    check_header(data)
    metadata = read_metadata(data)
    if metadata.get("format") != FORMAT:
        raise ModelError(
            f"expected a weight file of format {FORMAT}, found "
            f"{shown(repr(metadata.get('format')), 80)}: give the weights of an autoencoder family ({', '.join(FAMILIES)})"
        )
    try:
        tensors = load(data)
        weights = FamilyWeights(
            name=metadata["name"],
            family=metadata["family"],
            form=_form(parse_architecture(metadata["form"])),
            sizes=_sizes(parse_architecture(metadata["architecture"])),
            network=_part(tensors, _NETWORK),
            codec=_part(tensors, _CODEC),
        )
        check_finite(tensors)
        _check_shapes(weights)
    except DAMAGE as error:
        raise ModelError(f"the weight file is damaged: {shown(error)}") from error
    if weights.model_id().hex() != metadata.get("id"):
        raise ModelError("the weights do not match the id in their file: it is damaged")
    return weights


def _form(stored: Mapping[str, Any]) -> Form:
    """ValueError for what is no form, or larger than a family's network is built for."""
    form = Form(**{**stored, "labels": tuple(stored["labels"])})
    check_numbers({name: getattr(form, name) for name in ("channels", "height", "width", "grain")}, {}, MOST_SIDE)
    if form.channels not in (1, 3) or not form.height > 0 or not form.width > 0 or form.grain < 1:
        raise ValueError(f"a form of {form.channels} channels and {form.height}x{form.width}")
    if len(form.labels) > MOST_LABELS or not all(isinstance(label, str) for label in form.labels):
        raise ValueError(f"labels that are no texts, or more than {MOST_LABELS}")
    return form


def _sizes(stored: Any) -> dict[str, int]:
    """ValueError for numbers that no network is built of."""
    sizes = dict(stored)
    check_numbers(sizes, {"depth": MOST_DEPTH}, MOST_UNITS)
    return sizes


def _part(tensors: Mapping[str, Tensor], prefix: str) -> dict[str, Tensor]:
    return {name.removeprefix(prefix): tensor for name, tensor in tensors.items() if name.startswith(prefix)}


def _untrained(family: str, form: Form, sizes: Mapping[str, int]) -> Family:
    kind = FAMILIES.get(family)
    if kind is None:
        raise ModelError(f"expected a family of {', '.join(FAMILIES)}, found {family!r}: install a newer release")
    return kind(form, kind.sizes_type(**sizes))


def _check_shapes(weights: FamilyWeights) -> None:
    """ValueError unless the tensors are those of the architecture; nothing is allocated to see."""
    with torch.device("meta"):
        expected = _untrained(weights.family, weights.form, weights.sizes).state_dict()
    found = {name: tuple(tensor.shape) for name, tensor in weights.network.items()}
    wanted = {name: tuple(tensor.shape) for name, tensor in expected.items()}
    if found != wanted:
        raise ValueError(
            f"expected the tensors of its architecture, found others: {sorted(found.items() ^ wanted.items())[:4]}"
        )
