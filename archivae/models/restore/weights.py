"""The weight file of a restorer: safetensors with the task, the architecture and an id that is a hash of it all."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass

import torch
from safetensors.torch import load, save
from torch import Tensor

from archivae.errors import ModelError
from archivae.models.restore.architecture import RestorerArchitecture
from archivae.models.restore.network import RestorationModel
from archivae.models.restore.tasks import find_task
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

FORMAT = "archivae-restore-0"
MOST_BLOCKS, MOST_CHANNELS = 64, 4096
"""Of an architecture in a weight file: a network is built of so much before its weights are compared with it."""
_BLOCKS = ("encode_half", "encode_quarter", "latent", "decode_quarter", "decode_half")


@dataclass(frozen=True)
class RestorerWeights:
    """A restorer in memory: ``tensors`` are the ``state_dict`` of a `RestorationModel` in float16."""

    name: str
    task: str
    arch: RestorerArchitecture
    tensors: Mapping[str, Tensor]

    def model_id(self) -> bytes:
        """The first 8 bytes of a SHA-256 over task, architecture and weights (not the name)."""
        return content_id([FORMAT, self.task, self.arch.asdict()], self.tensors)

    def to_bytes(self) -> bytes:
        """The weight file: the same model gives the same bytes."""
        metadata = {
            "format": FORMAT,
            "name": self.name,
            "task": self.task,
            "architecture": json.dumps(self.arch.asdict(), sort_keys=True),
            "id": self.model_id().hex(),
        }
        return with_sorted_metadata(save(dict(self.tensors)), metadata)


def shipped_form(model: RestorationModel, name: str) -> RestorerWeights:
    """A trained model as it is stored. ModelError if float16 cannot hold it."""
    tensors = {key: tensor.detach().cpu().to(torch.float16).contiguous() for key, tensor in model.state_dict().items()}
    if broken := ", ".join(key for key, tensor in tensors.items() if not tensor.isfinite().all()):
        raise ModelError(f"expected weights within float16, found others in {broken}; train with lower rates")
    return RestorerWeights(name, model.task.name, model.arch, tensors)


def parse_restorer(data: bytes) -> RestorerWeights:
    """Read a weight file; ModelError when it is damaged or of another kind."""
    check_header(data)
    metadata = read_metadata(data)
    if metadata.get("format") != FORMAT:
        raise ModelError(f"expected a weight file of format {FORMAT}, found {shown(repr(metadata.get('format')), 80)}")
    try:
        numbers = parse_architecture(metadata["architecture"])
        check_numbers(numbers, dict.fromkeys(_BLOCKS, MOST_BLOCKS), MOST_CHANNELS)
        weights = RestorerWeights(metadata["name"], metadata["task"], RestorerArchitecture(**numbers), load(data))
        check_finite(weights.tensors)
        _check_shapes(weights)
    except DAMAGE as error:
        raise ModelError(f"the weight file is damaged: {shown(error)}") from error
    if weights.model_id().hex() != metadata.get("id"):
        raise ModelError("the weights do not match the id in their file: it is damaged")
    return weights


def _check_shapes(weights: RestorerWeights) -> None:
    """ValueError unless the tensors are those of the architecture; nothing is allocated to see."""
    with torch.device("meta"):
        expected = RestorationModel(find_task(weights.task), weights.arch).state_dict()
    found = {name: tuple(tensor.shape) for name, tensor in weights.tensors.items()}
    wanted = {name: tuple(tensor.shape) for name, tensor in expected.items()}
    if found != wanted:
        differing = sorted(found.items() ^ wanted.items())
        raise ValueError(f"expected the tensors of its architecture, found others: {differing[:4]}")
