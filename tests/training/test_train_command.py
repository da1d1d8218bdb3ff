from __future__ import annotations

import argparse
import io
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from PIL import Image
from safetensors.torch import load_file

from archivae.errors import ArchivaeError, ModelError, UsageError
from archivae.models import load_model, shipped
from archivae.pipeline import train
from archivae.pipeline.showing import Console
from archivae.pipeline.training import job
from archivae.pipeline.training.options import CodecOptions
from archivae.pipeline.training.report import Report, open_tensorboard
from tests.training.tiny import SIZES, smooth_picture


@pytest.fixture(scope="module")
def pictures(tmp_path_factory: pytest.TempPathFactory) -> str:
    folder = tmp_path_factory.mktemp("pictures")
    for n in range(3):
        Image.fromarray(smooth_picture(n)).save(folder / f"{n}.png")
    return str(folder)


def parse(*argv: str) -> argparse.Namespace:
    parser = argparse.ArgumentParser()
    train.add_parser(parser.add_subparsers())
    return parser.parse_args(["train", "codec", *argv])


def options(pictures: str, out: Path, **changes: Any) -> CodecOptions:
    small: dict[str, Any] = {"steps": 6, "checkpoint_every": 2, "batch": 2, "crop": 64, "device": "cpu"}
    return CodecOptions(data=pictures, out=str(out), **(small | {"architecture": SIZES} | changes))


def train_and_listen(asked: CodecOptions) -> str:
    said = io.StringIO()
    job.train_codec(asked, Console(file=said, width=500))
    return said.getvalue()


def checkpoint(out: Path) -> dict[str, Any]:
    return dict(torch.load(out / "checkpoint.pt", weights_only=True))


def test_options_left_out_have_the_defaults_that_help_tells(capsys: pytest.CaptureFixture[str]) -> None:
    args = parse("--data", "a", "--out", "b")
    values = {name: value for name, value in vars(args).items() if name not in ("kind", "run")}
    assert CodecOptions(**values) == CodecOptions(["a"], "b")
    assert args.run is train.run
    with pytest.raises(SystemExit):
        parse("--help")
    assert "of the whole run (20000)" in " ".join(capsys.readouterr().out.split())


def test_options_given_arrive() -> None:
    argv = "--data a --out b --architecture fine=64 latents=32 --muon-rate 0.003 --precision bf16 --export-only"
    args = parse(*argv.split())
    assert args.architecture == {"fine": 64, "latents": 32}
    assert (args.muon_rate, args.precision, args.export_only) == (0.003, "bf16", True)


def test_the_codecs_own_options_arrive() -> None:
    argv = (
        "--data a b --out c --init photo --grow coarse_blocks=4 --schedule plateau --cooldown 50 --large-crop 512 "
        "--large-crop-steps 40 --tune ssim --ssim-share 0.6 --damaged 0.1 --compile"
    )
    asked = CodecOptions(**{n: v for n, v in vars(parse(*argv.split())).items() if n not in ("kind", "run")})
    assert asked.places == ["a", "b"] and asked.grow == {"coarse_blocks": 4} and asked.compile
    planned, start = job.plan_run(replace(asked, steps=100), torch.device("cpu"))
    assert start is not None and planned.architecture == replace(start.arch, coarse_blocks=4, fine_blocks=2)
    assert (planned.schedule, planned.cooldown, planned.plateau_end) == ("plateau", 50, 50)
    assert (planned.large_crop, planned.large_crop_steps, planned.large_batch) == (512, 40, 2)
    assert (planned.ssim_share, planned.damaged, planned.compiled) == (0.6, 0.1, True)


