"""The commands in the guides are ones that there are, and their tables say what the code does."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import pytest
import yaml

from archivae.pipeline.archiving.policy import parse_policy
from archivae.pipeline.cli import _refuse_unknown, build_parser
from archivae.pipeline.dataflow.gpus import GPUS

DOCS = Path(__file__).resolve().parents[2] / "docs"
TEXTS = {name: (DOCS / name).read_text(encoding="utf-8") for name in ("dataflow.md", "archiving.md", "scale.md")}
COMMANDS = [
    (name, line)
    for name, text in TEXTS.items()
    for language, block in re.findall(r"^```(\w*)\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)
    if not language
    for line in block.splitlines()
    if line.startswith("archivae ")
]


@pytest.mark.parametrize(("name", "line"), COMMANDS)
def test_commands_exist(name: str, line: str) -> None:
    arguments, beam = build_parser().parse_known_args(shlex.split(line)[1:])
    if beam:
        assert arguments.command in ("encode", "decode", "verify", "archive"), beam
        _refuse_unknown(beam)


def test_there_are_commands_to_check() -> None:
    assert len(COMMANDS) > 10


def test_the_policy_in_the_guide_is_one() -> None:
    (text,) = re.findall(r"^```yaml\n(.*?)^```$", TEXTS["archiving.md"], re.MULTILINE | re.DOTALL)
    policy = parse_policy(yaml.safe_load(text))
    assert not policy.removes and policy.max_objects == 100000


def test_the_table_of_gpus_is_the_codes() -> None:
    rows = re.findall(r"^\| `(nvidia-\S+)` \| (\d+) GB \| (\S+) \| (.+) \|$", TEXTS["dataflow.md"], re.MULTILINE)
    assert rows == [(gpu.name, str(gpu.memory), gpu.machine, gpu.choose) for gpu in GPUS.values()]


def test_files_that_are_named_are_there() -> None:
    for text in TEXTS.values():
        for name in re.findall(r"\b((?:deploy|archivae|tests)/[\w./-]+\w)", text):
            name = name.removesuffix(".")
            if not re.search(r"archivae:|/archivae$", name):
                assert (DOCS.parent / name).exists(), name
