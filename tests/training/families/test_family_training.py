"""Every family learns, stops where it is told to, and goes on where it was killed."""

from __future__ import annotations

import argparse
import io
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from rich.console import Console

from archivae.errors import UsageError
from archivae.models import FAMILIES, Autoencoder, parse_family
from archivae.models.families.variational import Posterior
from archivae.models.training.families.plan import FamilyPlan
from archivae.models.training.families.settings import SETTINGS, VaeSettings
from archivae.models.training.families.training import FamilyTraining
from archivae.models.training.families.variational import price
from archivae.pipeline import train
from archivae.pipeline.training.family_job import train_family
from archivae.pipeline.training.options import FamilyOptions
from tests.autoencoders import FORM, SMALL, pictures
from tests.samples import file_of
from tests.training.families.test_labelled import fill

CPU = torch.device("cpu")
LABELS = np.arange(20) % 2


def plan(family: str, **changes: Any) -> FamilyPlan:
    kind = FAMILIES[family]
    made = FamilyPlan(
        steps=30,
        batch=8,
        seed=1,
        precision="float32",
        family=family,
        form=FORM,
        optimiser="adam",
        rate=3e-3,
        until_loss=None,
        settings=SETTINGS[family](),
        architecture=kind.sizes_type(**SMALL[family]),
    )
    return replace(made, **changes)


def training(family: str, checkpoint: dict[str, Any] | None = None, **changes: Any) -> FamilyTraining:
    return FamilyTraining(plan(family, **changes), pictures(), LABELS, CPU, checkpoint=checkpoint)


def losses(run: FamilyTraining) -> list[float]:
    return [float(measures[0]) for measures in run.run()]


@pytest.mark.parametrize("family", FAMILIES)
def test_plans_go_through_checkpoints(family: str) -> None:
    buffer = io.BytesIO()
    torch.save(plan(family).asdict(), buffer)
    buffer.seek(0)
    assert FamilyPlan.from_dict(torch.load(buffer, weights_only=True)) == plan(family)


@pytest.mark.parametrize("family", [name for name in FAMILIES if name not in ("gan", "vae-gan")])
def test_what_is_minimised_gets_less(family: str) -> None:
    found = losses(training(family, steps=80, rate=1e-2))
    assert np.mean(found[-10:]) < 0.9 * np.mean(found[:5])


@pytest.mark.parametrize("family", ["gan", "vae-gan"])
def test_both_sides_of_a_game_move_and_only_one_is_shipped(family: str) -> None:
    run = training(family, steps=3)
    before = {name: tensor.clone() for name, tensor in run.state_dict()["model"].items()}
    losses(run)
    moved = {name.split(".")[0] for name, t in run.state_dict()["model"].items() if not torch.equal(t, before[name])}
    assert moved == {"model", "discriminator"}
    assert not any("discriminator" in name for name in run.average.model.state_dict())


def test_a_run_goes_on_to_the_same_weights() -> None:
    whole, first = training("vae", steps=6), training("vae", steps=6)
    losses(whole)
    steps = first.run()
    for _ in range(3):
        next(steps)
    rest = training("vae", checkpoint=first.state_dict(), steps=6)
    assert len(losses(rest)) == 3
    for name, tensor in whole.state_dict()["average"].items():
        assert torch.equal(tensor, rest.state_dict()["average"][name]), name


def test_it_stops_once_the_loss_is_low() -> None:
    assert len(losses(training("dense", steps=500, until_loss=10.0))) == 1
    stopped = training("dense", steps=2000, rate=1e-2, until_loss=0.06)
    found = losses(stopped)
    assert stopped.finished and len(found) < 2000


@pytest.mark.parametrize("optimiser", ["adam", "sgd"])
@pytest.mark.parametrize("loss", ["mse", "cross-entropy"])
def test_dense_learns_in_each_way(optimiser: Any, loss: Any) -> None:
    settings = SETTINGS["dense"](loss=loss)  # type: ignore[call-arg]
    rate = 1e-2 if optimiser == "adam" else 0.3
    found = losses(training("dense", steps=120, optimiser=optimiser, rate=rate, settings=settings))
    assert np.mean(found[-10:]) < np.mean(found[:5])


