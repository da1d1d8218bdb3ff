from __future__ import annotations

import io
from typing import Any

import numpy as np
import pytest
import torch

from archivae.errors import UsageError
from archivae.models.photo.architecture import Architecture
from archivae.models.photo.trainable import ANCHORS, TrainableCodec
from archivae.models.training.codec import CodecTraining
from archivae.models.training.data import CropSampler
from archivae.models.training.loss import rate_distortion
from archivae.models.training.plan import TrainingPlan
from archivae.models.training.workers import deterministic_kernels
from tests.training.tiny import PLAN, plan, smooth_picture

CPU = torch.device("cpu")


@pytest.fixture(scope="module")
def pictures() -> list[np.ndarray]:
    return [smooth_picture(n) for n in range(4)]


def curve(training: CodecTraining, steps: int | None = None) -> list[list[float]]:
    with deterministic_kernels():
        run = training.run()
        return [metrics.tolist() for metrics, _ in zip(run, range(steps or training.plan.steps), strict=False)]


def through_a_file(state: dict[str, Any]) -> dict[str, Any]:
    buffer = io.BytesIO()
    torch.save(state, buffer)
    buffer.seek(0)
    return dict(torch.load(buffer, weights_only=True))


@pytest.mark.parametrize("precision", ["float32", "bf16"])
def test_a_resumed_run_follows_the_same_curve_bit_for_bit(pictures: list[np.ndarray], precision: str) -> None:
    planned = plan(precision=precision)
    whole = CodecTraining(planned, pictures, CPU)
    expected = curve(whole)

    first = CodecTraining(planned, pictures, CPU)
    before = [metrics.tolist() for metrics in _steps(first, 10)]
    state = through_a_file(first.state_dict())
    torch.manual_seed(999)  # a new process has other random numbers
    second = CodecTraining(planned, pictures, CPU, checkpoint=state)
    assert second.step == 10
    after = [metrics.tolist() for metrics in _steps(second, 10)]

    assert before + after == expected
    for name, tensor in whole.average.state_dict().items():
        assert torch.equal(tensor, second.average.state_dict()[name]), name


def _steps(training: CodecTraining, count: int) -> list[torch.Tensor]:
    with deterministic_kernels():
        steps = training.run()
        taken = [next(steps) for _ in range(count)]
        return taken


def test_the_seed_decides_the_curve(pictures: list[np.ndarray]) -> None:
    first, again, other = (curve(CodecTraining(plan(steps=3, seed=s), pictures, CPU)) for s in (1, 1, 2))
    assert first == again != other


def test_training_lowers_the_loss(pictures: list[np.ndarray]) -> None:
    torch.manual_seed(0)
    ignorant = TrainableCodec(PLAN.architecture).state_dict()
    training = CodecTraining(plan(steps=40, adam_rate=4e-3), pictures, CPU, start=ignorant)
    before = loss_of(training, pictures)
    curve(training)
    assert loss_of(training, pictures) < 0.7 * before


@torch.no_grad()
def loss_of(training: CodecTraining, pictures: list[np.ndarray]) -> float:
    pixels, quality = CropSampler(pictures, 64, seed=0).batch(0, range(16))
    position = quality * (ANCHORS - 1)
    return rate_distortion(training.average(pixels / 255, position), pixels / 255, position)[0].item()


def test_a_model_without_large_matrices_trains_with_adam_alone(pictures: list[np.ndarray]) -> None:
    sizes = Architecture(16, 16, 16, 8, 8, 8, 1, 1)
    assert len(curve(CodecTraining(plan(steps=2, architecture=sizes), pictures, CPU))) == 2


def test_fine_tuning_begins_with_the_weights_given(pictures: list[np.ndarray]) -> None:
    start = CodecTraining(plan(steps=1, seed=8), pictures, CPU).average.state_dict()
    begun = CodecTraining(plan(init="0123456789abcdef"), pictures, CPU, start=start).average.state_dict()
    assert all(torch.equal(begun[name], tensor) for name, tensor in start.items())


def test_a_checkpoint_of_another_plan_is_refused(pictures: list[np.ndarray]) -> None:
    state = CodecTraining(PLAN, pictures, CPU).state_dict()
    with pytest.raises(UsageError, match=r"expected batch 2, found 4; muon_rate 0\.01, found 0\.02"):
        CodecTraining(plan(batch=4, muon_rate=0.02), pictures, CPU, checkpoint=state)
    with pytest.raises(UsageError, match="architecture"):
        plan(architecture=Architecture()).check_continues(TrainingPlan.from_dict(state["plan"]), 0)


def test_more_steps_may_be_asked_for_but_no_fewer_than_are_done(pictures: list[np.ndarray]) -> None:
    state = CodecTraining(PLAN, pictures, CPU).state_dict() | {"step": 12}
    assert CodecTraining(plan(steps=30), pictures, CPU, checkpoint=state).step == 12
    with pytest.raises(UsageError, match="12 steps on, beyond the 5 asked for"):
        CodecTraining(plan(steps=5), pictures, CPU, checkpoint=state)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"crop": 100}, "multiple of 64 pixels, found 100"),
        ({"crop": 0}, "multiple of 64 pixels, found 0"),
        ({"steps": 0}, "at least 1 step"),
        ({"batch": 0}, "1 crop a batch"),
        ({"seed": -1}, "a seed from 0 up, found -1"),
        ({"architecture": Architecture(latents=6)}, "latents to be a multiple of 4, found 6"),
        ({"architecture": Architecture(context=0)}, "positive architecture.context, found 0"),
    ],
)
def test_impossible_plans_are_refused(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(UsageError, match=message):
        plan(**changes)


def test_kernel_choice_is_put_back() -> None:
    before = torch.are_deterministic_algorithms_enabled()
    with deterministic_kernels():
        assert torch.are_deterministic_algorithms_enabled()
    assert torch.are_deterministic_algorithms_enabled() == before
