"""A ledger says what a policy set aside. Whatever else is written there deletes nothing."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from archivae.pipeline.archiving import run as running
from archivae.pipeline.archiving.command import report_lines
from archivae.pipeline.archiving.ledger import open_removals
from archivae.pipeline.archiving.policy import Policy
from archivae.storage import stat_object
from archivae.storage.names import normal
from tests.end_to_end.jobs import Folder
from tests.pipeline.archiving.policies import (
    DAY,
    FILE,
    aside,
    deleting,
    entries,
    forge,
    full_name,
    keep,
    ledgers,
    once,
    policy,
)
from tests.samples import photo_file

PICTURE = {"a.png": photo_file(192, 192, 11)}


@pytest.fixture(params=["local", "gs"])
def place(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    return str(tmp_path) if request.param == "local" else request.getfixturevalue("gcs")


@pytest.fixture
def source(place: str) -> Folder:
    return Folder(f"{place}/in").put(PICTURE)


@pytest.fixture
def target(place: str) -> Folder:
    return Folder(f"{place}/arc")


@pytest.fixture
def disk(tmp_path: Path) -> Folder:
    return Folder(str(tmp_path / "in")).put(PICTURE)


@pytest.fixture
def arc(tmp_path: Path) -> Folder:
    return Folder(str(tmp_path / "arc"))


def set_aside(source: Folder, target: Folder, asked: Policy, file: str = FILE) -> dict[str, Any]:
    """The ledger's entry of the one picture, which a run has just set aside."""
    keep(source, target, "a.png")
    run = once(asked, file=file)
    assert (run.encoded, run.removed, run.purged) == (0, 1, 0), report_lines(run)
    (entry,) = entries(target)
    return entry


def test_an_entry_keeps_its_policy_and_its_grace(source: Folder, target: Folder) -> None:
    entry = set_aside(source, target, deleting(source, target, grace="3d"))
    assert entry["policy"] == normal(FILE) and entry["grace"] == 3 * DAY
    assert once(deleting(source, target, grace=0), after=2 * DAY).purged == 0, "the grace that it went under counts"
    assert once(deleting(source, target, grace="9d"), after=4 * DAY).purged == 0, "and a longer one of today"
    assert once(deleting(source, target, grace=0), after=4 * DAY).purged == 1 and not source.everything()


def test_a_policy_that_keeps_originals_deletes_none(source: Folder, target: Folder) -> None:
    set_aside(source, target, deleting(source, target, grace="1d"))
    run = once(policy(source, target, grace=0), after=9 * DAY)
    assert (run.purged, run.removed) == (0, 0) and not run.problems and aside(source) == PICTURE


def test_what_another_policy_set_aside_is_its_own(source: Folder, target: Folder) -> None:
    set_aside(source, target, deleting(source, target, grace="1d"), file="other.yaml")
    run = once(deleting(source, target, grace=0), after=9 * DAY)
    assert run.purged == 0 and aside(source) == PICTURE and "other.yaml" in run.remark
    assert once(deleting(source, target, grace="1d"), after=9 * DAY, file="other.yaml").purged == 1


def test_an_earlier_date_in_the_ledger_does_not_end_the_grace(source: Folder, target: Folder) -> None:
    """The storage itself knows since when an object lies aside."""
    entry = set_aside(source, target, deleting(source, target, grace="7d"))
    target.put({ledgers(target)[0]: json.dumps(entry | {"planned": 0.0, "grace": 0.0}).encode()})
    asked = deleting(source, target, grace="7d")
    assert once(asked, after=6 * DAY).purged == 0 and aside(source) == PICTURE
    assert once(asked, after=8 * DAY).purged == 1


def outsider(folder: Folder, target: Folder, name: str) -> dict[str, Any]:
    """A true entry of a file, archived and all, but for where it lies."""
    keep(folder, target, name)
    found = stat_object(folder.path(name))
    assert found is not None
    return {
        "uri": found.uri, "fingerprint": found.fingerprint, "sha256": hashlib.sha256(folder.read(name)).hexdigest(),
        "aside": found.uri, "archive": target.path(f"{full_name(found.uri)}.avae"), "name": full_name(found.uri),
        "psnr": 0.0, "moved_to": "", "planned": 0.0, "policy": normal(FILE), "grace": 0.0,
    }  # fmt: skip


