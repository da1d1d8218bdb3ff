"""A policy as the Flex Template runs it: encode what is selected, keep originals."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from archivae.pipeline.cli import run_and_report
from tests.end_to_end.jobs import MODEL, PHOTOS, Folder


@pytest.fixture
def source(tmp_path: Path) -> Folder:
    return Folder(str(tmp_path / "in")).put({**PHOTOS, "notes.md": b"# no picture"})


def launch(tmp_path: Path, source: Folder, *words: str, **policy: Any) -> int:
    content = {"sources": [source.uri], "destination": str(tmp_path / "arc"), "model": MODEL, **policy}
    (tmp_path / "policy.yaml").write_text(json.dumps(content))
    return run_and_report([f"--policy={tmp_path / 'policy.yaml'}", "--accelerator=cpu", *words])


def test_what_the_policy_selects_is_encoded_once(
    tmp_path: Path, source: Folder, capsys: pytest.CaptureFixture[str]
) -> None:
    assert launch(tmp_path, source, exclude=["sub/**"]) == 0
    assert len(Folder(str(tmp_path / "arc")).files()) == 1
    assert launch(tmp_path, source) == 0
    assert len(Folder(str(tmp_path / "arc")).files()) == 3
    capsys.readouterr()
    assert launch(tmp_path, source) == 0
    assert "no job was begun" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("words", "policy", "reason"),
    [
        ([], {"originals": "delete", "accept_loss": True}, "does not see its job's end"),
        (["--input=elsewhere"], {}, "the policy's to say"),
    ],
)
def test_what_is_refused(
    words: list[str],
    policy: dict[str, Any],
    reason: str,
    tmp_path: Path,
    source: Folder,
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert launch(tmp_path, source, *words, **policy) == 2
    assert reason in capsys.readouterr().err
    assert len(source.files()) == 4 and not (tmp_path / "arc").exists()
