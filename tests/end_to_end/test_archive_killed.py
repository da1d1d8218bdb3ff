"""A job that makes an archive, killed anywhere: the next run ends with the same bytes."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from archivae.errors import StorageError
from tests.end_to_end.jobs import MODEL, Folder, encode
from tests.samples import photo_file

COUNT = 24
PATIENCE = 120.0  # seconds until a job that should have begun to write is given up
ROOT = Path(__file__).parents[2]
OPTIONS = ("--archive", "--shard-size=12KiB")
UNEQUAL = ("_archivae/manifest/", "_archivae/tmp/")  # run ids, seconds; scratch that the next hour's run clears


def start(source: Folder, archive: Folder) -> subprocess.Popen[bytes]:
    words = ["encode", source.uri, archive.uri, f"--model={MODEL}", "--accelerator=cpu", *OPTIONS]
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}
    return subprocess.Popen(
        [sys.executable, "-m", "archivae", *words],
        env=environment, cwd=ROOT, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
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
