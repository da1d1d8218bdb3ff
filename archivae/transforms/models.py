"""The models of generate, embed and transform: loaded once a process, and kept."""

from __future__ import annotations

import hashlib
import threading
from dataclasses import dataclass

from archivae.models import ModelName, RunningModel, open_model, pick_device
from archivae.storage import read_object

_lock = threading.Lock()
_kept: dict[tuple[str, bytes, str], RunningModel] = {}


@dataclass(frozen=True)
class ModelSource:
    """Where workers get a model: small, and pickled with the pipeline in its place."""

    name: ModelName
    accelerator: str = "auto"

    def running(self) -> RunningModel:
        """This process's copy, made by the first thread that asks. Errors as of `archivae.models.open_model`."""
        with _lock:
            key = (self.name.model, self._content(), pick_device(self.accelerator).type)
            if key not in _kept:
                _kept[key] = open_model(self.name, self.accelerator, read_object)
            return _kept[key]

    def _content(self) -> bytes:
        """A hash of the weight file: it may have changed from one job of the process to the next."""
        uri = self.name.weights or (self.name.model if self.name.model.endswith(".safetensors") else "")
        return hashlib.sha256(read_object(uri)).digest() if uri else b""
