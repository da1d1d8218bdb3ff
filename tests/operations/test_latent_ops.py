"""Changes of latents do what they say, and directions point where labelled pictures do."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from archivae.errors import UsageError
from archivae.models import ModelName, open_model
from archivae.operations.embed import most_similar
from archivae.operations.latent_ops import Along, direction_between, parse_latent_ops, transform
from tests.autoencoders import pictures, weight_file

LATENTS = np.arange(6, dtype=np.float32).reshape(2, 3)


@pytest.mark.parametrize(
    ("text", "column"), [("1:+1.5", [2.5, 5.5]), ("1:-2", [-1, 2]), ("1:*-2", [-2, -8]), ("1:=0.5", [0.5, 0.5])]
)
def test_one_latent_changes_and_the_others_stay(text: str, column: list[float]) -> None:
    (op,) = parse_latent_ops(text)
    changed = op.apply(LATENTS)
    assert changed[:, 1].tolist() == column and changed.dtype == np.float32
    assert np.array_equal(changed[:, [0, 2]], LATENTS[:, [0, 2]]) and LATENTS[0, 1] == 1


def test_a_map_is_a_latent_too() -> None:
    maps = np.ones((1, 2, 3, 3), np.float32)
    assert parse_latent_ops("1:=4")[0].apply(maps)[0, 1].tolist() == [[4] * 3] * 3


@pytest.mark.parametrize("text", ["", "2", "2:1.5", "-1:+2", "a:+1", "2:+1;3:+1", "2:+"])
def test_what_is_no_change_is_refused(text: str) -> None:
    with pytest.raises(UsageError, match="expected changes of latents such as"):
        parse_latent_ops(text)


def test_a_latent_that_is_not_there_is_refused() -> None:
    with pytest.raises(UsageError, match="expected a latent of 0 to 2, found 3"):
        parse_latent_ops("3:+1")[0].apply(LATENTS)


def test_directions_lead_from_one_mean_to_the_other(tmp_path: Path) -> None:
    model = open_model(ModelName(weight_file(tmp_path, "vae")), "cpu")
    shown = pictures(8)
    bright, dark = list(shown), list(shown // 4)
    direction = direction_between(model, dark, bright)
    moved = Along(direction, 1.0).apply(model.encode(dark))
    assert np.allclose(moved.mean(0), model.encode(bright).mean(0), atol=1e-5)
    changed = transform(model, dark, [Along(direction, 1.0)])
    assert len(changed) == 8 and changed[0].shape == (12, 12, 1)
    assert (
        np.stack(transform(model, dark, [Along(direction, 0.0)])).tolist()
        == np.stack(model.decode(model.encode(dark))).tolist()
    )


def test_the_most_similar_come_first() -> None:
    vectors = np.array([[1, 0], [0.9, 0.1], [0, 1], [-1, 0]], np.float32)
    found = most_similar(["a", "b", "c", "d"], vectors, vectors[0], 3)
    assert [match.uri for match in found] == ["a", "b", "c"]
    assert found[0].likeness == pytest.approx(1)
    with pytest.raises(UsageError, match="a vector of 2 numbers, found 3"):
        most_similar(["a"], vectors[:1], np.zeros(3, np.float32), 1)
