"""Jobs that fall asleep at a given write, and others that take over from them as another machine would."""

from __future__ import annotations

import multiprocessing
import os
import signal
import sys
import time
from collections.abc import Callable
from multiprocessing.process import BaseProcess
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

from archivae.storage import gcs, lease, local
from archivae.transforms.write import WriteFn
from tests.end_to_end.jobs import Folder, command
from tests.faults.killing import PATIENCE

_jobs = multiprocessing.get_context("forkserver")
_jobs.set_forkserver_preload(["archivae.pipeline.cli", "tests.end_to_end.jobs"])
_CHANGES = ("write", "write_pieces", "write_pieces_if", "delete", "delete_if", "clear")


def start_sleeper(at: int, *words: str) -> BaseProcess:
    """A job that is stopped just before its ``at``-th change of the storage, whatever it has checked by then."""
    return _start(_sleep_at, at, words)


def run_elsewhere(*words: str) -> int | None:
    """The exit code of a job that has another machine's name, and whose clock says that every lease has expired."""
    job = _start(_be_elsewhere, 0, words)
    job.join(PATIENCE)
    return job.exitcode


def wait_until_asleep(job: BaseProcess) -> bool:
    """Whether a job fell asleep; False if it ended before."""
    deadline = time.monotonic() + PATIENCE
    while job.exitcode is None and time.monotonic() < deadline:
        if _state(job.pid) == "T":
            return True
        job.join(0.02)
    return False


def wake(job: BaseProcess) -> int | None:
    """Let a sleeping job go on to its end; its exit code."""
    os.kill(job.pid or 0, signal.SIGCONT)
    job.join(PATIENCE)
    return job.exitcode


def _start(prepare: Callable[[int], None], at: int, words: tuple[str, ...]) -> BaseProcess:
    told = {name: value for name, value in os.environ.items() if name == "STORAGE_EMULATOR_HOST"}
    root = str(Path(__file__).parents[2])
    job = _jobs.Process(target=_run, args=(prepare, at, words, {**told, "OMP_NUM_THREADS": "1", "PYTHONPATH": root}))
    job.start()
    return job


def _run(prepare: Callable[[int], None], at: int, words: tuple[str, ...], environment: dict[str, str]) -> None:
    os.environ.update(environment)
    prepare(at)
    operation, source, destination, *options = words
    os._exit(command(operation, Folder(source), Folder(destination), *options))


def _sleep_at(at: int) -> None:
    left = [at]
    WriteFn.ahead = 1  # one change at a time: none sleeps while another has a folder locked

    def sleepy(store: ModuleType, name: str) -> Callable[..., Any]:
        act = getattr(store, name)

        def call(uri: str, *arguments: Any, **options: Any) -> Any:
            # What one change does inside is no other; a lock that it holds there is waited for, and not for ever.
            nested = sys._getframe(1).f_globals.get("__name__") in (local.__name__, gcs.__name__)
            if not nested and not uri.endswith(lease.NAME):
                left[0] -= 1
                if left[0] == 0:
                    os.kill(os.getpid(), signal.SIGSTOP)
            return act(uri, *arguments, **options)

        return call

    for store in (local, gcs):
        for name in _CHANGES:
            setattr(store, name, sleepy(store, name))


def _be_elsewhere(_: int) -> None:
    lease._host = lambda: "elsewhere"  # type: ignore[assignment]
    lease.time = SimpleNamespace(time=lambda: time.time() + lease.EXPIRES_AFTER + 1)  # type: ignore[assignment]


def _state(process: int | None) -> str:
    return Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0]
