from __future__ import annotations

import io
import itertools
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch

from archivae.errors import UsageError
from archivae.models.restore.architecture import RestorerArchitecture
from archivae.models.restore.tasks import TASKS
from archivae.models.training.plan import RestorationPlan, TrainingPlan
from archivae.models.training.restore import RestorerTraining
from archivae.models.training.workers import deterministic_kernels
from tests.training.tiny import PLAN as CODEC_PLAN
from tests.training.tiny import smooth_picture

CPU = torch.device("cpu")
SIZES = {"width": 8, "encode_half": 1, "encode_quarter": 1, "latent": 1, "decode_quarter": 1, "decode_half": 1}
PLAN = RestorationPlan(
    task="denoise",
    steps=12,
    batch=2,
    crop=64,
    seed=3,
    muon_rate=0.01,
    adam_rate=1e-3,
    precision="float32",
    architecture=RestorerArchitecture(**SIZES, features=8),
)


def begin(checkpoint: dict[str, Any] | None = None, **changes: Any) -> RestorerTraining:
    return RestorerTraining(
        replace(PLAN, **changes), [smooth_picture(n) for n in range(4)], [], CPU, checkpoint=checkpoint
    )


def take(training: RestorerTraining, steps: int) -> list[list[float]]:
    with deterministic_kernels():
        return [measures.tolist() for measures in itertools.islice(training.run(), steps)]


def through_a_file(state: dict[str, Any]) -> dict[str, Any]:
    buffer = io.BytesIO()
    torch.save(state, buffer)
    buffer.seek(0)
    return dict(torch.load(buffer, weights_only=True))


@pytest.mark.parametrize("precision", ["float32", "bf16"])
@pytest.mark.parametrize("task", sorted(TASKS))
def test_a_resumed_run_follows_the_same_curve_bit_for_bit(task: str, precision: str) -> None:
    whole = begin(task=task, precision=precision)
    expected = take(whole, 12)
    first = begin(task=task, precision=precision)
    before = take(first, 6)
    second = begin(through_a_file(first.state_dict()), task=task, precision=precision)
    assert second.step == 6
    assert before + take(second, 6) == expected
    for name, tensor in whole.average.state_dict().items():
        assert torch.equal(tensor, second.average.state_dict()[name]), name


def test_training_learns_to_remove_noise_and_to_tell_its_strength() -> None:
    measures = np.array(take(begin(steps=150, adam_rate=5e-3), 150))
    first, last = measures[:30].mean(0), measures[-30:].mean(0)
    assert last[2] > first[2] + 0.4  # dB that the network adds
    assert last[3] < first[3]


def test_plans_of_other_tasks_and_kinds_are_refused() -> None:
    state = begin().state_dict()
    with pytest.raises(UsageError, match="another plan: expected task 'denoise', found 'dejpeg'"):
        begin(state, task="dejpeg")
    with pytest.raises(UsageError, match="another kind of model"):
        begin(state | {"plan": CODEC_PLAN.asdict()})
    with pytest.raises(UsageError, match="another kind of model"):
        TrainingPlan.from_dict(state["plan"])


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"crop": 100}, "multiple of 32 pixels, found 100"),
        ({"task": "sharpen"}, "expected a task of denoise"),
        ({"architecture": RestorerArchitecture(width=0)}, "positive architecture.width, found 0"),
        ({"architecture": RestorerArchitecture(latent=-1)}, "positive architecture.latent, found -1"),
    ],
)
def test_impossible_plans_are_refused(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(UsageError, match=message):
        replace(PLAN, **changes)


def test_weights_of_another_task_start_the_network_alone() -> None:
    given = {name: torch.ones_like(t) for name, t in begin().average.state_dict().items() if name.startswith("network")}
    training = RestorerTraining(PLAN, [smooth_picture(0)], [], CPU, start=given)
    state = training.average.state_dict()
    assert all((state[name] == 1).all() for name in given)
    assert any((tensor != 1).any() for name, tensor in state.items() if name.startswith("estimator"))
