"""From names to models, and what is said of names and weights that are none."""

from __future__ import annotations

import json
from importlib.metadata import EntryPoint
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import save_file

from archivae.errors import ModelError, UnknownModelError, UsageError
from archivae.models import ModelName, RunningModel, open_model, registry
from tests.autoencoders import Mine, pictures, weight_file
from tests.samples import MODEL

MINE = "tests.autoencoders:Mine"


def mine_file(folder: Path, latents: int = 3, **metadata: str) -> str:
    torch.manual_seed(1)
    path = str(folder / "mine.safetensors")
    save_file(Mine(latents).state_dict(), path, metadata)
    return path


def opened(model: str, weights: str = "") -> RunningModel:
    return open_model(ModelName(model, weights), "cpu")


def test_a_weight_file_is_a_model(tmp_path: Path) -> None:
    model = opened(weight_file(tmp_path, "vae"))
    assert len(model.sample([None, None], 3)) == 2
    assert opened("vae", weight_file(tmp_path, "vae")).id == model.id


def test_the_photo_codec_describes_pictures_of_any_size() -> None:
    model = opened(MODEL)
    for side in (16, 40, 67):
        assert model.describe([np.full((side, side + 3, 3), 90, np.uint8)]).shape == (1, 48)
    grey = np.random.default_rng(0).integers(0, 255, (32, 32, 1), np.uint8)
    assert np.allclose(model.describe([grey]), model.describe([np.repeat(grey, 3, 2)]), atol=1e-5)
    with pytest.raises(ModelError, match="only describes pictures"):
        model.encode([grey])
    with pytest.raises(ModelError, match="cannot sample"):
        model.sample([None], 0)


def test_somebody_elses_class_is_a_model(tmp_path: Path) -> None:
    path = mine_file(tmp_path)
    model = opened(MINE, path)
    shown = list(pictures(4))
    assert model.encode(shown).shape == (4, 3)
    assert [p.shape for p in model.decode(model.encode(shown))] == [(12, 12, 1)] * 4
    assert np.array_equal(model.describe(shown), model.encode(shown))
    assert model.id == opened(MINE, path).id != opened(MINE).id


def test_the_weight_file_may_say_how_the_class_is_made(tmp_path: Path) -> None:
    path = mine_file(tmp_path, 5, architecture=json.dumps({"latents": 5}))
    assert opened(MINE, path).encode(list(pictures(2))).shape == (2, 5)


def test_packages_can_register_models(monkeypatch: pytest.MonkeyPatch) -> None:
    points = [EntryPoint("theirs", MINE, registry.GROUP)]

    def found(group: str, name: str | None = None) -> list[EntryPoint]:
        return [point for point in points if point.group == group and name in (None, point.name)]

    monkeypatch.setattr(registry, "entry_points", found)
    assert opened("theirs").form == Mine.form
    with pytest.raises(UnknownModelError, match="expected a model of photo, .*theirs"):
        opened("nobodys")


@pytest.mark.parametrize(
    ("model", "message"),
    [
        ("nobodys", "expected a model of photo, .*package.module:Class, found 'nobodys'"),
        ("tests.nothing:Mine", "cannot import tests.nothing:Mine: No module"),
        ("tests.autoencoders:Yours", "cannot import .* has no attribute 'Yours'"),
        ("tests.autoencoders:SMALL", "expected a class or function .*, found dict"),
    ],
)
def test_unknown_names_are_said(model: str, message: str) -> None:
    with pytest.raises(UnknownModelError, match=message):
        opened(model)


def test_wrong_weights_are_said(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="expected weights of the family vae, found those of gan: say --model gan"):
        opened("vae", weight_file(tmp_path, "gan"))
    with pytest.raises(ModelError, match="weights are not those of tests.autoencoders:Mine"):
        opened(MINE, mine_file(tmp_path, latents=5))
    with pytest.raises(ModelError, match="expected weights of the family vae, found those of photo"):
        opened("vae", MODEL)
    with pytest.raises(UnknownModelError, match="expected --weights beside a family"):
        opened("photo", weight_file(tmp_path, "vae"))
    with pytest.raises(ModelError, match="make a torch.nn.Module with form and decode"):
        opened("tests.autoencoders:NoModel")
    with pytest.raises(ModelError, match="cannot be made with {'depth': 2}"):
        opened(MINE, mine_file(tmp_path, architecture='{"depth": 2}'))


def test_wrong_pictures_and_labels_are_said(tmp_path: Path) -> None:
    model = opened(weight_file(tmp_path, "cvae"))
    with pytest.raises(UsageError, match="takes grey pictures 12x12; found grey, 16x16"):
        model.encode(list(pictures(1, side=16)))
    with pytest.raises(UsageError, match="takes grey pictures 12x12; found RGB, 12x12"):
        model.encode(list(pictures(1, channels=3)))
    assert model.label("square") == 1 and model.label(None) is None
    with pytest.raises(UsageError, match="has the labels round, square; found 'blue'"):
        model.label("blue")
    with pytest.raises(UsageError, match="has no classes"):
        opened(MINE).label("round")
