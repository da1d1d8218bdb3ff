"""What the guides promise has a test: the one that is named beside it, as in ``tests/storage/test_lease.py::test_name``."""

from __future__ import annotations

import ast
import re
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
GUIDES = {name: (ROOT / "docs" / name).read_text(encoding="utf-8") for name in ("archiving.md", "scale.md")}
NAMED = re.compile(r"`(tests/[\w/.-]+\.py)::([\w:]+)(?:\[[^`]*\])?`")
ALMOST = re.compile(r"tests/[\w/.-]+\.py(?:::\S*)?")
PROMISES = [(guide, *found) for guide, text in GUIDES.items() for found in NAMED.findall(text)]


@cache
def names_in(file: str) -> frozenset[str]:
    """The tests of a file, as pytest names them."""
    path = ROOT / file
    return _named(ast.parse(path.read_text(encoding="utf-8")).body) if path.is_file() else frozenset()


def _named(body: list[ast.stmt], prefix: str = "") -> frozenset[str]:
    found: frozenset[str] = frozenset()
    for node in body:
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and node.name.startswith("test"):
            found |= {prefix + node.name}
        elif isinstance(node, ast.ClassDef) and node.name.startswith("Test"):
            found |= _named(node.body, f"{prefix}{node.name}::")
    return found


@pytest.mark.parametrize(("guide", "file", "test"), PROMISES)
def test_the_test_beside_a_promise_exists(guide: str, file: str, test: str) -> None:
    assert test in names_in(file), f"docs/{guide} names {file}::{test}, which is not there"


def test_there_are_promises_to_check() -> None:
    assert len([guide for guide, *_ in PROMISES if guide == "scale.md"]) > 30


@pytest.mark.parametrize("guide", GUIDES)
def test_no_marker_is_misspelt(guide: str) -> None:
    """A test that is named otherwise than these would not be looked for."""
    rest = re.sub(r"```.*?```", "", NAMED.sub("", GUIDES[guide]), flags=re.DOTALL)
    commands = re.sub(r"`(?:python -m )?pytest [^`]*`", "", rest)
    assert ALMOST.findall(commands) == []


def test_all_that_breaks_has_a_test_beside_it() -> None:
    (table,) = re.findall(r"^## When something breaks\n(.*?)\n\n", GUIDES["scale.md"], re.MULTILINE | re.DOTALL)
    rows = table.splitlines()[2:]
    assert len(rows) > 8 and [row for row in rows if not NAMED.search(row.split("|")[-2])] == []


def test_a_test_that_is_not_there_would_be_noticed() -> None:
    assert "test_there_are_promises_to_check" in names_in("tests/docs/test_promises.py")
    assert "test_nothing" not in names_in("tests/docs/test_promises.py") and not names_in("tests/no_such_file.py")
