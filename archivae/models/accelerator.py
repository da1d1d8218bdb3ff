"""What ``--accelerator`` means on the machine at hand."""

from __future__ import annotations

from typing import Literal, get_args

import torch

from archivae.errors import AcceleratorError, UsageError

Accelerator = Literal["auto", "cpu", "cuda", "nvidia-tesla-t4", "nvidia-l4", "nvidia-tesla-a100", "nvidia-a100-80gb",
                      "nvidia-h100-80gb"]  # fmt: skip
ACCELERATORS: tuple[str, ...] = get_args(Accelerator)
"""``auto`` takes what is there; the ``nvidia-`` names are Dataflow's, and mean ``cuda`` on the worker."""


def pick_device(accelerator: str) -> torch.device:
    """The torch device for a name in `ACCELERATORS`. AcceleratorError if there is no such device here."""
    if accelerator not in ACCELERATORS:
        raise UsageError(f"expected an accelerator of {', '.join(ACCELERATORS)}, found {accelerator!r}")
    if accelerator == "cpu":
        return torch.device("cpu")
    if torch.cuda.is_available():
        return torch.device("cuda")
    if accelerator == "auto":
        return torch.device("cpu")
    raise AcceleratorError(
        f"--accelerator {accelerator} needs a CUDA device, and torch {torch.__version__} sees none here: "
        "use --accelerator cpu, or a machine with a GPU and a CUDA build of torch"
    )


def fastest_dtype(device: torch.device) -> torch.dtype:
    """bfloat16 where the device computes in it natively, else float32."""
    if device.type == "cuda":
        return torch.bfloat16 if torch.cuda.get_device_capability(device) >= (8, 0) else torch.float32
    able = torch.cpu.get_capabilities()
    return torch.bfloat16 if able.get("avx512_bf16") or able.get("amx_bf16") else torch.float32