FORGED: dict[str, Callable[[str, dict[str, Any]], dict[str, Any]]] = {
    "outside": lambda place, true: {},
    "outside, said to be a source's": lambda place, true: {"uri": f"{place}/in/x.png"},
    "above": lambda place, true: {
        "uri": f"{place}/in/x.png",
        "aside": f"{place}/in/../{true['aside'].rpartition('/')[2]}",
    },
    "a quarantine of another folder": lambda place, true: {
        "aside": f"{place}/other/_archivae/quarantine/{true['sha256'][:16]}/x.png"
    },
    "relative": lambda place, true: {"aside": os.path.relpath(true["aside"]) if "://" not in place else "x.png"},
}


@pytest.mark.parametrize("how", FORGED)
def test_a_forged_entry_deletes_nothing_elsewhere(how: str, place: str, source: Folder, target: Folder) -> None:
    other = Folder(f"{place}/other").put({"x.png": photo_file(192, 192, 5)})
    entry = outsider(other, target, "x.png")
    if "quarantine" in how:
        other.put({f"_archivae/quarantine/{entry['sha256'][:16]}/x.png": other.read("x.png")})
    before = other.everything()
    forge(target, entry | FORGED[how](place, entry))
    keep(source, target, "a.png")
    run = once(deleting(source, target, grace="5d"), after=9 * DAY)
    assert run.purged == 0 and other.everything() == before
    assert any("stays" in problem for problem in run.problems)


def test_a_file_of_the_source_that_does_not_lie_aside_is_not_deleted(source: Folder, target: Folder) -> None:
    entry = outsider(source, target, "a.png")
    forge(target, entry)
    run = once(deleting(source, target, older_than="900d", grace=0), after=9 * DAY)
    assert run.purged == 0 and source.files() == PICTURE and "stays" in run.problems[0]


@pytest.mark.parametrize("where", ["quarantine", "digest", "folder"])
def test_a_link_in_the_quarantine_leads_nowhere(where: str, disk: Folder, arc: Folder, tmp_path: Path) -> None:
    """A true entry, but a link stands where the quarantine should be."""
    asked = deleting(disk, arc, grace="1d")
    disk.put({"sub/b.png": PICTURE["a.png"]})
    keep(disk, arc, "sub/b.png")
    disk.delete("a.png")
    assert once(asked).removed == 1
    (entry,) = entries(arc)
    linked = Path(entry["aside"]).parents[{"folder": 0, "digest": 1, "quarantine": 2}[where]]
    precious = tmp_path / "precious"
    shutil.copytree(linked, precious, copy_function=shutil.copy2)
    shutil.rmtree(linked)
    linked.symlink_to(precious)
    before = Folder(str(precious)).everything()
    run = once(asked, after=9 * DAY)
    assert run.purged == 0 and Folder(str(precious)).everything() == before
    assert any("linked folder" in problem for problem in run.problems)


def test_a_move_is_made_before_its_original_is_deleted(disk: Folder, arc: Folder, tmp_path: Path) -> None:
    """A ledger that says that nothing had to be moved, or that something else was."""
    cold = Folder(str(tmp_path / "cold"))
    asked = policy(disk, arc, originals="move", move_to=cold.uri, accept_loss=True, grace="1d")
    entry = set_aside(disk, arc, asked)
    cold.delete(*cold.files())
    for moved_to in ("", entry["aside"]):
        arc.put({ledgers(arc)[0]: json.dumps(entry | {"moved_to": moved_to}).encode()})
        run = once(asked, after=2 * DAY)
        assert run.purged == 0 and "stays" in run.problems[0] and aside(disk) == PICTURE


@pytest.mark.parametrize(
    "line",
    [
        b"not JSON", b"[]", b"{}", b"\xff\xfe", b"[" * 100_000, b'{"uri": 1}',
        b'{"uri":"","fingerprint":"","sha256":"../../..","aside":"","archive":"","name":"","psnr":null,"moved_to":"",'
        b'"planned":0,"policy":"","grace":0}',
    ],
    ids=["text", "list", "nothing", "bytes", "deep", "short", "digest"],
)  # fmt: skip
def test_a_damaged_ledger_is_named_and_stops_nothing_else(line: bytes, disk: Folder, arc: Folder) -> None:
    asked = deleting(disk, arc, grace="1d")
    set_aside(disk, arc, asked)
    arc.put({"_archivae/runs/20200101T000000Z-damaged0-removals.jsonl": line + b"\n"})
    run = once(asked, after=2 * DAY)
    assert run.purged == 1 and len(run.problems) == 1 and "line 1" in run.problems[0]


def test_a_run_is_closed_when_all_of_it_has_gone(disk: Folder, arc: Folder, monkeypatch: pytest.MonkeyPatch) -> None:
    asked = deleting(disk, arc, grace="1d")
    set_aside(disk, arc, asked)
    once(asked, after=DAY / 2)
    assert not [name for name in arc.own("runs/") if name.endswith("-purged.json")]
    assert once(asked, after=2 * DAY).purged == 1
    (closed,) = (name for name in arc.own("runs/") if name.endswith("-purged.json"))
    assert json.loads(arc.read(closed)) == {"deleted": 1}


