"""Several processes that train one model, started by ``torchrun``, each on its own device."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import torch
import torch.distributed as dist
from torch import Tensor, nn
from torch.nn.parallel import DistributedDataParallel

from archivae.errors import UsageError


@dataclass(frozen=True)
class Workers:
    """The processes of a run, ``size`` of them, seen from number ``rank``. Only rank 0 writes and speaks."""

    rank: int = 0
    size: int = 1

    def share(self, batch: int) -> range:
        """The numbers of the crops in a batch that fall to this process."""
        if batch % self.size:
            raise UsageError(f"expected a batch that {self.size} processes can share evenly, found {batch}")
        each = batch // self.size
        return range(self.rank * each, (self.rank + 1) * each)

    def wrap(self, model: nn.Module, device: torch.device) -> nn.Module:
        """``model``, with gradients averaged over the processes and the weights of rank 0 given to all."""
        if self.size == 1:
            return model
        return DistributedDataParallel(model, device_ids=[device] if device.type == "cuda" else None)

    def mean(self, values: Tensor) -> Tensor:
        """The mean of ``values`` over all processes, which must all ask for it."""
        if self.size > 1:
            dist.all_reduce(values)
        return values / self.size


def own_device(device: torch.device) -> torch.device:
    """``device``, but of several GPUs the one that ``torchrun`` gave this process."""
    return torch.device("cuda", int(os.environ.get("LOCAL_RANK", "0"))) if device.type == "cuda" else device


@contextmanager
def join_workers(device: torch.device) -> Iterator[Workers]:
    """Meet the other processes that ``torchrun`` started; alone without it."""
    if int(os.environ.get("WORLD_SIZE", "1")) == 1:
        yield Workers()
        return
    if device.type == "cuda":
        torch.cuda.set_device(device)
    dist.init_process_group("nccl" if device.type == "cuda" else "gloo")
    try:
        yield Workers(dist.get_rank(), dist.get_world_size())
    finally:
        dist.destroy_process_group()


@contextmanager
def deterministic_kernels() -> Iterator[None]:
    """Inside, torch picks kernels that give the same result each time, and warns where it knows none."""
    enabled, warn_only = (
        torch.are_deterministic_algorithms_enabled(),
        torch.is_deterministic_algorithms_warn_only_enabled(),
    )
    settings: Any = torch.utils.deterministic
    filling = settings.fill_uninitialized_memory
    torch.use_deterministic_algorithms(True, warn_only=True)
    # Nothing here reads memory before writing it, and filling it costs a pass over every tensor.
    settings.fill_uninitialized_memory = False
    try:
        yield
    finally:
        torch.use_deterministic_algorithms(enabled, warn_only=warn_only)
        settings.fill_uninitialized_memory = filling
