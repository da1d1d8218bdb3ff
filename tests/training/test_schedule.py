"""Plateaus, cool-downs and large crops: what a run may change its mind about, and what it may not."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch

from archivae.errors import UsageError
from archivae.models.training.codec import CodecTraining
from archivae.models.training.optim import HORIZON, LOWEST, plateau_factor
from archivae.models.training.plan import TrainingPlan
from archivae.models.training.workers import deterministic_kernels
from tests.training.test_codec_training import curve, through_a_file
from tests.training.tiny import plan, smooth_picture

CPU = torch.device("cpu")


@pytest.fixture(scope="module")
def pictures() -> list[np.ndarray]:
    return [smooth_picture(n, 128, 160) for n in range(3)]


def plateau(**changes: Any) -> TrainingPlan:
    return plan(**({"schedule": "plateau", "steps": 8, "cooldown": 3} | changes))


def run_until(training: CodecTraining, step: int) -> list[list[float]]:
    with deterministic_kernels():
        steps = training.run()
        return [next(steps).tolist() for _ in range(step - training.step)]


def test_a_plateau_warms_up_stays_and_cools_down() -> None:
    factors = [plateau_factor(step, 1000, 200) for step in range(1001)]
    assert factors[0] == 0.01 and factors[99:801] == [1.0] * 702
    assert factors[900] == pytest.approx(LOWEST + (1 - LOWEST) / 2) and factors[1000] == pytest.approx(LOWEST)
    assert [plateau_factor(step, 9000, 0) for step in (500, 8999)] == [1.0, 1.0]


@pytest.mark.parametrize("stop", [3, 6])
def test_a_run_killed_on_the_plateau_or_below_it_follows_the_same_curve(pictures: list[np.ndarray], stop: int) -> None:
    whole = curve(CodecTraining(plateau(), pictures, CPU))
    first = CodecTraining(plateau(), pictures, CPU)
    before = run_until(first, stop)
    second = CodecTraining(plateau(), pictures, CPU, checkpoint=through_a_file(first.state_dict()))
    assert before + curve(second) == whole


def test_a_longer_run_goes_on_from_the_plateau_as_if_it_had_been_longer_from_the_start(
    pictures: list[np.ndarray],
) -> None:
    short = CodecTraining(plateau(), pictures, CPU)
    before = run_until(short, 5)
    longer = plateau(steps=11, cooldown=2)
    assert before + curve(CodecTraining(longer, pictures, CPU, checkpoint=short.state_dict())) == curve(
        CodecTraining(longer, pictures, CPU)
    )


def test_a_run_that_cools_down_cannot_become_longer(pictures: list[np.ndarray]) -> None:
    state = CodecTraining(plateau(), pictures, CPU).state_dict() | {"step": 6}
    assert CodecTraining(plateau(), pictures, CPU, checkpoint=state).step == 6
    for changed in (plateau(steps=20), plateau(cooldown=1), plateau(steps=20, cooldown=0)):
        with pytest.raises(UsageError, match="at step 6, but the plateau that both plans share ends at 5"):
            CodecTraining(changed, pictures, CPU, checkpoint=state)
    with pytest.raises(UsageError, match="another plan: expected schedule 'plateau', found 'cosine'"):
        CodecTraining(plan(), pictures, CPU, checkpoint=state)


def test_the_average_forgets_faster_in_a_cool_down() -> None:
    asked = plateau(steps=1000, cooldown=200)
    assert [asked.horizon(step) for step in (0, 799, 800, 999)] == [HORIZON, HORIZON, 50, 50]
    assert plan().horizon(19) == HORIZON


def test_the_last_crops_are_large_and_a_step_has_as_many_pixels(pictures: list[np.ndarray]) -> None:
    asked = plan(steps=6, batch=8, large_crop=128, large_crop_steps=2)
    training = CodecTraining(asked, pictures, CPU)
    sizes = [tuple(batch.pixels.shape) for batch in training._batches(range(6), range(8))]
    assert sizes == [(8, 3, 64, 64)] * 4 + [(2, 3, 128, 128)] * 2
    assert [b.pixels.shape[2] for b in training._batches(range(5, 6), range(8))] == [128]
    assert len(curve(training)) == 6
    assert plateau(cooldown=1, large_crop=128, large_crop_steps=2).plateau_end == 6


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"schedule": "cosine"}, "--cooldown is for --schedule plateau"),
        ({"schedule": "linear"}, "'linear'; choose cosine or plateau"),
        ({"cooldown": 8}, "--cooldown is 8, but must be at least 0 and below the 8 --steps"),
        ({"cooldown": -1}, "--cooldown is -1"),
        ({"large_crop": 128}, "--large-crop and --large-crop-steps together"),
        ({"large_crop": 100, "large_crop_steps": 1}, "--large-crop is 100; choose a multiple of 64 from --crop 64 up"),
        ({"large_crop": 128, "large_crop_steps": 9}, "--large-crop-steps is 9"),
        ({"damaged": 1.5}, "--damaged is 1.5"),
        ({"ssim_share": -0.1}, "--ssim-share is -0.1"),
        ({"ssim_share": 0.5}, "--crop is 64, but --tune ssim needs at least 192"),
    ],
)
def test_impossible_schedules_are_refused(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(UsageError, match=message):
        plateau(**changes)
