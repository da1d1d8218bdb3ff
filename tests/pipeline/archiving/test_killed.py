"""A run killed while it takes originals away: every one of them is somewhere, whole, and the next run goes on."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from archivae.pipeline.cli import main
from archivae.storage.archive_index import ArchiveIndex
from archivae.storage.archive_layout import index_uri
from tests.end_to_end.jobs import MODEL, Folder
from tests.samples import photo_file

COUNT = 12
PATIENCE = 120.0  # seconds until a run that should have begun to take away is given up
ROOT = Path(__file__).parents[3]


def kill_when_aside(policy: str, source: Folder, aside: int) -> None:
    """Start a run and kill it as soon as so many originals lie aside."""
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}
    words = [sys.executable, "-m", "archivae", "archive", policy, "--accelerator=cpu"]
    deadline = time.monotonic() + PATIENCE
    with subprocess.Popen(
        words, env=environment, cwd=ROOT, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    ) as run:
        while run.poll() is None and time.monotonic() < deadline and len(source.own("quarantine/")) < aside:
            time.sleep(0.001)
        run.send_signal(signal.SIGKILL)


@pytest.mark.parametrize("shards", [{}, {"shard_size": "4KiB"}], ids=["objects", "shards"])
@pytest.mark.parametrize("aside", [1, COUNT // 2])
def test_a_killed_run_loses_no_original(aside: int, shards: dict[str, str], tmp_path: Path) -> None:
    pictures = {f"{n:02}.png": photo_file(64, 64, n) for n in range(COUNT)}
    source, target = Folder(str(tmp_path / "in")).put(pictures), Folder(str(tmp_path / "arc"))
    words = {"sources": [source.uri], "destination": target.uri, "model": MODEL, "originals": "delete"}
    policy = tmp_path / "policy.yaml"
    policy.write_text(json.dumps({**words, **shards, "accept_loss": True, "grace": "1d"}))
    kill_when_aside(str(policy), source, aside)
    assert len(source.own("quarantine/")) >= aside, "the run did not get so far in time"
    everywhere = {name.rpartition("/")[2]: source.read(name) for name in source.everything()}
    assert everywhere == pictures
    assert main(["archive", str(policy), "--accelerator=cpu"]) == 0
    assert not source.files() and len(source.own("quarantine/")) == COUNT
    assert {name.rpartition("/")[2]: source.read(name) for name in source.everything()} == pictures
    if shards:
        assert len(ArchiveIndex(index_uri(target.uri))) == COUNT and len(target.files()) > 1
        assert main(["verify", target.uri, "--all", "--accelerator=cpu"]) == 0
    else:
        assert len(target.files()) == COUNT
