"""The training loop of the photo codec."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import torch
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from archivae.models.photo.architecture import LAMBDAS
from archivae.models.photo.trainable import ANCHORS, TrainableCodec, TrainingOutput
from archivae.models.training.data import CropSampler
from archivae.models.training.optim import MovingAverage, Optimisers, rate_factor
from archivae.storage.atomic import replace_file

CHECKPOINT = "checkpoint.pt"
AVERAGED = "averaged.safetensors"


@dataclass(frozen=True)
class TrainingPlan:
    """What a run does; two runs with equal plans and data follow the same curve."""

    steps: int = 20_000
    batch: int = 8
    crop: int = 256
    seed: int = 0
    muon_rate: float = 0.01
    adam_rate: float = 4e-4
    bfloat16: bool = True
    device: str = "cpu"
    save_every: int = 200


@dataclass(frozen=True)
class Progress:
    """Means since the last report: ``loss``, ``bpp`` (estimated), ``psnr`` (dB), and where the run stands."""

    step: int
    steps: int
    loss: float
    bpp: float
    psnr: float
    seconds_a_step: float


def rate_distortion(output: TrainingOutput, pixels: Tensor, position: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Loss, mean bits per pixel and mean squared error (of [0, 1]) of a batch.

    Each picture's ``lambda * MSE + bpp`` is divided by lambda^0.45, so that no quality drowns the others.
    """
    lambdas = LAMBDAS[0] * 2**position
    error = (output.pixels.float() - pixels).square().mean((1, 2, 3))
    bpp = (output.residual_bits + output.hyper_bits) / (pixels.shape[2] * pixels.shape[3])
    weight = (lambdas / LAMBDAS[4]) ** -0.45
    return ((lambdas * 255**2 * error + bpp) * weight).mean(), bpp.mean(), error.mean()


def train(
    pictures: Sequence[Tensor],
    folder: Path,
    plan: TrainingPlan,
    start: dict[str, Tensor] | None = None,
    report: Callable[[Progress], None] = print,
    report_every: int = 50,
) -> TrainableCodec:
    """Train a `TrainableCodec`, or go on where ``folder`` holds a checkpoint; returns the averaged model.

    ``pictures`` are (3, H, W) uint8 tensors; ``start`` holds weights to fine-tune from.
    """
    torch.manual_seed(plan.seed)
    model = TrainableCodec()
    if start is not None:
        model.load_state_dict(start)
    model = model.to(plan.device, memory_format=torch.channels_last).train()
    optimisers = Optimisers(model, plan.muon_rate, plan.adam_rate)
    average = MovingAverage(model)
    first = _resume(folder, model, optimisers, average)
    sampler = CropSampler(pictures, plan.crop, plan.seed)
    sums = [0.0, 0.0, 0.0]
    began = time.monotonic()
    for step in range(first, plan.steps):
        torch.manual_seed(plan.seed * 1_000_003 + step)
        loss, bpp, error = _loss(model, sampler, plan, step)
        loss.backward()
        optimisers.step(rate_factor(step, plan.steps))
        average.update(model, step)
        sums = [s + v.item() for s, v in zip(sums, (loss, bpp, error), strict=True)]
        done = step + 1
        if done % report_every == 0:
            means = [s / report_every for s in sums]
            seconds = (time.monotonic() - began) / report_every
            report(Progress(done, plan.steps, means[0], means[1], -10 * math.log10(means[2]), seconds))
            sums, began = [0.0, 0.0, 0.0], time.monotonic()
        if done % plan.save_every == 0 or done == plan.steps:
            _save(folder, done, plan, model, optimisers, average)
    return average.model


def _loss(model: nn.Module, sampler: CropSampler, plan: TrainingPlan, step: int) -> tuple[Tensor, Tensor, Tensor]:
    pixels = sampler.batch(step, plan.batch).to(plan.device)
    position = torch.rand(plan.batch, device=plan.device) * (ANCHORS - 1)
    with torch.autocast(torch.device(plan.device).type, dtype=torch.bfloat16, enabled=plan.bfloat16):
        output = model(pixels, position)
    return rate_distortion(output, pixels, position)


def _save(
    folder: Path, step: int, plan: TrainingPlan, model: nn.Module, optimisers: Optimisers, average: MovingAverage
) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    state = {
        "step": step,
        "plan": asdict(plan),
        "model": model.state_dict(),
        "optimisers": optimisers.state_dict(),
        "average": average.model.state_dict(),
    }
    replace_file(folder / CHECKPOINT, lambda path: torch.save(state, path))
    weights = {k: v.contiguous() for k, v in average.model.state_dict().items()}
    replace_file(folder / AVERAGED, lambda path: save_file(weights, path))


def _resume(folder: Path, model: nn.Module, optimisers: Optimisers, average: MovingAverage) -> int:
    path = folder / CHECKPOINT
    if not path.exists():
        return 0
    state = torch.load(path, weights_only=True)
    model.load_state_dict(state["model"])
    optimisers.load_state_dict(state["optimisers"])
    average.model.load_state_dict(state["average"])
    return int(state["step"])


def load_averaged(folder: Path) -> dict[str, Tensor]:
    """The averaged weights that a run left in ``folder``."""
    return load_file(folder / AVERAGED)
