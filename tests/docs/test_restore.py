"""The commands that docs/restore.md and the README show are ones that the command takes."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import pytest
from apache_beam.options.pipeline_options import PipelineOptions

from archivae.models.restore.tasks import TASKS
from archivae.operations.restoration import RESTORE_TASKS
from archivae.pipeline.cli import _pipeline_arguments, build_parser
from archivae.pipeline.options import Settings

ROOT = Path(__file__).resolve().parents[2]
PAGE = (ROOT / "docs" / "restore.md").read_text(encoding="utf-8")
TEXTS = PAGE + (ROOT / "README.md").read_text(encoding="utf-8").split("## Restore")[1].split("\n## ")[0]
COMMANDS = re.findall(r"^archivae ((?:restore|encode|train) .*)$", TEXTS, re.MULTILINE)


@pytest.mark.parametrize("line", COMMANDS)
def test_a_shown_command_is_one(line: str) -> None:
    arguments = build_parser().parse_args(shlex.split(line))
    if arguments.command != "train":
        assert Settings.from_options(PipelineOptions(_pipeline_arguments(arguments))).restoration is not None


def test_every_task_and_its_strengths_are_told() -> None:
    assert len(COMMANDS) >= 10
    rows = dict(re.findall(r"^\| `(\w+)` \| .* \| (.*) \|$", PAGE, re.MULTILINE))
    assert list(rows) == list(RESTORE_TASKS)
    for name, task in TASKS.items():
        low, high = sorted((task.none, task.full))
        assert not task.blind or f"{low:g} to {high:g}" in rows[name]
