"""One training run of an autoencoder family, from the pictures to the weight file."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import torch

from archivae.models.families import FAMILIES, Family
from archivae.models.families.quantiser import calibrate
from archivae.models.families.weights import FamilyWeights, stored_network
from archivae.models.running import to_tensor
from archivae.models.training.families import OBJECTIVES
from archivae.models.training.families.plan import FamilyPlan
from archivae.models.training.families.settings import SETTINGS
from archivae.models.training.families.training import FamilyTraining
from archivae.pipeline.showing import Console
from archivae.pipeline.training.labelled import LabelledPictures, load_labelled
from archivae.pipeline.training.options import FamilyOptions
from archivae.pipeline.training.report import Figure, Figures
from archivae.pipeline.training.session import Session, open_session, plan_values, sizes_of

SAMPLE = 512
"""The tables of the codec are counted on so many of the training pictures."""


def train_family(options: FamilyOptions, console: Console | None = None) -> None:
    """Train, or go on training, and write the weight file."""
    options = replace(options, name=options.name or options.family)
    with open_session(options, console) as session:
        pictures = _load(session, options)
        model = _finished(session) if options.export_only else _trained(session, options, pictures)
    if session.leads:
        session.write_model(finish(model, options.name, pictures))


def plan_run(options: FamilyOptions, pictures: LabelledPictures, device: torch.device) -> FamilyPlan:
    """The plan of the options for these pictures on ``device``."""
    kind = FAMILIES[options.family]
    return FamilyPlan(
        **plan_values(options, device),
        family=options.family,
        form=pictures.form if kind.conditional else replace(pictures.form, labels=()),
        optimiser=options.optimiser,  # type: ignore[arg-type]
        rate=options.rate,
        until_loss=options.until_loss,
        settings=SETTINGS[options.family](**options.settings),  # type: ignore[arg-type]
        architecture=sizes_of(kind.sizes_type, options.architecture),
    )


def finish(model: Family, name: str, pictures: LabelledPictures) -> FamilyWeights:
    """A trained model as it is stored, its codec fitted to some of the training pictures.

    Whatever is stored is rounded first, so that the codec is fitted to the very model that will be read back.
    """
    weights = FamilyWeights(name, model.name, model.form, model.sizes.asdict(), stored_network(model))
    drawn = np.random.default_rng(0).permutation(len(pictures.pixels))[:SAMPLE]
    sample = to_tensor(list(pictures.pixels[np.sort(drawn)]), model.form, torch.device("cpu"))
    return replace(weights, codec=calibrate(weights.build(), sample))


def family_figures(family: str) -> Figures:
    """The loss and the measures of a family's objective."""
    names = ("loss", *OBJECTIVES[family].measures)

    def figures(means: Sequence[float]) -> list[Figure]:
        return [Figure(name, value, f"{name} {value:.4f}") for name, value in zip(names, means, strict=True)]

    return figures


def _load(session: Session, options: FamilyOptions) -> LabelledPictures:
    (place,) = options.places
    pictures = load_labelled(place, first=options.first, part=options.part)
    classes = f", {len(pictures.names)} classes" if pictures.names else ""
    session.console.print(f"{len(pictures.pixels):,} pictures: {pictures.form}{classes}")
    for reason in pictures.unreadable[:3]:
        session.console.print(f"not used: {reason}", markup=False, soft_wrap=True)
    return pictures


def _trained(session: Session, options: FamilyOptions, pictures: LabelledPictures) -> Family:
    plan = plan_run(options, pictures, session.device)
    checkpoint = session.checkpoint_for(plan)
    training = FamilyTraining(
        plan, pictures.pixels, pictures.labels, session.device, session.workers, checkpoint=checkpoint
    )
    session.train(training, pictures.fingerprint, family_figures(plan.family))
    return training.average.model


def _finished(session: Session) -> Family:
    checkpoint = session.finished()
    plan = FamilyPlan.from_dict(checkpoint["plan"])
    objective = OBJECTIVES[plan.family](FAMILIES[plan.family](plan.form, plan.architecture), plan.settings)
    objective.load_state_dict(checkpoint["average"])
    return objective.model
