"""Jobs in processes of their own, that can be killed, and what they left behind."""

from __future__ import annotations

import multiprocessing
import os
import signal
from collections.abc import Mapping
from contextlib import suppress
from multiprocessing.process import BaseProcess
from pathlib import Path

from archivae.bitstream import read_bitstream
from tests.end_to_end.jobs import Folder, command

PATIENCE = 300.0
"""Seconds; a job that takes longer hangs."""

# A server that has imported what a job needs once forks them at once, without a thread in them yet.
_jobs = multiprocessing.get_context("forkserver")
_jobs.set_forkserver_preload(["archivae.pipeline.cli", "tests.end_to_end.jobs"])


def _run(words: tuple[str, ...], environment: Mapping[str, str]) -> None:
    os.environ.update(environment)
    os.setsid()
    os._exit(command(*words))


def start(operation: str, source: Folder, destination: Folder, *options: str) -> BaseProcess:
    """A job under way."""
    told = {name: value for name, value in os.environ.items() if name == "STORAGE_EMULATOR_HOST"}
    root = str(Path(__file__).parents[2])
    environment = {**told, "OMP_NUM_THREADS": "1", "PYTHONPATH": root}
    words = (operation, source.uri, destination.uri, *options)
    job = _jobs.Process(target=_run, args=(words, environment))
    job.start()
    return job


def kill_after(job: BaseProcess, seconds: float) -> bool:
    """Kill a job and its workers; whether it had not ended before."""
    job.join(seconds)
    killed = job.is_alive()
    with suppress(ProcessLookupError):
        os.killpg(job.pid or 0, signal.SIGKILL)
    job.join(PATIENCE)
    return killed


def workers_of(process: int | None) -> list[int]:
    """The worker processes that a job has started and that live, whatever shells stand between."""
    children: list[int] = []
    with suppress(OSError):
        for task in Path(f"/proc/{process}/task").iterdir():
            children += [int(child) for child in (task / "children").read_text().split()]
    return [worker for child in children for worker in workers_of(child) or [child]]


def kill_worker_after(job: BaseProcess, seconds: float, number: int) -> bool:
    """Kill one of a job's workers, the job itself goes on or ends; whether there was one to kill."""
    job.join(seconds)
    workers = workers_of(job.pid)
    with suppress(ProcessLookupError, IndexError, ZeroDivisionError):
        os.kill(workers[number % len(workers)], signal.SIGKILL)
        return True
    return False


def contents(archive: Folder) -> dict[str, bytes]:
    """Bytes by name of all there is, but for the manifest's fragments, whose names and run ids differ."""
    names = archive.everything()
    return {name: archive.read(name) for name in names if not name.startswith("_archivae/manifest/")}


def told(archive: Folder) -> dict[str, tuple[object, ...]]:
    """The manifest, but for run id and times."""
    aside = {"run", "seconds", "written", "archive"}
    rows = archive.rows()
    fields = [field for field in next(iter(rows.values())).__dataclass_fields__ if field not in aside]
    return {
        name: (*(getattr(row, field) for field in fields), row.archive.removeprefix(archive.uri))
        for name, row in rows.items()
    }


def check_nothing_half_written(archive: Folder, undisturbed: Mapping[str, bytes]) -> None:
    """What a killed job left: whole objects, and scratch that nobody reads."""
    for name in archive.everything():
        if name.startswith(("_archivae/tmp/", "_archivae/lease.json")):
            continue
        data = archive.read(name)
        if name.endswith(".avae"):
            assert read_bitstream(data)
        if name in undisturbed:
            assert data == undisturbed[name], name
