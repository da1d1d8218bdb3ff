from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path

import pytest
import torch
import torch.nn.functional as F
from PIL import Image
from safetensors.torch import save_file
from torch import Tensor

from archivae.models.photo.architecture import Architecture
from archivae.models.photo.trainable import TrainableCodec
from benchmarks import tries
from benchmarks.try_curve import read_curve
from benchmarks.try_models import TRIES, folded_state, haar, integer_log, plain_model
from tests.training.tiny import SIZES, smooth_picture

ARCH = replace(Architecture(**SIZES), fine_blocks=2)


@pytest.fixture(scope="module")
def start() -> dict[str, Tensor]:
    torch.manual_seed(5)
    return TrainableCodec(ARCH).state_dict()


def outputs(model: TrainableCodec) -> tuple[Tensor, ...]:
    torch.manual_seed(0)
    pixels = torch.rand(2, 3, 64, 64)
    with torch.no_grad():
        return model.eval()(pixels, torch.tensor([1.5, 7.0]))


@pytest.mark.parametrize("name", ["context-latents", "scales-haar"])
def test_a_try_begins_as_the_same_function(name: str, start: dict[str, Tensor]) -> None:
    expected, found = outputs(TRIES["reference"](start)), outputs(TRIES[name](start))
    for one, other in zip(expected, found, strict=True):
        torch.testing.assert_close(one, other, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("name", TRIES)
def test_what_a_try_learned_is_kept_without_its_parametrisation(name: str, start: dict[str, Tensor]) -> None:
    model = TRIES[name](start)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.add_(torch.randn_like(parameter) * 0.01)
    for one, other in zip(outputs(model), outputs(plain_model(folded_state(model))), strict=True):
        torch.testing.assert_close(one, other, rtol=1e-4, atol=1e-4)


def test_the_third_pair_takes_the_place_of_a_fine_block(start: dict[str, Tensor]) -> None:
    model = TRIES["coarse-third"](start)
    assert (model.arch.fine_blocks, model.arch.coarse_blocks) == (1, ARCH.coarse_blocks + 2)
    found = model.state_dict()
    assert torch.equal(found["analysis.fine.0.look.weight"], start["analysis.fine.0.look.weight"])
    assert torch.equal(found["synthesis.fine.0.look.weight"], start["synthesis.fine.0.look.weight"])
    x, mix = torch.randn(1, ARCH.coarse, 4, 4), torch.full((1, 10), 0.1)
    assert torch.equal(model.synthesis.coarse[-1](x, mix), x)


def test_haar_is_orthonormal_and_its_first_component_the_mean() -> None:
    basis = haar(8, 3)
    torch.testing.assert_close(basis @ basis.T, torch.eye(192))
    patches = F.pixel_unshuffle(torch.rand(1, 3, 8, 8), 8)[0, :, 0, 0]
    torch.testing.assert_close((basis @ patches)[::64], patches.view(3, 64).mean(1) * 8)


def test_the_integer_logarithm_is_one_of_integers() -> None:
    sixteenths = torch.arange(-(2**18), 2**18)
    magnitude = sixteenths.abs() + 16
    exponent = torch.tensor([int(m).bit_length() - 5 for m in magnitude])
    steps = 16 * exponent + (magnitude >> exponent) - 16
    expected = torch.sign(sixteenths) * ((steps * 12) >> 4)
    assert torch.equal(integer_log(sixteenths / 16), expected.float())
    assert expected.diff().min() >= 0


@pytest.mark.parametrize("name", TRIES)
def test_the_command_trains_goes_on_and_rates(
    name: str,
    start: dict[str, Tensor],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    for n in range(2):
        Image.fromarray(smooth_picture(n)).save(tmp_path / f"{n}.png")
    save_file({n: t.half() for n, t in start.items()}, tmp_path / "start.safetensors")
    common = (
        f"tries {name} --start {tmp_path}/start.safetensors --data {tmp_path} --kodak {tmp_path} --crop 64 --batch 2"
    )

    def call(more: str) -> str:
        monkeypatch.setattr(sys, "argv", f"{common} {more}".split())
        tries.main()
        return capsys.readouterr().out

    whole, halves, rated = (tmp_path / part for part in ("whole", "halves", "rated"))
    call(f"--out {whole} --steps 4")
    call(f"--out {halves} --steps 2")
    said = call(f"--out {halves} --steps 4 --against {whole}/curve.json")
    assert f"{name} after 4 steps" in said
    assert (whole / "curve.json").read_text() == (halves / "curve.json").read_text()
    call(f"--out {rated} --evaluate {whole}/checkpoint.pt")
    assert (whole / "curve.json").read_text() == (rated / "curve.json").read_text()
    call(f"--out {rated} --evaluate {whole}/average.safetensors")
    assert [p.bpp for p in read_curve(rated / "curve.json")] == pytest.approx(
        [p.bpp for p in read_curve(whole / "curve.json")], rel=0.05
    )
