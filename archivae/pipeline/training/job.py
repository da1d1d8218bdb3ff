"""One training run of the photo codec, from the pictures to the weight file."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import fields
from typing import Any, cast

import numpy as np
import numpy.typing as npt
import torch
from rich.console import Console
from torch import Tensor

from archivae.errors import UsageError
from archivae.models import PhotoWeights, fastest_dtype, load_model, pick_device
from archivae.models.photo.architecture import Architecture
from archivae.models.photo.export import export
from archivae.models.photo.thaw import thaw
from archivae.models.photo.trainable import TrainableCodec
from archivae.models.training.codec import CodecTraining
from archivae.models.training.plan import Precision, TrainingPlan
from archivae.models.training.workers import Workers, deterministic_kernels, join_workers, own_device
from archivae.pipeline.training.data import GIB, TrainingPictures, check_enough, describe_pictures, load_pictures
from archivae.pipeline.training.folder import TrainingFolder
from archivae.pipeline.training.options import CodecOptions
from archivae.pipeline.training.report import Report, open_tensorboard

EXPORT_PICTURES = 48
"""The frequency tables of a weight file are counted on so many of the training pictures..."""
EXPORT_SIDE = 1024
"""...of each the middle, at most so many pixels a side: millions of latents, far more than the tables have entries."""


def train_codec(options: CodecOptions, console: Console | None = None) -> None:
    """Train, or go on training, and write the weight file."""
    _check_name(options.name)
    device = own_device(pick_device(options.device))
    with join_workers(device) as workers, deterministic_kernels():
        console = Console(quiet=True) if workers.rank else console or Console()
        folder = TrainingFolder(options.out)
        checkpoint = folder.read_checkpoint()
        if options.export_only:
            average, pictures = _finished(options, checkpoint, console)
        else:
            average, pictures = _trained(options, device, workers, folder, checkpoint, console)
    if workers.rank == 0:
        _export(average, options.name, pictures, folder, console)


def plan_run(options: CodecOptions, device: torch.device) -> tuple[TrainingPlan, Mapping[str, Tensor] | None]:
    """The plan of the options on ``device``, and the weights to begin with, if ``--init`` names some."""
    initial = load_model(options.init) if options.init else None
    if initial is not None and options.architecture:
        raise UsageError("expected either --init or --architecture, found both: the weight file has its architecture")
    precision = options.precision
    if precision == "auto":
        precision = "bf16" if fastest_dtype(device) == torch.bfloat16 else "float32"
    plan = TrainingPlan(
        steps=options.steps,
        batch=options.batch,
        crop=options.crop,
        seed=options.seed,
        muon_rate=options.muon_rate,
        adam_rate=options.adam_rate,
        precision=cast(Precision, precision),
        architecture=initial.arch if initial else _architecture(options.architecture),
        init=initial.model_id().hex() if initial else "",
    )
    return plan, thaw(initial) if initial else None


def _trained(
    options: CodecOptions,
    device: torch.device,
    workers: Workers,
    folder: TrainingFolder,
    checkpoint: dict[str, Any] | None,
    console: Console,
) -> tuple[TrainableCodec, TrainingPictures]:
    plan, start = plan_run(options, device)
    if checkpoint is not None:  # asked before minutes of loading, not after
        plan.check_continues(TrainingPlan.from_dict(checkpoint["plan"]))
    pictures = _load(options, plan, console)
    training = CodecTraining(plan, pictures.pixels, device, workers, start=start, checkpoint=checkpoint)
    _introduce(training, device, workers, checkpoint, pictures, console)
    leads = workers.rank == 0
    if leads:
        folder.tidy()
    writer = open_tensorboard(folder.logs, training.step, console) if leads else None
    with Report(console, training.step, plan.steps, writer) as report:
        for metrics in training.run():
            due = training.step % options.checkpoint_every == 0 or training.step == plan.steps
            report.add(training.step, metrics, show=due)
            if leads and due:
                folder.write_checkpoint(training.state_dict() | {"pictures": pictures.fingerprint})
    return training.average, pictures


def _finished(
    options: CodecOptions, checkpoint: dict[str, Any] | None, console: Console
) -> tuple[TrainableCodec, TrainingPictures]:
    if checkpoint is None:
        raise UsageError(f"expected a checkpoint to export in {options.out!r}, found none; train first")
    plan = TrainingPlan.from_dict(checkpoint["plan"])
    average = TrainableCodec(plan.architecture)
    average.load_state_dict(checkpoint["average"])
    console.print(f"the checkpoint stands at step {checkpoint['step']} of {plan.steps}")
    return average, _load(options, plan, console)


def _load(options: CodecOptions, plan: TrainingPlan, console: Console) -> TrainingPictures:
    memory = int(options.memory * GIB)
    pictures = load_pictures(options.data, exclude=options.out, side=plan.crop, seed=plan.seed, memory=memory)
    describe_pictures(pictures, side=plan.crop, console=console)
    check_enough(pictures, source=options.data, side=plan.crop, batch=plan.batch)
    return pictures


def _introduce(
    training: CodecTraining,
    device: torch.device,
    workers: Workers,
    checkpoint: Mapping[str, Any] | None,
    pictures: TrainingPictures,
    console: Console,
) -> None:
    millions = sum(p.numel() for p in training.average.parameters()) / 1e6
    processes = f", {workers.size} processes" if workers.size > 1 else ""
    console.print(f"{millions:.2f} million parameters on {device.type}, {training.plan.precision}{processes}")
    if checkpoint is None:
        return
    console.print(f"going on from step {training.step} of {training.plan.steps}")
    if checkpoint["pictures"] != pictures.fingerprint:
        console.print("the pictures are not those this run began with: the curve will be another one")


def _export(
    average: TrainableCodec, name: str, pictures: TrainingPictures, folder: TrainingFolder, console: Console
) -> PhotoWeights:
    sample = [_middle(p) for p in pictures.pixels[:EXPORT_PICTURES]]
    console.print(f"fitting the frequency tables to {len(sample)} of the training pictures")
    weights = export(average.cpu(), name, sample)
    uri = folder.write_model(weights)
    console.print(f"model {weights.model_id().hex()}: {uri}", soft_wrap=True, markup=False)
    return weights


def _middle(picture: npt.NDArray[np.uint8]) -> npt.NDArray[np.uint8]:
    top, left = (max(0, side - EXPORT_SIDE) // 2 for side in picture.shape[:2])
    return picture[top : top + EXPORT_SIDE, left : left + EXPORT_SIDE]


def _architecture(counts: Mapping[str, int]) -> Architecture:
    known = [f.name for f in fields(Architecture)]
    if unknown := set(counts) - set(known):
        raise UsageError(f"expected --architecture of {', '.join(known)}, found {', '.join(sorted(unknown))}")
    return Architecture(**counts)


def _check_name(name: str) -> None:
    if not re.fullmatch(r"[a-z0-9][a-z0-9._-]*", name):
        raise UsageError(f"expected a --name of small letters, digits, '.', '_' and '-', found {name!r}")
