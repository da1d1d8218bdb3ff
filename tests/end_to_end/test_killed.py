"""A job killed anywhere loses nothing: the next run ends where an undisturbed one does."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from archivae.bitstream import read_bitstream
from tests.end_to_end.jobs import MODEL, Folder, encode
from tests.samples import photo_file

COUNT = 24
PATIENCE = 120.0  # seconds until a job that should have begun to write is given up
ROOT = Path(__file__).parents[2]


def start(source: Folder, archive: Folder) -> subprocess.Popen[bytes]:
    words = ["encode", source.uri, archive.uri, f"--model={MODEL}", "--accelerator=cpu"]
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}
    return subprocess.Popen(
        [sys.executable, "-m", "archivae", *words],
        env=environment, cwd=ROOT, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    )  # fmt: skip


def kill_after(source: Folder, archive: Folder, finished: int) -> None:
    """Start a job and kill it as soon as so many of its files are there."""
    deadline = time.monotonic() + PATIENCE
    with start(source, archive) as job:
        try:
            while job.poll() is None and time.monotonic() < deadline and count(archive) < finished:
                time.sleep(0.005)
        finally:
            job.send_signal(signal.SIGKILL)
    assert job.returncode == -signal.SIGKILL, "the job ended before it was killed"


def count(archive: Folder) -> int:
    return sum(name.endswith(".avae") for name in archive.everything())


@pytest.mark.parametrize("finished", [1, COUNT // 2])
def test_a_killed_job_is_finished_by_the_next(finished: int, source: Folder, archive: Folder, restored: Folder) -> None:
    source.put({f"{n:02}.png": photo_file(64, 96, n) for n in range(COUNT)})
    assert encode(source, restored) == 0
    undisturbed = restored.files()
    kill_after(source, archive, finished)
    left = archive.files()
    assert finished <= len(left), "the job did not get so far in time"
    for name, data in left.items():  # whole, and what they will be
        assert data == undisturbed[name] and read_bitstream(data)
    before = archive.everything()
    assert encode(source, archive) == 0
    assert archive.files() == undisturbed
    assert all(archive.everything()[name] == before[name] for name in left), "finished files were written again"
    rows = archive.rows()
    assert len(rows) == COUNT and {row.status for row in rows.values()} == {"done"}
    settled = archive.everything()
    assert encode(source, archive) == 0
    assert archive.everything() == settled