@pytest.mark.parametrize(
    "bad",
    [
        "--grow coarse_blocks",
        "--tune eyes",
        "--architecture fine",
        "--muon-rate 0",
        "--checkpoint-every 0",
        "--precision fp8",
    ],
)
def test_options_that_make_no_sense_are_refused(bad: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        parse("--data", "a", "--out", "b", *bad.split())
    assert bad.split()[0] in capsys.readouterr().err


def test_the_command_trains_and_writes_a_model(
    pictures: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    argv = f"--data {pictures} --out {tmp_path} --steps 3 --batch 2 --crop 64 --device cpu --name xrays --architecture"
    args = parse(*argv.split(), *(f"{name}={size}" for name, size in SIZES.items()))
    assert args.run(args) == 0
    weights = load_model(str(tmp_path / "xrays.safetensors"))
    assert weights.name == "xrays" and weights.arch.asdict() == SIZES
    said = " ".join(capsys.readouterr().out.split())
    assert "3 pictures" in said and "step 3/3 loss" in said and "fitting the frequency tables to 3" in said
    assert weights.model_id().hex() in said
    assert list((tmp_path / "tensorboard").iterdir())


def test_a_killed_run_goes_on_to_the_same_weights(
    pictures: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    train_and_listen(options(pictures, tmp_path / "whole"))
    add = Report.add

    def killed_at_five(self: Report, step: int, *args: Any, **kwargs: Any) -> None:
        if step == 5:
            raise KeyboardInterrupt
        add(self, step, *args, **kwargs)

    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(Report, "add", killed_at_five)
        train_and_listen(options(pictures, tmp_path / "killed"))
    assert checkpoint(tmp_path / "killed")["step"] == 4

    said = train_and_listen(options(pictures, tmp_path / "killed"))
    assert "going on from step 4 of 6" in said and "curve will be another one" not in said
    expected, found = (checkpoint(tmp_path / name) for name in ("whole", "killed"))
    assert all(torch.equal(expected["average"][name], tensor) for name, tensor in found["average"].items())
    models = [(tmp_path / name / "photo.safetensors").read_bytes() for name in ("whole", "killed")]
    assert models[0] == models[1]


def test_export_only_needs_a_checkpoint_and_gives_its_model(pictures: str, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="found none; train first"):
        train_and_listen(options(pictures, tmp_path, export_only=True))
    train_and_listen(options(pictures, tmp_path, steps=2))
    model = (tmp_path / "photo.safetensors").read_bytes()
    (tmp_path / "photo.safetensors").unlink()
    said = train_and_listen(options(pictures, tmp_path, export_only=True, architecture={}, steps=99))
    assert "stands at step 2 of 2" in said
    assert (tmp_path / "photo.safetensors").read_bytes() == model


def test_another_plan_in_the_same_folder_is_refused(pictures: str, tmp_path: Path) -> None:
    train_and_listen(options(pictures, tmp_path, steps=2))
    with pytest.raises(UsageError, match="another plan: expected seed 0, found 1; give the options it began with"):
        train_and_listen(options(pictures, tmp_path, seed=1))
    said = train_and_listen(options(pictures, tmp_path, steps=3, checkpoint_every=1))
    assert "going on from step 2 of 3" in said


def test_fine_tuning_starts_from_a_weight_file(pictures: str, tmp_path: Path) -> None:
    train_and_listen(options(pictures, tmp_path / "base", steps=2))
    init = str(tmp_path / "base" / "photo.safetensors")
    # So slow that nothing moves: what comes out is what went in, but for the tables.
    train_and_listen(
        options(pictures, tmp_path / "tuned", init=init, architecture={}, adam_rate=1e-12, muon_rate=1e-12)
    )
    base, tuned = (load_model(str(tmp_path / name / "photo.safetensors")) for name in ("base", "tuned"))
    assert all(torch.equal(tuned.floats[name], tensor) for name, tensor in base.floats.items() if "gain" not in name)
    assert all(torch.equal(tuned.layers[name].weight, layer.weight) for name, layer in base.layers.items())
    assert checkpoint(tmp_path / "tuned")["plan"]["init"] == base.model_id().hex()
    with pytest.raises(UsageError, match="expected either --init or --architecture"):
        train_and_listen(options(pictures, tmp_path / "both", init=init))


def test_checkpoints_have_halves_that_a_grown_model_starts_from(pictures: str, tmp_path: Path) -> None:
    train_and_listen(options(pictures, tmp_path / "base", steps=2))
    for part, kept in (("weights", "model"), ("average", "average")):
        state = load_file(tmp_path / "base" / f"checkpoint-{part}.safetensors")
        full = checkpoint(tmp_path / "base")[kept]
        assert all(torch.equal(tensor, full[name].half()) for name, tensor in state.items()) and len(state) == len(full)
    init = str(tmp_path / "base" / "checkpoint-average.safetensors")
    grown = options(pictures, tmp_path / "grown", steps=2, init=init, architecture={}, grow={"coarse_blocks": 2})
    train_and_listen(grown)
    weights = load_model(str(tmp_path / "grown" / "photo.safetensors"))
    assert weights.arch.asdict() == SIZES | {"coarse_blocks": 2}


def test_after_a_cool_down_more_steps_go_on_from_the_plateau(pictures: str, tmp_path: Path) -> None:
    short, more = ({"schedule": "plateau", "steps": steps, "cooldown": 2} for steps in (5, 8))
    train_and_listen(options(pictures, tmp_path / "twice", **short))
    cooled = (tmp_path / "twice" / "photo.safetensors").read_bytes()
    assert torch.load(tmp_path / "twice" / "plateau.pt", weights_only=True)["step"] == 3
    said = train_and_listen(options(pictures, tmp_path / "twice", **more))
    assert "step 5 is in a cool-down: going back to the plateau before it" in said
    assert "going on from step 3 of 8" in said
    train_and_listen(options(pictures, tmp_path / "once", **more))
    models = [(tmp_path / name / "photo.safetensors").read_bytes() for name in ("twice", "once")]
    assert models[0] == models[1] != cooled


def test_a_cool_down_that_was_killed_is_taken_up_again(pictures: str, tmp_path: Path) -> None:
    asked = options(pictures, tmp_path, schedule="plateau", steps=6, cooldown=3)
    train_and_listen(asked)
    whole = checkpoint(tmp_path)["average"]
    torch.save(torch.load(tmp_path / "plateau.pt", weights_only=True), tmp_path / "checkpoint.pt")
    said = train_and_listen(asked)
    assert "going on from step 3 of 6" in said and "going back" not in said
    assert all(torch.equal(whole[name], tensor) for name, tensor in checkpoint(tmp_path)["average"].items())


def test_the_synthesis_alone_is_trained_on_a_weight_file(pictures: str, tmp_path: Path) -> None:
    train_and_listen(options(pictures, tmp_path / "base", steps=2))
    init = str(tmp_path / "base" / "photo.safetensors")
    asked = options(pictures, tmp_path / "tuned", init=init, architecture={}, synthesis_only=True, steps=2)
    assert "fitting" not in train_and_listen(asked)
    base, tuned = (load_model(str(tmp_path / name / "photo.safetensors")) for name in ("base", "tuned"))
    kept = [name for name in base.floats if not name.startswith(("synthesis.", "decoder_gain"))]
    assert all(torch.equal(base.floats[name], tuned.floats[name]) for name in kept)
    assert any(not torch.equal(base.floats[name], tuned.floats[name]) for name in base.floats)
    assert (base.tables.cumulative == tuned.tables.cumulative).all()
    again = (tmp_path / "tuned" / "photo.safetensors").read_bytes()
    train_and_listen(replace(asked, export_only=True))
    assert (tmp_path / "tuned" / "photo.safetensors").read_bytes() == again
    with pytest.raises(UsageError, match="name it with --init"):
        train_and_listen(replace(asked, export_only=True, init=None))
    halves = str(tmp_path / "base" / "checkpoint-average.safetensors")
    with pytest.raises(UsageError, match="has no frequency tables"):
        train_and_listen(replace(asked, out=str(tmp_path / "other"), init=halves))


def test_two_photo_models_ship_under_their_names(
    pictures: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, seed in (("photo", 1), ("photo-psnr", 2)):
        train_and_listen(options(pictures, tmp_path / name, steps=1, name=name, seed=seed))
        (tmp_path / name / f"{name}.safetensors").rename(tmp_path / f"{name}.safetensors")
    monkeypatch.setattr(shipped, "_FOLDER", tmp_path)
    shipped._shipped.cache_clear()
    try:
        assert list(shipped.shipped_models()) == ["photo", "photo-psnr"]
        ids = {load_model(name).model_id() for name in shipped.shipped_models()}
        assert len(ids) == 2 and load_model().name == "photo"
    finally:
        shipped._shipped.cache_clear()


def test_several_places_are_one_collection(pictures: str, tmp_path: Path) -> None:
    (tmp_path / "more").mkdir()
    Image.fromarray(smooth_picture(7)).save(tmp_path / "more" / "0.png")
    both = [pictures, str(tmp_path / "more")]
    assert "4 pictures" in train_and_listen(replace(options("", tmp_path / "out", steps=1), data=both))
    twice = [pictures, pictures]
    assert "6 pictures" in train_and_listen(replace(options("", tmp_path / "twice", steps=1), data=twice))
    with pytest.raises(ArchivaeError, match="nothing"):
        train_and_listen(replace(options("", tmp_path / "none", steps=1), data=[pictures, str(tmp_path / "nothing")]))


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"grow": {"coarse_blocks": 2}}, "name it with --init"),
        ({"synthesis_only": True}, "name it with --init"),
        ({"ssim_share": 0.5}, "--ssim-share is for --tune ssim"),
        ({"architecture": {"depth": 3}}, "expected --architecture of fine, .*, found depth"),
        ({"name": "../photo"}, "expected a --name of small letters"),
        ({"crop": 128}, "0 pictures .* 3 too small"),
    ],
)
def test_mistakes_are_said(pictures: str, tmp_path: Path, changes: dict[str, Any], message: str) -> None:
    with pytest.raises(ArchivaeError, match=message):
        train_and_listen(options(pictures, tmp_path, **changes))


