"""``archivae policy undo``: what lies aside comes back, and nothing that lies there is overwritten."""

from __future__ import annotations

import os
import shutil
from hashlib import sha256
from pathlib import Path

import pytest

from archivae.pipeline.cli import main
from tests.end_to_end.jobs import Folder
from tests.pipeline.archiving.policies import DAY, aside, deleting, full_name, keep, once, write_policy
from tests.samples import photo_file

PICTURES = {"a.png": photo_file(64, 64, 1), "sub/b.png": photo_file(64, 64, 2)}


@pytest.fixture(params=["local", "gs"])
def place(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    return str(tmp_path) if request.param == "local" else request.getfixturevalue("gcs")


@pytest.fixture
def source(place: str) -> Folder:
    return Folder(f"{place}/in").put(PICTURES)


@pytest.fixture
def target(place: str) -> Folder:
    return Folder(f"{place}/arc")


@pytest.fixture
def file(tmp_path: Path, source: Folder, target: Folder) -> str:
    """A policy that has set everything aside."""
    words = {"originals": "delete", "accept_loss": True, "grace": "1d"}
    file = write_policy(tmp_path / "policy.yaml", source, target, **words)
    for name in PICTURES:
        keep(source, target, name)
    assert once(deleting(source, target, grace="1d"), file=file).removed == 2
    assert not source.files()
    return file


def test_everything_comes_back(file: str, source: Folder, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["policy", "undo", file]) == 0
    assert source.files() == PICTURES == {name: source.read(name) for name in source.everything()}
    assert all(f"brought back {source.path(name)}\n" in capsys.readouterr().out for name in ["a.png"])
    assert main(["policy", "undo", file]) == 0, "nothing lies aside, and that is well"
    assert "0 originals brought back" in (said := capsys.readouterr().out) and "next run" not in said


def test_what_has_an_odd_name_goes_aside_and_comes_back(tmp_path: Path) -> None:
    names = ["a\nb.png", "c\\d.png", "e\udcff.png", "f%{0a}g.png"]
    source, target = Folder(str(tmp_path / "in")), Folder(str(tmp_path / "arc"))
    pictures = {name: photo_file(64, 64, number) for number, name in enumerate(names)}
    Path(source.uri).mkdir()
    for name, data in pictures.items():
        Path(source.uri, name).write_bytes(data)
        os.utime(Path(source.uri, name), (1.0, 1.0))
    file = write_policy(
        tmp_path / "policy.yaml", source, target, originals="delete", accept_loss=True, grace="1d", older_than="1d"
    )
    assert main(["policy", "run", file, "--accelerator=cpu"]) == 0
    left = [path for path in Path(source.uri).iterdir() if path.is_file()]
    assert not left
    assert main(["policy", "undo", file]) == 0
    assert {path.name: path.read_bytes() for path in Path(source.uri).iterdir() if path.is_file()} == pictures


@pytest.mark.parametrize("spelling", ["name", "path", "archive"])
def test_one_comes_back_by_any_of_its_names(spelling: str, file: str, source: Folder) -> None:
    name = "sub/b.png"
    asked = {"name": name, "path": source.path(name), "archive": full_name(source.path(name))}[spelling]
    assert main(["policy", "undo", file, asked]) == 0
    assert source.files() == {name: PICTURES[name]} and {*aside(source)} == {"a.png"}


def test_a_name_under_which_nothing_lies_aside(file: str, source: Folder, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["policy", "undo", file, "a.png", "c.png"]) == 2
    assert "'c.png'" in capsys.readouterr().err and not source.files(), "nothing is done before all is understood"


def test_what_has_the_name_by_now_stays(file: str, source: Folder, capsys: pytest.CaptureFixture[str]) -> None:
    source.put({"a.png": b"new"})
    assert main(["policy", "undo", file]) == 1
    assert source.files() == {"a.png": b"new", "sub/b.png": PICTURES["sub/b.png"]}
    assert aside(source) == {"a.png": PICTURES["a.png"]}
    said = capsys.readouterr().out
    assert "a.png" in said and "1 stay aside" in said and "run this again" in said


def test_it_takes_neither_archive_nor_ledger(file: str, source: Folder, target: Folder) -> None:
    target.delete(*target.everything())
    assert main(["policy", "undo", file]) == 0 and source.files() == PICTURES


def test_bytes_that_changed_aside_are_not_brought_back(file: str, source: Folder) -> None:
    (name,) = (name for name in source.own("quarantine/") if name.endswith("a.png"))
    source.put({name: b"other"})
    assert main(["policy", "undo", file]) == 1
    assert {*source.files()} == {"sub/b.png"} and source.read(name) == b"other"


def test_what_was_brought_back_is_not_deleted(file: str, source: Folder, target: Folder) -> None:
    """Nor does the ledger's old entry end the grace of what is set aside again."""
    assert main(["policy", "undo", file, "a.png"]) == 0
    asked = deleting(source, target, grace="1d", older_than="900d")
    run = once(asked, after=2 * DAY, file=file)
    assert run.purged == 1 and not run.problems and source.files() == {"a.png": PICTURES["a.png"]}


def test_of_two_versions_the_newest_comes_back(tmp_path: Path) -> None:
    source, target = Folder(str(tmp_path / "in")).put(PICTURES), Folder(str(tmp_path / "arc"))
    file = write_policy(tmp_path / "policy.yaml", source, target, originals="delete", accept_loss=True)
    for number in (1, 2):
        folder = Path(source.uri, "_archivae/quarantine")
        data = photo_file(64, 64, number)
        folder = folder / sha256(data).hexdigest()[:16]
        folder.mkdir(parents=True)
        (folder / "x.png").write_bytes(data)
        os.rename(folder / "x.png", folder / "v.png")
    assert main(["policy", "undo", file, "v.png"]) == 1, "the older one stays"
    assert source.read("v.png") == photo_file(64, 64, 2) and aside(source) == {"v.png": photo_file(64, 64, 1)}


def test_what_a_link_leads_to_is_not_brought_back(tmp_path: Path) -> None:
    source, target = Folder(str(tmp_path / "in")).put(PICTURES), Folder(str(tmp_path / "arc"))
    file = write_policy(tmp_path / "policy.yaml", source, target)
    theirs = tmp_path / "theirs"
    theirs.mkdir()
    (theirs / "x.png").write_bytes(b"theirs")
    quarantine = Path(source.uri, "_archivae/quarantine/0123456789abcdef")
    quarantine.mkdir(parents=True)
    (quarantine / "x.png").symlink_to(theirs / "x.png")
    (quarantine / "more").symlink_to(theirs)
    assert main(["policy", "undo", file]) == 0
    assert source.files() == PICTURES and (theirs / "x.png").read_bytes() == b"theirs"
    shutil.rmtree(quarantine.parent)
    quarantine.parent.symlink_to(theirs)
    assert main(["policy", "undo", file]) == 2


def test_run_and_archive_are_one_command(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    source, target = Folder(str(tmp_path / "in")).put(PICTURES), Folder(str(tmp_path / "arc"))
    file = write_policy(tmp_path / "policy.yaml", source, target)
    lines = []
    for words in (["archive"], ["policy", "run"]):
        assert main([*words, file, "--dry-run"]) == 0
        lines.append(capsys.readouterr().out)
    assert lines[0] == lines[1] and "encode" in lines[0]
    assert main(["policy", "run", file, "--runner=DirectRunner", "--accelerator=cpu"]) == 0
    assert len(target.files()) == 2


def test_folders_that_a_killed_undo_left_empty_go(tmp_path: Path) -> None:
    source, target = Folder(str(tmp_path / "in")).put(PICTURES), Folder(str(tmp_path / "arc"))
    file = write_policy(tmp_path / "policy.yaml", source, target)
    os.makedirs(source.path("_archivae/quarantine/0123456789abcdef/sub"))
    assert main(["policy", "undo", file]) == 0
    assert sorted(os.listdir(source.uri)) == ["a.png", "sub"]
