from __future__ import annotations

import socket
from pathlib import Path

import pytest
import torch
from torch.multiprocessing.spawn import spawn

from archivae.errors import UsageError
from archivae.models.training.codec import CodecTraining
from archivae.models.training.workers import Workers, join_workers
from tests.training.tiny import plan, smooth_picture

PROCESSES = 2
STEPS = 3


def train_one_of_two(rank: int, port: int, folder: str) -> None:
    torch.set_num_threads(1)
    with pytest.MonkeyPatch.context() as patch:
        names = {"RANK": rank, "WORLD_SIZE": PROCESSES, "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": port}
        for name, value in names.items():  # as torchrun sets them
            patch.setenv(name, str(value))
        device = torch.device("cpu")
        with join_workers(device) as workers:
            training = CodecTraining(plan(steps=STEPS, batch=4), [smooth_picture(0)], device, workers)
            losses = [metrics.tolist() for metrics in training.run()]
            torch.save({"losses": losses, "model": training.state_dict()["model"]}, f"{folder}/{rank}.pt")


def free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])


def test_two_processes_keep_one_model(tmp_path: Path) -> None:
    spawn(train_one_of_two, (free_port(), str(tmp_path)), nprocs=PROCESSES)  # type: ignore[no-untyped-call]
    first, second = (torch.load(tmp_path / f"{rank}.pt", weights_only=True) for rank in range(PROCESSES))
    assert len(first["losses"]) == STEPS
    assert first["losses"] == second["losses"]  # both report the mean
    assert all(torch.equal(tensor, second["model"][name]) for name, tensor in first["model"].items())

    alone = CodecTraining(plan(steps=STEPS, batch=4), [smooth_picture(0)], torch.device("cpu"))
    expected = [metrics.tolist() for metrics in alone.run()]
    # One process sees the same crops; only the noise that stands for rounding is drawn otherwise.
    assert first["losses"][0] == pytest.approx(expected[0], rel=0.05)
    assert any(not torch.equal(t, first["model"][n]) for n, t in alone.state_dict()["model"].items())


def test_a_batch_is_shared_evenly_or_not_at_all() -> None:
    assert [list(Workers(rank, 3).share(6)) for rank in range(3)] == [[0, 1], [2, 3], [4, 5]]
    with pytest.raises(UsageError, match="3 processes can share evenly, found 8"):
        Workers(0, 3).share(8)
