"""A job that makes an archive, killed anywhere: the next run ends with the same bytes."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path

import pytest

from archivae.errors import StorageError
from tests.end_to_end.jobs import MODEL, Folder, encode
from tests.samples import photo_file

COUNT = 24
PATIENCE = 120.0  # seconds until a job that should have begun to write is given up
ROOT = Path(__file__).parents[2]
OPTIONS = ("--archive", "--shard-size=12KiB")
WORKERS = {"job": (), "worker": ("--direct_running_mode=multi_processing", "--direct_num_workers=2")}
UNEQUAL = ("_archivae/manifest/", "_archivae/tmp/")  # run ids, seconds; scratch that the next hour's run clears


def start(source: Folder, archive: Folder, *options: str) -> subprocess.Popen[bytes]:
    words = ["encode", source.uri, archive.uri, f"--model={MODEL}", "--accelerator=cpu", *OPTIONS, *options]
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}
    return subprocess.Popen(
        [sys.executable, "-m", "archivae", *words],
        env=environment, cwd=ROOT, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True,
    )  # fmt: skip


def kill_when_there(source: Folder, archive: Folder, part: str) -> bool:
    """Start a job and kill it as soon as a name with ``part`` in it is there; whether it was killed before its end."""
    deadline = time.monotonic() + PATIENCE
    with start(source, archive) as job:
        try:
            while job.poll() is None and time.monotonic() < deadline and not is_there(archive, part):
                time.sleep(0.002)
        finally:
            job.send_signal(signal.SIGKILL)
    return job.returncode == -signal.SIGKILL


def is_there(archive: Folder, part: str) -> bool:
    """Whether some name has ``part`` in it; folders may vanish while they are listed."""
    try:
        return any(part in name for name in archive.everything())
    except StorageError:
        return False


def bytes_of(archive: Folder) -> dict[str, bytes]:
    return {name: archive.read(name) for name in archive.everything() if not name.startswith(UNEQUAL)}


def told(archive: Folder) -> dict[str, tuple[object, ...]]:
    """The manifest, but for what differs from run to run."""
    fields = ("source", "sha256", "fingerprint", "status", "coding", "archive_bytes", "psnr", "quality", "model", "bpp")
    return {name: tuple(getattr(row, field) for field in fields) for name, row in archive.rows().items()}


@pytest.mark.heavy
@pytest.mark.parametrize("victim", ["job", "worker"])
def test_killed_twenty_times_at_random_moments(victim: str, tmp_path: Path) -> None:
    """The whole job, or one of its two worker processes, each time some seconds later or sooner than the last."""
    source, archive, restored = (Folder(str(tmp_path / name)) for name in ("source", "archive", "restored"))
    source.put({f"{n:02}.png": photo_file(64, 96, n) for n in range(COUNT)})
    began = time.monotonic()
    assert run_to_its_end(source, restored, victim)
    usual = time.monotonic() - began
    moments = random.Random(1)
    for _ in range(20):
        kill_after(source, archive, victim, moments.uniform(0, usual))
        for name, data in archive.files().items():
            assert data == restored.read(name)
    assert run_to_its_end(source, archive, victim)
    assert bytes_of(archive) == bytes_of(restored)
    assert told(archive) == told(restored)


def run_to_its_end(source: Folder, archive: Folder, victim: str) -> bool:
    with start(source, archive, *WORKERS[victim]) as job:
        return job.wait() == 0


def kill_after(source: Folder, archive: Folder, victim: str, seconds: float) -> None:
    """Kill a job after so long, or first one of its workers alone."""
    with start(source, archive, *WORKERS[victim]) as job:
        time.sleep(seconds)
        for worker in workers_of(job)[-1:] if victim == "worker" else ():
            with suppress(ProcessLookupError):
                os.kill(worker, signal.SIGKILL)
            time.sleep(1)  # for the others to go on meanwhile
        with suppress(ProcessLookupError):
            os.killpg(job.pid, signal.SIGKILL)


def workers_of(job: subprocess.Popen[bytes]) -> list[int]:
    """The worker processes of a job, which leads a session."""
    listed = subprocess.run(["ps", "-s", str(job.pid), "-o", "pid=,args="], capture_output=True, text=True, check=False)
    return [int(line.split()[0]) for line in listed.stdout.splitlines() if "sdk_worker_main" in line]


@pytest.mark.parametrize(
    "part", ["plan/00001", "members/00000", "members/00002", "shard-00000.tar", "packed/00001", "index"]
)
def test_killed_at_some_point(part: str, source: Folder, archive: Folder, restored: Folder) -> None:
    source.put({f"{n:02}.png": photo_file(64, 96, n) for n in range(COUNT)})
    assert encode(source, restored, *OPTIONS) == 0
    undisturbed = restored.files()
    assert len(undisturbed) >= 3
    killed = kill_when_there(source, archive, part)
    assert killed or part in ("packed/00001", "index"), "the job ended before it was killed"
    for name, data in archive.files().items():  # shards appear whole or not at all
        assert data == undisturbed[name]
    assert encode(source, archive, *OPTIONS) == 0
    assert bytes_of(archive) == bytes_of(restored)
    assert told(archive) == told(restored)
    settled = archive.everything()
    assert encode(source, archive, *OPTIONS) == 0
    assert archive.everything() == settled
