"""Jobs and workers killed at random moments: the next run ends with the very archive of an undisturbed one.

Some here; twenty of each, over folders and shards, take a quarter of an hour:

    pytest -m heavy tests/faults/test_kills.py
"""

from __future__ import annotations

import random
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.end_to_end.jobs import MODEL, Folder, command
from tests.faults.killing import (
    PATIENCE,
    check_nothing_half_written,
    contents,
    kill_after,
    kill_worker_after,
    start,
    told,
)
from tests.samples import photo_file

COUNT = 24
MODES = {"files": (), "shards": ("--archive", "--shard-size=12KiB")}
TWO_WORKERS = ("--runner=DirectRunner", "--direct_running_mode=multi_processing", "--direct_num_workers=2")


@dataclass(frozen=True)
class Undisturbed:
    """What a job over ``source`` makes when nothing kills it, and the seconds that it takes."""

    source: Folder
    files: Mapping[str, bytes]
    rows: Mapping[str, tuple[object, ...]]
    seconds: float


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Undisturbed]:
    """By mode."""
    base = tmp_path_factory.mktemp("undisturbed")
    source = Folder(str(base / "in")).put({f"{n // 5}/{n:02}.png": photo_file(64, 96, n) for n in range(COUNT)})
    source.put({"0/broken.png": photo_file()[:200], "0/notes.md": b"no picture"})
    found = {}
    for mode, options in MODES.items():
        archive = Folder(str(base / mode))
        began = time.monotonic()
        job = start("encode", source, archive, f"--model={MODEL}", *options)
        job.join(PATIENCE)
        assert job.exitcode == 1
        found[mode] = Undisturbed(source, contents(archive), told(archive), time.monotonic() - began)
    return found


def _some(few: int) -> list[object]:
    heavy = [pytest.param(seed, marks=pytest.mark.heavy) for seed in range(few, 20)]
    return [*range(few), *heavy]


def _finish(archive: Folder, expected: Undisturbed, *options: str) -> None:
    """Run again, and compare with the undisturbed run."""
    check_nothing_half_written(archive, expected.files)
    assert command("encode", expected.source, archive, f"--model={MODEL}", *options) in (0, 1)
    letters = "_archivae/dead-letters-"
    files = {name: data for name, data in contents(archive).items() if not name.startswith(letters)}
    assert files == {name: data for name, data in expected.files.items() if not name.startswith(letters)}
    assert told(archive) == expected.rows
    assert set(archive.letters()) == {"broken.png"}


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("seed", _some(few=2))
def test_a_job_is_killed(seed: int, mode: str, undisturbed: dict[str, Undisturbed], tmp_path: Path) -> None:
    expected, archive = undisturbed[mode], Folder(str(tmp_path / "out"))
    moments = random.Random(f"{seed} {mode}")
    for _ in range(2):  # what was killed is killed again
        job = start("encode", expected.source, archive, f"--model={MODEL}", *MODES[mode])
        kill_after(job, moments.uniform(0.1, 1.0) * expected.seconds)
    _finish(archive, expected, *MODES[mode])


@pytest.mark.parametrize("seed", _some(few=1))
def test_a_worker_is_killed(seed: int, undisturbed: dict[str, Undisturbed], tmp_path: Path) -> None:
    mode = list(MODES)[seed % len(MODES)]
    expected, archive = undisturbed[mode], Folder(str(tmp_path / "out"))
    moments = random.Random(seed)
    job = start("encode", expected.source, archive, f"--model={MODEL}", *MODES[mode], *TWO_WORKERS)
    while job.exitcode is None and not archive.own("manifest/" if seed % 3 else ""):
        job.join(0.1)
    kill_worker_after(job, moments.uniform(0.0, 4.0) * expected.seconds, moments.randrange(2))
    job.join(PATIENCE)
    assert job.exitcode in (0, 1, 2), "the job must end when a worker was killed"
    _finish(archive, expected, *MODES[mode])
