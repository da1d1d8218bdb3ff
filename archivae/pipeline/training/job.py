"""One training run of the photo codec, from the pictures to the weight file."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import torch

from archivae.errors import UsageError
from archivae.models.photo.architecture import Architecture
from archivae.models.photo.export import export, freeze
from archivae.models.photo.trainable import TrainableCodec
from archivae.models.photo.weights import PhotoWeights
from archivae.models.training.codec import CodecTraining
from archivae.models.training.plan import TrainingPlan
from archivae.models.training.start import Start, grow, read_start
from archivae.models.training.synthesis import SynthesisTraining
from archivae.pipeline.showing import Console
from archivae.pipeline.training.data import TrainingPictures
from archivae.pipeline.training.options import CodecOptions
from archivae.pipeline.training.report import codec_figures
from archivae.pipeline.training.session import Session, check_init, crop_values, open_session, sizes_of

EXPORT_PICTURES = 48
"""The frequency tables of a weight file are counted on so many of the training pictures..."""
EXPORT_SIDE = 1024
"""...of each the middle, at most so many pixels a side: millions of latents, far more than the tables have entries."""


SSIM_SHARE = 0.75
"""How much of the distortion is MS-SSIM's with ``--tune ssim``."""


def train_codec(options: CodecOptions, console: Console | None = None) -> None:
    """Train, or go on training, and write the weight file."""
    with open_session(options, console) as session:
        trained = _finished(session, options) if options.export_only else _trained(session, options)
    if session.leads:
        _export(trained, session)


def plan_run(options: CodecOptions, device: torch.device) -> tuple[TrainingPlan, Start | None]:
    """The plan of the options on ``device``, and the weights to begin with, if ``--init`` names some."""
    check_init(options)
    values = crop_values(options, device) | codec_values(options)
    if options.init is None:
        if options.grow or options.synthesis_only:
            raise UsageError("--grow and --synthesis-only change a model: name it with --init")
        return TrainingPlan(**values, architecture=sizes_of(Architecture, options.architecture)), None
    start = read_start(options.init)
    if options.synthesis_only and (start.shipped is None or options.grow):
        raise UsageError(
            f"--synthesis-only trains on the files of a whole model, but {options.init!r} has no frequency tables or is to "
            "grow; train it first, then give the weight file that comes out with --init"
        )
    if options.grow:
        state, arch = grow(start.state, options.grow, options.seed)
        start = start._replace(state=state, arch=arch)
    return TrainingPlan(**values, architecture=start.arch, init=start.id.hex()), start


class _Trained(NamedTuple):
    average: TrainableCodec
    pictures: TrainingPictures
    encoder: PhotoWeights | None
    """The model whose synthesis was trained alone."""


def codec_values(options: CodecOptions) -> dict[str, Any]:
    """The part of a plan that only the codec has."""
    names = ("schedule", "cooldown", "large_crop", "large_crop_steps", "damaged", "synthesis_only")
    values = {name: getattr(options, name) for name in names}
    return values | {"compiled": options.compile, "ssim_share": _ssim_share(options)}


def _ssim_share(options: CodecOptions) -> float:
    if options.tune == "ssim":
        return SSIM_SHARE if options.ssim_share is None else options.ssim_share
    if options.ssim_share is not None:
        raise UsageError("--ssim-share is for --tune ssim")
    return 0.0


def _trained(session: Session, options: CodecOptions) -> _Trained:
    plan, start = plan_run(options, session.device)
    checkpoint = session.checkpoint_for(plan)
    pictures = session.load_pictures(plan)
    training: CodecTraining | SynthesisTraining
    common = plan, pictures.pixels, session.device, session.workers
    encoder = _encoder(plan, start)
    if encoder is not None:
        training = SynthesisTraining(*common, encoder=encoder, checkpoint=checkpoint)
    else:
        training = CodecTraining(*common, start=start and start.state, checkpoint=checkpoint)
    session.train(training, pictures.fingerprint, codec_figures, keep_weights=True)
    return _Trained(training.average, pictures, encoder)


def _encoder(plan: TrainingPlan, start: Start | None) -> PhotoWeights | None:
    return start.shipped if plan.synthesis_only and start is not None else None


def _finished(session: Session, options: CodecOptions) -> _Trained:
    checkpoint = session.finished()
    plan = TrainingPlan.from_dict(checkpoint["plan"])
    start = read_start(options.init) if plan.synthesis_only and options.init else None
    if plan.synthesis_only and (start is None or start.id.hex() != plan.init):
        raise UsageError(f"the checkpoint trains the synthesis of model {plan.init}: name it with --init")
    average = TrainableCodec(plan.architecture)
    average.load_state_dict(checkpoint["average"])
    return _Trained(average, session.load_pictures(plan), _encoder(plan, start))


def _export(trained: _Trained, session: Session) -> None:
    average, name = trained.average.cpu(), session.options.name
    if trained.encoder is not None:  # its tables are right for files that stay as they are
        session.write_model(freeze(average, name, trained.encoder.tables))
        return
    sample = [_middle(p) for p in trained.pictures.pixels[:EXPORT_PICTURES]]
    session.console.print(f"fitting the frequency tables to {len(sample)} of the training pictures")
    session.write_model(export(average, name, sample))


def _middle(picture: npt.NDArray[np.uint8]) -> npt.NDArray[np.uint8]:
    top, left = (max(0, side - EXPORT_SIDE) // 2 for side in picture.shape[:2])
    return picture[top : top + EXPORT_SIDE, left : left + EXPORT_SIDE]
