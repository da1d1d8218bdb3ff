"""What every training job does around its model: meet the other processes, take the steps, report, save, go on."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, fields
from typing import Any, TypeVar, cast

import torch

from archivae.errors import UsageError
from archivae.models import fastest_dtype, pick_device
from archivae.models.training.loop import Training
from archivae.models.training.plan import CropPlan, Plan, Precision
from archivae.models.training.workers import Workers, deterministic_kernels, join_workers, own_device
from archivae.pipeline.showing import Console
from archivae.pipeline.training.data import GIB, TrainingPictures, check_enough, describe_pictures, load_pictures
from archivae.pipeline.training.folder import PLATEAU, TrainingFolder, Weights
from archivae.pipeline.training.options import CropOptions, TrainingOptions
from archivae.pipeline.training.report import Figures, Report, open_tensorboard

Sizes = TypeVar("Sizes")


@dataclass(frozen=True)
class Session:
    """One process of a run: where it computes, what it has found in its folder, and whom it tells.

    ``checkpoint`` is that of an earlier session, None for a fresh run.
    """

    options: TrainingOptions
    device: torch.device
    workers: Workers
    folder: TrainingFolder
    console: Console
    checkpoint: dict[str, Any] | None

    @property
    def leads(self) -> bool:
        """Whether this is the process that writes and speaks."""
        return self.workers.rank == 0

    def checkpoint_for(self, plan: Plan) -> dict[str, Any] | None:
        """The checkpoint that ``plan`` goes on from: the last, or where that has cooled down, the end of its plateau.

        UsageError if it is of another plan: to be asked before minutes of loading, not after.
        """
        if self.checkpoint is None:
            return None
        earlier, step = type(plan).from_dict(self.checkpoint["plan"]), self.checkpoint["step"]
        checkpoint = self.checkpoint
        if plan != earlier and step > earlier.plateau_end and (plateau := self.folder.read_checkpoint(PLATEAU)):
            self.console.print(f"step {step} is in a cool-down: going back to the plateau before it")
            checkpoint = plateau
        plan.check_continues(earlier, checkpoint["step"])
        return checkpoint

    def finished(self) -> dict[str, Any]:
        """The checkpoint, for ``--export-only``. UsageError if there is none."""
        if self.checkpoint is None:
            raise UsageError(f"expected a checkpoint to export in {self.options.out!r}, found none; train first")
        steps = self.checkpoint["plan"]["steps"]
        self.console.print(f"the checkpoint stands at step {self.checkpoint['step']} of {steps}")
        return self.checkpoint

    def load_pictures(self, plan: CropPlan) -> TrainingPictures:
        """The pictures of ``--data``, described. UsageError if they are too few."""
        options = self.options
        assert isinstance(options, CropOptions)
        memory = int(options.memory * GIB)
        places = options.places
        pictures = load_pictures(places, exclude=options.out, side=plan.crop, seed=plan.seed, memory=memory)
        describe_pictures(pictures, side=plan.crop, console=self.console)
        check_enough(pictures, sources=places, side=plan.crop, batch=plan.batch)
        return pictures

    def train(
        self, training: Training[Any, Any], fingerprint: str, figures: Figures, *, keep_weights: bool = False
    ) -> None:
        """Take all steps that are left; ``fingerprint`` tells these pictures from others.

        With ``keep_weights`` each checkpoint has the weights and their average as float16 beside it.
        """
        self._introduce(training, fingerprint)
        if self.leads:
            self.folder.tidy()
        writer = open_tensorboard(self.folder.logs, training.step, self.console) if self.leads else None
        with Report(self.console, training.step, training.plan.steps, writer, figures) as report:
            for measures in training.run():
                cools = training.step == training.plan.plateau_end and not training.finished
                due = training.step % self.options.checkpoint_every == 0 or training.finished or cools
                report.add(training.step, measures, show=due)
                if self.leads and due:
                    state = training.state_dict() | {"pictures": fingerprint}
                    if cools:
                        self.folder.write_checkpoint(state, PLATEAU)
                    self.folder.write_checkpoint(state)
                    if keep_weights:
                        self.folder.write_weights("checkpoint-weights", state["model"], training.step)
                        self.folder.write_weights("checkpoint-average", state["average"], training.step)

    def write_model(self, weights: Weights) -> None:
        """Write the weight file and say where."""
        uri = self.folder.write_model(weights)
        self.console.print(f"model {weights.model_id().hex()}: {uri}", soft_wrap=True, markup=False)

    def _introduce(self, training: Training[Any, Any], fingerprint: str) -> None:
        millions = sum(p.numel() for p in training.average.parameters()) / 1e6
        processes = f", {self.workers.size} processes" if self.workers.size > 1 else ""
        where = f"{self.device.type}, {training.plan.precision}{processes}"
        self.console.print(f"{millions:.2f} million parameters on {where}")
        if self.checkpoint is None:
            return
        self.console.print(f"going on from step {training.step} of {training.plan.steps}")
        if self.checkpoint["pictures"] != fingerprint:
            self.console.print("the pictures are not those this run began with: the curve will be another one")


@contextmanager
def open_session(options: TrainingOptions, console: Console | None) -> Iterator[Session]:
    """Meet the other processes, and see what an earlier session left."""
    check_name(options.name)
    device = own_device(pick_device(options.device))
    with join_workers(device) as workers, deterministic_kernels():
        folder = TrainingFolder(options.out)
        console = Console(quiet=True) if workers.rank else console or Console()
        yield Session(options, device, workers, folder, console, folder.read_checkpoint())


def plan_values(options: TrainingOptions, device: torch.device) -> dict[str, Any]:
    """The part of a plan that is the same for all kinds."""
    precision = options.precision
    if precision == "auto":
        precision = "bf16" if fastest_dtype(device) == torch.bfloat16 else "float32"
    names = ("steps", "batch", "seed")
    return {name: getattr(options, name) for name in names} | {"precision": cast(Precision, precision)}


def crop_values(options: CropOptions, device: torch.device) -> dict[str, Any]:
    """The part of a plan that is the same for all kinds that train on crops."""
    crops = {"crop": options.crop, "muon_rate": options.muon_rate, "adam_rate": options.adam_rate}
    return plan_values(options, device) | crops


def check_init(options: CropOptions) -> None:
    """UsageError for sizes beside a model that has its own."""
    if options.init and options.architecture:
        raise UsageError("expected either --init or --architecture, found both: the weight file has its architecture")


def sizes_of(kind: type[Sizes], counts: Mapping[str, int]) -> Sizes:
    """The architecture that ``--architecture`` asks for."""
    known = [f.name for f in fields(kind)]  # type: ignore[arg-type]
    if unknown := set(counts) - set(known):
        raise UsageError(f"expected --architecture of {', '.join(known)}, found {', '.join(sorted(unknown))}")
    return kind(**counts)


def check_name(name: str) -> None:
    """UsageError for a name that could land elsewhere, or that a shell would trip over."""
    if not re.fullmatch(r"[a-z0-9][a-z0-9._-]*", name):
        raise UsageError(f"expected a --name of small letters, digits, '.', '_' and '-', found {name!r}")
