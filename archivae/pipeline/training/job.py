"""One training run of the photo codec, from the pictures to the weight file."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from archivae.models import load_model
from archivae.models.photo.architecture import Architecture
from archivae.models.photo.export import export
from archivae.models.photo.thaw import thaw
from archivae.models.photo.trainable import TrainableCodec
from archivae.models.training.codec import CodecTraining
from archivae.models.training.plan import TrainingPlan
from archivae.pipeline.showing import Console
from archivae.pipeline.training.data import TrainingPictures
from archivae.pipeline.training.options import CodecOptions
from archivae.pipeline.training.report import codec_figures
from archivae.pipeline.training.session import Session, check_init, crop_values, open_session, sizes_of

EXPORT_PICTURES = 48
"""The frequency tables of a weight file are counted on so many of the training pictures..."""
EXPORT_SIDE = 1024
"""...of each the middle, at most so many pixels a side: millions of latents, far more than the tables have entries."""


def train_codec(options: CodecOptions, console: Console | None = None) -> None:
    """Train, or go on training, and write the weight file."""
    with open_session(options, console) as session:
        average, pictures = _finished(session) if options.export_only else _trained(session, options)
    if session.leads:
        _export(average, pictures, session)


def plan_run(options: CodecOptions, device: torch.device) -> tuple[TrainingPlan, Mapping[str, Tensor] | None]:
    """The plan of the options on ``device``, and the weights to begin with, if ``--init`` names some."""
    check_init(options)
    values = crop_values(options, device)
    if options.init is None:
        return TrainingPlan(**values, architecture=sizes_of(Architecture, options.architecture)), None
    initial = load_model(options.init)
    return TrainingPlan(**values, architecture=initial.arch, init=initial.model_id().hex()), thaw(initial)


def _trained(session: Session, options: CodecOptions) -> tuple[TrainableCodec, TrainingPictures]:
    plan, start = plan_run(options, session.device)
    session.check_continues(plan)
    pictures = session.load_pictures(plan)
    training = CodecTraining(
        plan, pictures.pixels, session.device, session.workers, start=start, checkpoint=session.checkpoint
    )
    session.train(training, pictures.fingerprint, codec_figures)
    return training.average, pictures


def _finished(session: Session) -> tuple[TrainableCodec, TrainingPictures]:
    checkpoint = session.finished()
    plan = TrainingPlan.from_dict(checkpoint["plan"])
    average = TrainableCodec(plan.architecture)
    average.load_state_dict(checkpoint["average"])
    return average, session.load_pictures(plan)


def _export(average: TrainableCodec, pictures: TrainingPictures, session: Session) -> None:
    sample = [_middle(p) for p in pictures.pixels[:EXPORT_PICTURES]]
    session.console.print(f"fitting the frequency tables to {len(sample)} of the training pictures")
    session.write_model(export(average.cpu(), session.options.name, sample))


def _middle(picture: npt.NDArray[np.uint8]) -> npt.NDArray[np.uint8]:
    top, left = (max(0, side - EXPORT_SIDE) // 2 for side in picture.shape[:2])
    return picture[top : top + EXPORT_SIDE, left : left + EXPORT_SIDE]
