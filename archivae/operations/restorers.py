"""What restore asks of a restorer, and those that a process keeps for plain calls."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Protocol

from archivae.errors import ModelError
from archivae.models import (
    Restored,
    Restorer,
    RestorerWeights,
    fastest_dtype,
    load_restorer,
    pick_device,
    restorer_path,
)
from archivae.models.restore.pixels import Mask, Picture

WEIGHTS_ENDING = ".safetensors"


class TaskRestorer(Protocol):
    """Samples to restored samples: `archivae.models.Restorer`, or a proxy of one in another process."""

    def restore(
        self, picture: Picture, strength: float | None = None, mask: Mask | None = None, passes: int = 1
    ) -> Restored:
        """The picture, (H, W, 1 or 3) uint8, uint16 or float32, restored, and the strength given or estimated."""


FindRestorer = Callable[[str], TaskRestorer]
"""From a task to its restorer; UnknownModelError if it is not to be had."""

_lock = threading.Lock()
_kept: dict[tuple[str, str], Restorer] = {}


def put_restorer_on_device(weights: RestorerWeights, accelerator: str) -> Restorer:
    """A restorer on the device that ``accelerator`` names, in its fastest dtype."""
    device = pick_device(accelerator)
    return Restorer(weights, device, fastest_dtype(device))


def named_restorer(task: str, folder: str = "", accelerator: str = "auto") -> Restorer:
    """The process's restorer of a task, from ``folder`` or as shipped, made at the first call; thread-safe."""
    path = restorer_path(weights_name(task, folder) if folder else task)
    key = (f"{path} {path.stat().st_mtime_ns}", accelerator)
    with _lock:
        if key not in _kept:
            _kept[key] = put_restorer_on_device(check_task(load_restorer(str(path)), task), accelerator)
        return _kept[key]


def weights_name(task: str, folder: str) -> str:
    """Where a folder of weight files has that of a task: ``folder/denoise.safetensors``."""
    return f"{folder.rstrip('/')}/{task}{WEIGHTS_ENDING}"


def check_task(weights: RestorerWeights, task: str) -> RestorerWeights:
    """The weights. ModelError if they are another task's."""
    if weights.task != task:
        raise ModelError(
            f"expected the weights of a restorer for {task}, found one for {weights.task}: rename the file"
        )
    return weights
