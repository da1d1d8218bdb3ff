from __future__ import annotations

import argparse
import io
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from rich.console import Console

from archivae.errors import UsageError
from archivae.models import TASKS, Restorer, load_restorer
from archivae.pipeline import train
from archivae.pipeline.training.options import RestorerOptions
from archivae.pipeline.training.restore_job import train_restorer
from tests.training.test_restorer_training import SIZES
from tests.training.tiny import smooth_picture


@pytest.fixture(scope="module")
def pictures(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("pictures")
    for half, divisor in (("low", 8), ("high", 1)):
        (folder / half).mkdir()
        for n in range(3):
            Image.fromarray(smooth_picture(n) // divisor).save(folder / half / f"{n}.png")
    return folder


def parse(*argv: str) -> argparse.Namespace:
    parser = argparse.ArgumentParser()
    train.add_parser(parser.add_subparsers())
    return parser.parse_args(["train", "restore", *argv])


def options(pictures: Path, out: Path, task: str, **changes: object) -> RestorerOptions:
    small = {"steps": 4, "checkpoint_every": 2, "batch": 2, "crop": 64, "device": "cpu", "architecture": SIZES}
    return RestorerOptions(data=f"{pictures}/high", out=str(out), task=task, **(small | changes))  # type: ignore[arg-type]


def train_and_listen(asked: RestorerOptions) -> str:
    said = io.StringIO()
    train_restorer(asked, Console(file=said, width=500))
    return said.getvalue()


def test_options_left_out_have_the_defaults_that_help_tells(capsys: pytest.CaptureFixture[str]) -> None:
    args = parse("--task", "denoise", "--data", "a", "--out", "b")
    values = {name: value for name, value in vars(args).items() if name not in ("kind", "run")}
    assert RestorerOptions(**values) == RestorerOptions(["a"], "b", task="denoise")
    assert args.run is train.run_restore
    with pytest.raises(SystemExit):
        parse("--help")
    assert "a multiple of 32 (128)" in " ".join(capsys.readouterr().out.split())


def test_the_command_knows_every_task() -> None:
    assert set(train._TASKS) == TASKS.keys()
    with pytest.raises(SystemExit):
        parse("--task", "sharpen", "--data", "a", "--out", "b")


@pytest.mark.parametrize("task", sorted(TASKS))
def test_the_command_trains_and_writes_a_restorer(pictures: Path, tmp_path: Path, task: str) -> None:
    pairs = ["--pairs", str(pictures)] if task == "lowlight" else []
    argv = f"--task {task} --data {pictures}/high --out {tmp_path} --steps 2 --batch 2 --crop 64 --device cpu"
    args = parse(*argv.split(), *pairs, "--architecture", *(f"{name}={size}" for name, size in SIZES.items()))
    assert args.run(args) == 0
    restorer = Restorer(load_restorer(str(tmp_path / f"{task}.safetensors")), torch.device("cpu"), torch.float32)
    picture = smooth_picture(9)
    mask = np.zeros(picture.shape[:2], bool)
    mask[10:20] = True
    found = restorer.restore(picture, mask=mask if task == "inpaint" else None)
    assert found.pixels.shape == picture.shape


def test_a_run_goes_on_and_is_exported(pictures: Path, tmp_path: Path) -> None:
    train_and_listen(options(pictures, tmp_path, "dejpeg", steps=2))
    said = train_and_listen(options(pictures, tmp_path, "dejpeg"))
    assert "going on from step 2 of 4" in said and "dB by the network" in said and "level within" in said
    model = (tmp_path / "dejpeg.safetensors").read_bytes()
    (tmp_path / "dejpeg.safetensors").unlink()
    assert "stands at step 4 of 4" in train_and_listen(options(pictures, tmp_path, "dejpeg", export_only=True))
    assert (tmp_path / "dejpeg.safetensors").read_bytes() == model


def test_a_restorer_of_another_task_is_trained_on(pictures: Path, tmp_path: Path) -> None:
    train_and_listen(options(pictures, tmp_path / "base", "denoise"))
    base = tmp_path / "base" / "denoise.safetensors"
    still = {"init": str(base), "architecture": {}, "adam_rate": 1e-12, "muon_rate": 1e-12}
    train_and_listen(options(pictures, tmp_path / "tuned", "inpaint", **still))
    tuned = tmp_path / "tuned" / "inpaint.safetensors"
    one, other = (load_restorer(str(path)).tensors for path in (base, tuned))
    assert all(torch.equal(one[name], tensor) for name, tensor in other.items())
    assert one.keys() - other.keys() == {name for name in one if name.startswith("estimator.")}


def test_lonely_pictures_are_named(pictures: Path, tmp_path: Path) -> None:
    for half, names in (("low", "ab"), ("high", "ac")):
        (tmp_path / half).mkdir()
        for name in names:
            Image.fromarray(smooth_picture(0)).save(tmp_path / half / f"{name}.png")
    with pytest.raises(UsageError, match=r"found b\.png, c\.png \(2 in all\) without"):
        train_and_listen(options(pictures, tmp_path / "out", "lowlight", pairs=str(tmp_path)))
