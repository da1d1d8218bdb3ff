"""The commands that docs/training.md shows are ones that the command takes, and plans that can be followed."""

from __future__ import annotations

import re
import shlex
from dataclasses import fields
from pathlib import Path

import pytest

from archivae.models.training.plan import TrainingPlan
from archivae.pipeline.cli import build_parser
from archivae.pipeline.training.job import codec_values
from archivae.pipeline.training.options import CodecOptions

PAGE = (Path(__file__).resolve().parents[2] / "docs" / "training.md").read_text(encoding="utf-8")
COMMANDS = re.findall(r"^archivae (train codec .*)$", PAGE, re.MULTILINE)


def asked(line: str) -> CodecOptions:
    arguments = build_parser().parse_args(shlex.split(line))
    return CodecOptions(**{option.name: getattr(arguments, option.name) for option in fields(CodecOptions)})


def planned(line: str) -> TrainingPlan:
    options = asked(line)
    rates = {"muon_rate": options.muon_rate, "adam_rate": options.adam_rate}
    lengths = {"steps": options.steps, "batch": options.batch, "crop": options.crop, "seed": options.seed}
    return TrainingPlan(**lengths, **rates, precision="float32", **codec_values(options))


@pytest.mark.parametrize("line", COMMANDS)
def test_a_shown_command_is_a_plan(line: str) -> None:
    assert planned(line).steps == asked(line).steps


def test_the_longer_run_and_the_branch_go_on_from_the_shorter_ones_plateau() -> None:
    short, long, branch = (planned(line) for line in COMMANDS if "plateau" in line)
    assert short.plateau_end == 9000
    long.check_continues(short, 9000)
    branch.check_continues(long, 20000)


def test_every_option_of_its_own_is_told() -> None:
    own = {option.name for option in fields(CodecOptions)} - {
        "device",
        "precision",
        "architecture",
        "memory",
        "adam_rate",
    }
    own -= {"seed", "batch", "crop", "export_only"}
    assert [name for name in sorted(own) if f"--{name.replace('_', '-')}" not in PAGE] == []
