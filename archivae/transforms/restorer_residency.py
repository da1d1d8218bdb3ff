"""Restorers are loaded once per process, or once per machine, and stay: as codecs do (`archivae.transforms.residency`)."""

from __future__ import annotations

import hashlib
import threading
from dataclasses import dataclass

from archivae.models import Restored, Restorer, parse_restorer, restorer_path
from archivae.models.restore.pixels import Mask, Picture
from archivae.operations.restorers import TaskRestorer, check_task, put_restorer_on_device, weights_name
from archivae.storage import read_object
from archivae.transforms.sharing import Shared

_lock = threading.Lock()
_kept: dict[tuple[bytes, str], Restorer] = {}


@dataclass(frozen=True)
class RestorerSource:
    """Where workers get restorers: small, and pickled with the pipeline instead of the models.

    ``folder`` is the URI of a folder of TASK.safetensors; empty for the shipped ones. ``share`` and ``tag`` are those of
    `CodecSource`.
    """

    folder: str = ""
    accelerator: str = "auto"
    share: bool = False
    tag: str = ""

    def weight_file(self, task: str) -> bytes:
        """The bytes of a task's weight file."""
        return read_object(weights_name(task, self.folder)) if self.folder else restorer_path(task).read_bytes()

    def model_id(self, task: str) -> str:
        """The id of a task's weights, hexadecimal."""
        return check_task(parse_restorer(self.weight_file(task)), task).model_id().hex()

    def load(self, task: str) -> Restorer:
        """A new copy of the restorer, on its device."""
        return self._put(self.weight_file(task), task)

    def restorer(self, task: str) -> TaskRestorer:
        """The restorer to use here: this process's own, loaded by the first thread that asks, or the shared one."""
        if self.share:
            return SharedRestorer(self, task)
        data = self.weight_file(task)  # by content: a file may have changed from one job of the process to the next
        key = (hashlib.sha256(data).digest(), self.accelerator)
        with _lock:
            if key not in _kept:
                _kept[key] = self._put(data, task)
            return _kept[key]

    def _put(self, data: bytes, task: str) -> Restorer:
        return put_restorer_on_device(check_task(parse_restorer(data), task), self.accelerator)


class RestorerServer:
    """What the owning process shares."""

    def __init__(self, source: RestorerSource, task: str) -> None:
        self._restorer = source.load(task)

    def restore(self, picture: Picture, strength: float | None, mask: Mask | None, passes: int) -> Restored:
        return self._restorer.restore(picture, strength, mask, passes)


class SharedRestorer:
    """A restorer that lives in another process."""

    def __init__(self, source: RestorerSource, task: str) -> None:
        self._shared = Shared(lambda: RestorerServer(source, task), f"{source.tag}-{task}")

    def restore(
        self, picture: Picture, strength: float | None = None, mask: Mask | None = None, passes: int = 1
    ) -> Restored:
        return self._shared.call(lambda server: server.restore(picture, strength, mask, passes))
