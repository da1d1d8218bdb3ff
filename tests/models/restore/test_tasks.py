from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from archivae.errors import UsageError
from archivae.models.restore.brighten import brighten, gain_of, stops_between
from archivae.models.restore.tasks import TASKS, find_task
from tests.training.tiny import smooth_picture


@given(task=st.sampled_from(sorted(TASKS)), level=st.floats(0, 1))
def test_levels_and_strengths_are_two_names_of_one_thing(task: str, level: float) -> None:
    strength = TASKS[task].strength(level)
    TASKS[task].check(strength)
    assert TASKS[task].level(strength) == pytest.approx(level, abs=1e-6)


@pytest.mark.parametrize("task", sorted(TASKS))
def test_no_damage_leaves_the_network_nothing_to_say(task: str) -> None:
    amplitude = TASKS[task].amplitude(torch.zeros(1), torch.zeros(1, 1, 8, 8), pixels(0))
    assert not amplitude.any()
    assert TASKS[task].level(TASKS[task].none) == 0


def test_unknown_tasks_are_named() -> None:
    with pytest.raises(UsageError, match="expected a task of denoise, .*, found 'sharpen'"):
        find_task("sharpen")


def pixels(seed: int) -> torch.Tensor:
    return torch.from_numpy(smooth_picture(seed)).permute(2, 0, 1)[None] / 255


def stops(value: float) -> torch.Tensor:
    return torch.full((1, 1, 1, 1), value)


def test_no_stops_change_nothing_and_more_are_brighter() -> None:
    dark = pixels(0)
    assert torch.equal(brighten(dark, stops(0)), dark)
    assert (brighten(dark, stops(3)) >= brighten(dark, stops(2))).all()
    assert brighten(dark, stops(8)).max() <= 1


def test_the_gain_of_each_pixel_is_known() -> None:
    dark = pixels(0) / 4
    np.testing.assert_allclose(gain_of(brighten(dark, stops(3)), stops(3)) * dark, brighten(dark, stops(3)), rtol=1e-4)


def test_what_was_bright_in_the_dark_stays() -> None:
    level, mask = torch.full((1,), 0.5), torch.zeros(1, 1, 8, 8)
    amplitude = TASKS["lowlight"].amplitude(
        level, mask, torch.tensor([0.0, 0.5, 1.0]).view(1, 1, 1, 3).expand(1, 3, 1, 3)
    )
    black, grey, white = amplitude.flatten().tolist()
    assert black > grey > 0.4 and white == 0


def test_brightening_keeps_hues() -> None:
    dark, light = pixels(1), brighten(pixels(1), stops(4))
    torch.testing.assert_close(dark / dark.amax(1, keepdim=True), light / light.amax(1, keepdim=True))


@pytest.mark.parametrize("wanted", [0.0, 0.5, 3.0, 7.0])
def test_stops_are_found_again(wanted: float) -> None:
    dark = smooth_picture(2).astype(np.float32) / 255 / 20
    light = brighten(torch.from_numpy(dark).permute(2, 0, 1)[None], stops(wanted))[0].permute(1, 2, 0).numpy()
    assert stops_between(dark, light) == pytest.approx(wanted, abs=0.05)
