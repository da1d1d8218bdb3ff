"""Where a training run keeps its things: the checkpoint, the logs and the weight file."""

from __future__ import annotations

import io
import os
import pickle
from collections.abc import Mapping
from typing import Any, Protocol

import torch
from safetensors.torch import save
from torch import Tensor

from archivae.errors import ModelError
from archivae.storage import read_object, remove_stale_scratch, scratch_of, stat_object, write_object

CHECKPOINT = "checkpoint.pt"
PLATEAU = "plateau.pt"
"""The checkpoint at the end of a plateau, where a longer run goes on."""


class Weights(Protocol):
    """A trained model, as it is stored."""

    @property
    def name(self) -> str:
        """Of the file, without its ending."""

    def model_id(self) -> bytes:
        """A hash of what it computes."""

    def to_bytes(self) -> bytes:
        """The weight file."""


class TrainingFolder:
    """A folder on disk or in a bucket. Whatever is written there is whole or absent."""

    def __init__(self, uri: str) -> None:
        self.uri = uri.rstrip("/")
        self.logs = os.path.join(uri, "tensorboard")

    def tidy(self) -> None:
        """Remove what a killed run left half written."""
        remove_stale_scratch(self.uri)

    def read_checkpoint(self, name: str = CHECKPOINT) -> dict[str, Any] | None:
        """The checkpoint, if there is one. ModelError if it is none."""
        uri = f"{self.uri}/{name}"
        if stat_object(uri) is None:
            return None
        try:
            state: dict[str, Any] = torch.load(io.BytesIO(read_object(uri)), map_location="cpu", weights_only=True)
        except (pickle.UnpicklingError, RuntimeError, EOFError) as error:
            raise ModelError(
                f"expected a training checkpoint in {uri!r}, found {error}; remove it to begin anew"
            ) from error
        return state

    def write_checkpoint(self, state: dict[str, Any], name: str = CHECKPOINT) -> None:
        buffer = io.BytesIO()
        torch.save(state, buffer)
        self._write(name, buffer.getvalue())

    def write_weights(self, name: str, state: Mapping[str, Tensor], step: int) -> str:
        """A state dict as float16, to begin another run with; the URI of the file."""
        halves = {key: tensor.detach().cpu().half().contiguous() for key, tensor in state.items()}
        return self._write(f"{name}.safetensors", save(halves, {"step": str(step)}))

    def write_model(self, weights: Weights) -> str:
        """The URI of the weight file that was written."""
        return self._write(f"{weights.name}.safetensors", weights.to_bytes())

    def _write(self, name: str, data: bytes) -> str:
        uri = f"{self.uri}/{name}"
        write_object(uri, data, scratch=scratch_of(self.uri))
        return uri
