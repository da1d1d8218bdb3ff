"""One training run of a restorer, from the pictures to the weight file."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

import torch
from torch import Tensor

from archivae.models import RestorerWeights, load_restorer
from archivae.models.restore.architecture import RestorerArchitecture
from archivae.models.restore.network import RestorationModel
from archivae.models.restore.tasks import find_task
from archivae.models.restore.weights import shipped_form
from archivae.models.training.plan import RestorationPlan
from archivae.models.training.restore import RestorerTraining
from archivae.pipeline.showing import Console
from archivae.pipeline.training.options import RestorerOptions
from archivae.pipeline.training.pairs import load_pairs
from archivae.pipeline.training.report import Figure
from archivae.pipeline.training.session import Session, check_init, crop_values, open_session, sizes_of


def train_restorer(options: RestorerOptions, console: Console | None = None) -> None:
    """Train, or go on training, and write the weight file."""
    options = replace(options, name=options.name or options.task)
    with open_session(options, console) as session:
        average = _finished(session) if options.export_only else _trained(session, options)
    if session.leads:
        session.write_model(shipped_form(average, options.name))


def plan_run(options: RestorerOptions, device: torch.device) -> tuple[RestorationPlan, Mapping[str, Tensor] | None]:
    """The plan of the options on ``device``, and the weights to begin with, if ``--init`` names some."""
    check_init(options)
    values = crop_values(options, device) | {"task": options.task}
    if options.init is None:
        return RestorationPlan(**values, architecture=sizes_of(RestorerArchitecture, options.architecture)), None
    initial = load_restorer(options.init)
    return RestorationPlan(**values, architecture=initial.arch, init=initial.model_id().hex()), _start(initial, options)


def restoration_figures(means: Sequence[float]) -> list[Figure]:
    """The measures of `archivae.models.training.restore.restoration_loss`."""
    loss, psnr, gain, level = means
    return [
        Figure("loss", loss, f"loss {loss:.4f}"),
        Figure("psnr", psnr, f"{psnr:.2f} dB"),
        Figure("gain", gain, f"{gain:+.2f} dB by the network"),
        Figure("level_error", level, f"level within {level:.3f}"),
    ]


def _start(initial: RestorerWeights, options: RestorerOptions) -> dict[str, Tensor]:
    """Of another task only the network helps: its estimator looked for another damage."""
    same = initial.task == options.task
    return {name: tensor.float() for name, tensor in initial.tensors.items() if same or name.startswith("network.")}


def _trained(session: Session, options: RestorerOptions) -> RestorationModel:
    plan, start = plan_run(options, session.device)
    checkpoint = session.checkpoint_for(plan)
    pictures = session.load_pictures(plan)
    pairs, paired = load_pairs(options.pairs, plan, session.console) if options.pairs else ([], "")
    training = RestorerTraining(
        plan, pictures.pixels, pairs, session.device, session.workers, start=start, checkpoint=checkpoint
    )
    session.train(training, pictures.fingerprint + paired, restoration_figures)
    return training.average


def _finished(session: Session) -> RestorationModel:
    checkpoint = session.finished()
    plan = RestorationPlan.from_dict(checkpoint["plan"])
    average = RestorationModel(find_task(plan.task), plan.architecture)
    average.load_state_dict(checkpoint["average"])
    return average
