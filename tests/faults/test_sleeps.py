"""A job is stopped around the whole run of a second one, on another machine: nothing is lost, and the first says so.

Some moments here; before every single change of the storage:

    pytest -m heavy tests/faults/test_sleeps.py
"""

from __future__ import annotations

import hashlib
from itertools import count

import pytest

from archivae.bitstream import read_bitstream
from archivae.pipeline.cli import main
from archivae.storage.archive_index import ArchiveIndex
from archivae.storage.archive_layout import index_uri, shard_number
from tests.end_to_end.jobs import MODEL, PHOTOS, Folder, encode
from tests.faults.sleeping import run_elsewhere, start_sleeper, wait_until_asleep, wake
from tests.samples import photo_file

SMALL = ("--shard-size=3KiB",)
NEW = {f"n{n}.png": photo_file(64, 64, 10 + n) for n in range(3)}
LATER = {f"m{n}.png": photo_file(64, 64, 20 + n) for n in range(3)}
FEW = (1, pytest.param(4, marks=pytest.mark.heavy), 9)
"""Before a plan, a member, a shard."""


def digests(files: dict[str, bytes]) -> dict[str, bytes]:
    return {name: hashlib.sha256(data).digest() for name, data in files.items()}


def sleep_while_another_appends(place: Folder, at: int) -> bool:
    """Whether the first job fell asleep at that change; all is checked."""
    source, archive = Folder(place.path(f"in{at}")), Folder(place.path(f"out{at}"))
    assert encode(source.put(PHOTOS), archive, "--archive", *SMALL) == 0
    source.put(NEW)
    words = ("append", source.uri, archive.uri, f"--model={MODEL}", *SMALL)
    first = start_sleeper(at, *words)
    if not wait_until_asleep(first):
        assert first.exitcode == 0
        return False
    source.put(LATER)
    # Twice: what the first job had planned is finished first, as it was planned.
    assert [run_elsewhere(*words), run_elsewhere(*words)] == [0, 0]
    shards = {name: data for name, data in archive.files().items() if name.startswith("shard-")}
    assert wake(first) == 2
    check_all_there(archive, {**PHOTOS, **NEW, **LATER})
    after = archive.files()
    assert {name: after[name] for name in shards} == shards, "a shard was replaced"
    assert main(["append", source.uri, archive.uri, f"--model={MODEL}", *SMALL, "--accelerator=cpu"]) == 0
    check_all_there(archive, {**PHOTOS, **NEW, **LATER})
    assert not archive.own("round") and not archive.own("lease")
    return True


def check_all_there(archive: Folder, files: dict[str, bytes]) -> None:
    rows = {row.name: row for row in ArchiveIndex(index_uri(archive.uri)).rows()}
    assert {name: row.sha256 for name, row in rows.items()} == digests(files)
    assert main(["verify", archive.uri, "--all", "--accelerator=cpu"]) == 0
    for name, row in archive.rows().items():
        assert row.status == "done" and shard_number(row.archive) == rows[name].shard


@pytest.mark.parametrize("at", FEW)
def test_shards_of_a_job_that_slept(at: int, place: Folder) -> None:
    assert sleep_while_another_appends(place, at)


@pytest.mark.heavy
def test_shards_of_a_job_that_slept_before_any_change(place: Folder) -> None:
    asleep = next(at for at in count(1) if not sleep_while_another_appends(place, at)) - 1
    assert asleep > 15


def sleep_while_another_encodes(place: Folder, at: int) -> bool:
    """The same with files of their own: what the second job made of the newer sources stays."""
    source, archive = Folder(place.path(f"in{at}")), Folder(place.path(f"out{at}"))
    assert encode(source.put(PHOTOS), archive) == 0
    source.put({"a.png": NEW["n0.png"], "z.png": NEW["n1.png"]})
    words = ("encode", source.uri, archive.uri, f"--model={MODEL}")
    first = start_sleeper(at, *words)
    if not wait_until_asleep(first):
        assert first.exitcode == 0
        return False
    newest = {**PHOTOS, "a.png": LATER["m0.png"], "z.png": NEW["n1.png"]}
    source.put({"a.png": LATER["m0.png"]})
    assert run_elsewhere(*words) == 0
    before = archive.files()
    assert wake(first) == 2
    assert archive.files() == before
    found = {name.removesuffix(".avae"): read_bitstream(data).source_sha256 for name, data in before.items()}
    assert found == digests(newest)
    assert {name: bytes.fromhex(row.sha256) for name, row in archive.rows().items()} == digests(newest)
    return True


@pytest.mark.parametrize("at", [2])
def test_files_of_a_job_that_slept(at: int, place: Folder) -> None:
    assert sleep_while_another_encodes(place, at)


@pytest.mark.heavy
def test_files_of_a_job_that_slept_before_any_change(place: Folder) -> None:
    asleep = next(at for at in count(1) if not sleep_while_another_encodes(place, at)) - 1
    assert asleep >= 3
