"""Each line of SECURITY.md has its test, and that exists."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
TEXT = (ROOT / "SECURITY.md").read_text(encoding="utf-8")
LINES = [line for line in TEXT.splitlines() if line.startswith("| ") and not line.endswith("| test |")]
NAMED = sorted(set(re.findall(r"`(tests/[\w/]+\.py)(?:::(\w+))?`", TEXT)))


def names_of_tests(path: str) -> set[str]:
    tree = ast.parse((ROOT / path).read_text(encoding="utf-8"))
    return {node.name for node in ast.walk(tree) if isinstance(node, ast.FunctionDef) and node.name.startswith("test_")}


@pytest.mark.parametrize(("path", "name"), NAMED)
def test_the_tests_it_names_exist(path: str, name: str) -> None:
    assert (ROOT / path).is_file()
    assert not name or name in names_of_tests(path)


def test_every_line_has_its_test() -> None:
    assert len(LINES) > 25
    assert [line for line in LINES if not re.search(r"\| `tests/[\w/]+\.py(::\w+)?` \|$", line)] == []