def test_a_purge_ends_with_the_runs_hours(disk: Folder, arc: Folder) -> None:
    asked = deleting(disk, arc, grace="1d")
    set_aside(disk, arc, asked)
    hurried = deleting(disk, arc, grace="1d", max_hours=1)
    times = iter([0.0, 0.0, *[7200.0] * 50])
    run = running.archive(hurried, FILE, (), now=lambda: time.time() + 2 * DAY + next(times))
    assert run.purged == 0 and "max_hours" in run.remark and aside(disk) == PICTURE
    assert once(hurried, after=3 * DAY).purged == 1


# Links and other ways out of a source.


def test_linked_folders_are_not_followed_out_of_a_source(disk: Folder, arc: Folder, tmp_path: Path) -> None:
    theirs = Folder(str(tmp_path / "theirs")).put({"x.png": photo_file(192, 192, 5)})
    os.symlink(theirs.uri, disk.path("linked"))
    keep(disk, arc, "a.png")
    run = once(deleting(disk, arc, grace=0))
    assert (run.encoded, run.purged) == (0, 1) and "1 objects behind linked folders" in run.remark
    assert {*theirs.files()} == {"x.png"} and theirs.files() == Folder(str(tmp_path / "theirs")).files()


def test_a_folder_that_becomes_a_link_during_the_run_is_not_followed(
    disk: Folder, arc: Folder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    disk.put({"sub/b.png": PICTURE["a.png"]})
    for name in ("a.png", "sub/b.png"):
        keep(disk, arc, name)
    theirs = tmp_path / "theirs"
    remove = running._remove

    def late(*arguments: Any) -> Any:
        os.rename(disk.path("sub"), theirs)
        os.symlink(theirs, disk.path("sub"))
        return remove(*arguments)

    monkeypatch.setattr(running, "_remove", late)
    run = once(deleting(disk, arc, grace=0))
    assert run.removed == 1 and [*theirs.iterdir()] == [theirs / "b.png"]
    assert any("linked folder" in problem for problem in run.problems)


def test_a_source_that_is_a_link_itself_is_one(disk: Folder, arc: Folder, tmp_path: Path) -> None:
    os.symlink(disk.uri, tmp_path / "photos")
    linked = Folder(str(tmp_path / "photos"))
    keep(linked, arc, "a.png")
    assert once(deleting(linked, arc, grace=0)).purged == 1 and not disk.everything()


@pytest.mark.parametrize("form", ["folder", "slash", "glob", "object", "list", "bracket"])
def test_whatever_names_a_source_its_originals_are_deleted(
    form: str, disk: Folder, arc: Folder, tmp_path: Path
) -> None:
    """The quarantine of each kind of source is found again when nothing else is left of it."""
    name = "[b]/a.png" if form == "bracket" else "a.png"
    disk.put({name: PICTURE["a.png"]})
    keep(disk, arc, name)
    listed = tmp_path / "list.txt"
    listed.write_text(f"{disk.path(name)}\n")
    word = {
        "folder": disk.uri, "slash": f"{disk.uri}/", "glob": f"{disk.uri}/**/*.png", "object": disk.path("a.png"),
        "list": str(listed), "bracket": disk.path("[b]"),
    }[form]  # fmt: skip
    asked = deleting(disk, arc, sources=[word], grace="1d")
    assert once(asked).removed == 1
    assert once(asked, after=2 * DAY).purged == 1 and name not in disk.everything()
    assert not [*Path(disk.uri).rglob("_archivae")]


@pytest.mark.parametrize("field", ["aside", "policy", "uri", "name", "archive", "moved_to", "fingerprint"])
def test_an_entry_of_texts_without_end_counts_for_nothing(field: str, tmp_path: Path) -> None:
    """A report quoted all of it."""
    entry = dict.fromkeys(("uri", "fingerprint", "aside", "archive", "name", "moved_to", "policy"), "x")
    entry |= {"sha256": "0" * 64, "psnr": None, "planned": 1.5, "grace": 0.0}
    folder = tmp_path / "_archivae" / "runs"
    folder.mkdir(parents=True)
    (folder / "a-removals.jsonl").write_text(f"{json.dumps(entry)}\n{json.dumps(entry | {field: 'x' * 100_000})}\n")
    (planned,) = open_removals(str(tmp_path))
    (problem,) = planned.problems
    assert len(planned.removals) == 1 and "line 2" in problem and len(problem) < 1000
