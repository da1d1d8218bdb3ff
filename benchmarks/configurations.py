"""The ways in which one machine can run the codec: data types, threads, kernels, devices."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import product

import torch

KERNELS = {
    "plain": {},
    # What an older processor has: both libraries choose other kernels, and sum in other orders.
    "avx2": {"ONEDNN_MAX_CPU_ISA": "AVX2", "ATEN_CPU_CAPABILITY": "avx2", "MKL_ENABLE_INSTRUCTIONS": "AVX2"},
    "no-onednn": {},
}
"""Environment variables of each choice of CPU kernels; they count only before torch starts."""
BRANCHES = {"float32": torch.float32, "bfloat16": torch.bfloat16}


@dataclass(frozen=True)
class Configuration:
    """How one process runs the codec. ``branches`` names the data type of the residual branches."""

    device: str
    branches: str
    threads: int
    kernels: str

    @property
    def name(self) -> str:
        return f"{self.device}-{self.branches}-{self.threads}-{self.kernels}"

    @property
    def dtype(self) -> torch.dtype:
        return BRANCHES[self.branches]

    @property
    def environment(self) -> dict[str, str]:
        """What must be set before the process starts."""
        return KERNELS[self.kernels]

    def apply(self) -> None:
        """What can be set in a running process, for the rest of its life."""
        torch.set_num_threads(self.threads)
        torch.backends.mkldnn.set_flags(_enabled=self.kernels != "no-onednn")


def parse(name: str) -> Configuration:
    """The configuration of a name.

    >>> parse("cpu-float32-2-no-onednn").kernels
    'no-onednn'
    """
    device, branches, threads, kernels = name.split("-", 3)
    return Configuration(device, branches, int(threads), kernels)


def all_configurations() -> list[Configuration]:
    """Those of this machine; the first is the plainest."""
    cpu = [Configuration("cpu", *how) for how in product(BRANCHES, (1, 2), KERNELS)]
    cuda = [Configuration("cuda", branches, 1, "plain") for branches in BRANCHES]
    return cpu + (cuda if torch.cuda.is_available() else [])
