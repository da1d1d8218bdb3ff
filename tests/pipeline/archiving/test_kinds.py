"""A folder with a file of each kind under a policy that deletes: exactly those go of which nothing is lost."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from archivae.bitstream import read_bitstream
from archivae.operations.decode import own_bytes
from archivae.pipeline.archiving.command import report_lines
from archivae.pipeline.cli import main
from tests.end_to_end.jobs import Folder
from tests.kinds import jpeg, losing, whole
from tests.pipeline.archiving.policies import archived, aside, deleting, once, policy, write_policy

WHOLE = whole()
LOSING = {f"less/{name}": data for name, (data, _) in losing().items()}
CUT = {"less/cut.jpg": jpeg()[:-400] + b"\xff\xd9"}


@pytest.fixture
def source(tmp_path: Path) -> Folder:
    return Folder(str(tmp_path / "in")).put(WHOLE | LOSING | CUT)


@pytest.fixture
def target(tmp_path: Path) -> Folder:
    return Folder(str(tmp_path / "arc"))


def stays(target: Folder) -> dict[str, str]:
    """The report's originals that stay, by name in their source, with the reason."""
    (name,) = (name for name in target.own("runs/") if name.endswith("-stays.jsonl"))
    lines = [json.loads(line) for line in target.read(name).splitlines()]
    return {line["uri"].partition("/in/")[2]: line["reason"] for line in lines}


def test_what_loses_nothing_goes_and_all_else_stays(
    source: Folder, target: Folder, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words: dict[str, Any] = {
        "originals": "delete",
        "accept_loss": True,
        "quality": 90,
        "grace": "0s",
        "older_than": "0s",
    }
    file = write_policy(tmp_path / "policy.yaml", source, target, **words)
    assert main(["archive", file, "--accelerator=cpu"]) == 1  # of the cut one
    assert source.files() == LOSING | CUT
    said = capsys.readouterr().out
    found = stays(target)
    assert found.keys() == LOSING.keys() | CUT.keys()
    for name, (_, lost) in losing().items():
        assert found[f"less/{name}"].startswith("the archive lacks some of it: ") and lost in found[f"less/{name}"]
    assert "decoding JPEG failed" in found["less/cut.jpg"]
    assert said.count("stays: ") == 10 and "-stays.jsonl" in said
    assert not aside(source)


@pytest.mark.parametrize("words", [{"lossless": True}, {"quality": 90, "accept_loss": True, "keep_bytes_of": ["lost"]}])
def test_own_bytes_hold_all(source: Folder, target: Folder, words: dict[str, Any]) -> None:
    run = once(policy(source, target, originals="delete", grace="0s", **words))
    assert source.files() == CUT and run.failed == 1
    assert not aside(source) and not run.problems
    for name, data in LOSING.items():
        stream = read_bitstream(target.read(archived(target, source, name)))
        assert own_bytes(stream) == data
    rows = target.rows().values()
    assert not any(row.lost for row in rows if row.status == "done")
    assert any("kept within the source's own bytes: comment" in row.said for row in rows)


def test_a_report_of_few_names_them_all(target: Folder, tmp_path: Path) -> None:
    source = Folder(str(tmp_path / "in")).put(
        {"comment.jpg": LOSING["less/comment.jpg"], "a.jpg": WHOLE["rotated.jpg"]}
    )
    run = once(deleting(source, target, quality=90))
    assert run.removed == 1 and source.files().keys() == {"comment.jpg"}
    lines = report_lines(run)
    assert f"stays: {source.path('comment.jpg')}: the archive lacks some of it: comment" in lines
    assert not any("-stays.jsonl" in line for line in lines)