def test_bits_cost_what_they_are_said_to() -> None:
    cheap, dear = (
        training("conv", settings=SETTINGS["conv"](loss="mse", bits=bits), steps=150, rate=1e-2)  # type: ignore[call-arg]
        for bits in (1e-5, 1.0)
    )
    bits = [[float(measures[1]) for measures in run.run()][-1] for run in (cheap, dear)]
    assert bits[1] < bits[0]


def test_free_bits_are_free() -> None:
    posterior = Posterior(torch.zeros(4, 3), torch.zeros(4, 3))
    cost, bits = price(posterior, VaeSettings(beta=2.0, free_bits=1.0))
    assert bits == 0 and float(cost) == pytest.approx(2 * 3 * np.log(2))
    assert float(price(posterior, VaeSettings())[0]) == 0


def test_idle_words_are_woken() -> None:
    run = training("vq", steps=20)
    used = [float(measures[1]) for measures in run.run()]
    assert used[-1] > 0.5


def parse(*words: str) -> argparse.Namespace:
    parser = argparse.ArgumentParser()
    train.add_parser(parser.add_subparsers())
    return parser.parse_args(["train", *words])


@pytest.fixture
def source(tmp_path: Path) -> str:
    shown = pictures()
    files = {f"{FORM.labels[n % 2]}/{n:02d}.png": file_of(shown[n]) for n in range(20)}
    return fill(tmp_path / "pictures", files)


@pytest.mark.parametrize("family", FAMILIES)
def test_the_command_trains_every_family(family: str, source: str, tmp_path: Path) -> None:
    sizes = [f"{name}={count}" for name, count in SMALL[family].items()]
    words = f"{family} --data {source} --out {tmp_path} --max-steps 3 --batch 4 --device cpu --first 10".split()
    args = parse(*words, "--architecture", *sizes)
    assert args.run(args) == 0
    weights = parse_family((tmp_path / f"{family}.safetensors").read_bytes())
    assert weights.form.labels == (FORM.labels if family == "cvae" else ()) and weights.family == family
    assert bool(weights.codec) == isinstance(weights.build(), Autoencoder)


def options(source: str, out: Path, **changes: Any) -> FamilyOptions:
    small: dict[str, Any] = {"family": "dense", "steps": 3, "batch": 4, "device": "cpu", "architecture": SMALL["dense"]}
    return FamilyOptions(data=source, out=str(out), **(small | changes))


def test_the_commands_own_settings_arrive(source: str, tmp_path: Path) -> None:
    args = parse(
        "vae", "--data", source, "--out", str(tmp_path), "--beta", "0.5", "--until-loss", "0.2", "--rate", "0.01"
    )
    assert (args.beta, args.free_bits, args.until_loss, args.rate, args.steps) == (0.5, None, 0.2, 0.01, 3000)
    with pytest.raises(SystemExit):
        parse("dense", "--data", source, "--out", str(tmp_path), "--beta", "1")


def test_a_stopped_run_is_exported_as_it_stands(source: str, tmp_path: Path) -> None:
    said = io.StringIO()
    train_family(options(source, tmp_path, until_loss=10.0, steps=500), Console(file=said, width=200))
    first = (tmp_path / "dense.safetensors").read_bytes()
    train_family(options(source, tmp_path, until_loss=10.0, steps=500, export_only=True), Console(file=said, width=200))
    assert (tmp_path / "dense.safetensors").read_bytes() == first
    assert (
        "20 pictures: grey pictures 12x12, 2 classes" in said.getvalue()
        and "stands at step 1 of 500" in said.getvalue()
    )


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"settings": {"loss": "hinge"}}, "expected --loss mse or cross-entropy, found 'hinge'"),
        ({"optimiser": "lion"}, "expected --optimiser adam or sgd"),
        ({"architecture": {"width": 3}}, "expected --architecture of hidden, depth, latents, found width"),
        ({"family": "vae", "architecture": {}, "settings": {"beta": -1.0}}, "expected --beta of 0 or more, found -1.0"),
    ],
)
def test_mistakes_are_said(source: str, tmp_path: Path, changes: dict[str, Any], message: str) -> None:
    with pytest.raises(UsageError, match=message):
        train_family(options(source, tmp_path, **changes))


def test_a_checkpoint_of_another_family_is_refused(source: str, tmp_path: Path) -> None:
    train_family(options(source, tmp_path))
    with pytest.raises(UsageError, match="another"):
        train_family(options(source, tmp_path, family="conv", architecture=SMALL["conv"]))