def test_a_damaged_checkpoint_is_said(pictures: str, tmp_path: Path) -> None:
    (tmp_path / "checkpoint.pt").write_bytes(b"not a checkpoint")
    with pytest.raises(ModelError, match="remove it to begin anew"):
        train_and_listen(options(pictures, tmp_path))


def test_a_loss_that_is_no_number_stops_the_run() -> None:
    said = io.StringIO()
    problem = pytest.raises(ModelError, match="expected a finite loss, found nan at step 10")
    with problem, Report(Console(file=said), 0, 100, None) as report:
        for step in range(1, 11):
            report.add(step, torch.tensor([float("nan") if step == 7 else 1.0, 1.0, 1.0]), show=False)


def test_reports_are_means_since_the_last() -> None:
    said = io.StringIO()
    with Report(Console(file=said, width=200), 40, 60, None) as report:
        for step in range(41, 61):
            report.add(step, torch.tensor([float(step), 0.5, 0.001]), show=False)
    first, last = said.getvalue().splitlines()[0], said.getvalue().splitlines()[-1]
    assert first.startswith("step 50/60  loss 45.5000  0.500 bpp  30.00 dB")
    assert first.endswith("left") and last.startswith("step 60/60  loss 55.5000")


def test_without_tensorboard_one_line_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    said = io.StringIO()
    monkeypatch.setitem(sys.modules, "torch.utils.tensorboard", None)
    assert open_tensorboard(str(tmp_path), 0, Console(file=said)) is None
    assert said.getvalue() == "no TensorBoard logs: pip install 'archivae[train]' for them\n"
