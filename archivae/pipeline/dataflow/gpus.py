"""The GPUs that Dataflow lends, and the machines that carry exactly one of each.

Sources, Google's documentation as of 2025: "Dataflow support for GPUs" (names), "GPU machine types" of Compute Engine
(machines). Every machine here has one GPU: one codec per worker is what the transforms are made for.
"""

from __future__ import annotations

import re
from dataclasses import dataclass


@dataclass(frozen=True)
class Gpu:
    """``machine`` is taken unless the user names one that ``machines`` matches. ``memory``: of the GPU, GB."""

    name: str
    memory: int
    machine: str
    machines: str
    choose: str

    def fits(self, machine: str) -> bool:
        """Whether ``machine`` carries one GPU of this kind."""
        return re.fullmatch(self.machines, machine) is not None

    def accelerator(self, machine: str = "") -> str:
        """The text that Dataflow takes as a resource hint (there with ``machine``) or as ``worker_accelerator``."""
        chosen = f"machine_type:{machine};" if machine else ""
        return f"type:{self.name};count:1;{chosen}install-nvidia-driver"


_N1 = r"n1-(standard|highmem|highcpu)-([248]|16|32)|n1-standard-1|(n1-)?custom-\d+-\d+(-ext)?"

GPUS = {
    gpu.name: gpu
    for gpu in (
        Gpu("nvidia-tesla-t4", 16, "n1-standard-8", _N1, "the cheapest; no bfloat16, so float32 throughout"),
        Gpu("nvidia-l4", 24, "g2-standard-8", r"g2-standard-(4|8|12|16|32)|g2-custom-\d+-\d+", "the one to begin with"),
        Gpu("nvidia-tesla-a100", 40, "a2-highgpu-1g", "a2-highgpu-1g", "40 GB; where L4s can't be had in number"),
        Gpu("nvidia-a100-80gb", 80, "a2-ultragpu-1g", "a2-ultragpu-1g", "80 GB; pictures of hundreds of megapixels"),
        Gpu("nvidia-h100-80gb", 80, "a3-highgpu-1g", "a3-highgpu-1g", "the fastest; Spot or flex-start only"),
    )
}
"""By the name that ``--accelerator`` takes."""
