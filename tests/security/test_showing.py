"""Texts from outside are shown harmlessly, by one way alone."""

from __future__ import annotations

import ast
import io
import logging
from pathlib import Path
from unicodedata import category

import pytest
from hypothesis import given
from hypothesis import strategies as st

import archivae
from archivae.errors import ArchivaeError, StorageError
from archivae.pipeline.showing import Console, Table, complain, say, start_logging
from archivae.untrusted import MOST_SHOWN, load_json, shown, shown_lines

PACKAGE = Path(archivae.__file__).parent
NASTY = "a\nfailed: b\r\x1b[31m\x07\x9b\u202e\u2066\u200f\u2028\udcff\ufeff[red]c"

# The way itself; workers that talk to their parent through pipes; a file that is appended to; what takes lines off the log.
THE_WAY = {"pipeline/showing.py"}
NO_TERMINAL = {
    "images/readers/tensorflow_worker.py",
    "images/readers/tensorflow_io.py",
    "transforms/progress.py",
    "images/library_output.py",
}
FORBIDDEN_CALLS = {
    "print", "pprint", "input", "sys.stdout.write", "sys.stderr.write", "sys.stdout.writelines", "sys.stderr.writelines",
    "os.write", "warnings.warn", "traceback.print_exc", "traceback.print_exception", "json.dump",
    "logging.debug", "logging.info", "logging.warning", "logging.error", "logging.exception", "logging.critical",
    "logging.log", "logging.getLogger", "logging.basicConfig", "rich.print",
}  # fmt: skip
FORBIDDEN_IMPORTS = {
    "rich.console",
    "rich.table",
    "rich.text",
    "rich.markup",
    "rich.panel",
    "logging",
    "pprint",
    "warnings",
}


def dotted(node: ast.AST) -> str:
    if isinstance(node, ast.Attribute):
        return f"{dotted(node.value)}.{node.attr}"
    return node.id if isinstance(node, ast.Name) else ""


def ways_around(source: str) -> list[str]:
    """What a module does to print or log by itself, with its line."""
    found = []
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Call) and dotted(node.func) in FORBIDDEN_CALLS:
            found.append(f"{node.lineno}: {dotted(node.func)}")
        if isinstance(node, ast.ImportFrom) and node.module and node.module in FORBIDDEN_IMPORTS:
            found.append(f"{node.lineno}: from {node.module}")
        if isinstance(node, ast.Import):
            found += [f"{node.lineno}: import {a.name}" for a in node.names if a.name in FORBIDDEN_IMPORTS]
    return found


def test_everything_that_prints_or_logs_does_so_by_the_one_way() -> None:
    allowed = THE_WAY | NO_TERMINAL
    modules = {str(path.relative_to(PACKAGE)): path.read_text() for path in PACKAGE.rglob("*.py")}
    assert allowed <= modules.keys()
    around = {name: ways_around(source) for name, source in modules.items() if name not in allowed}
    assert {name: found for name, found in around.items() if found} == {}


@pytest.mark.parametrize(
    "source",
    [
        "print(name)", "import logging\nlogging.getLogger().error(name)", "from rich.console import Console",
        "import sys\nsys.stderr.write(name)", "import warnings\nwarnings.warn(name)", "from rich.table import Table",
    ],
)  # fmt: skip
def test_the_test_finds_those_that_do_not(source: str) -> None:
    assert ways_around(source)


@given(st.text(st.characters()))
def test_what_is_shown_is_one_harmless_line(text: str) -> None:
    harmless = shown(text)
    assert all(character.isprintable() or category(character) == "Zs" for character in harmless)
    assert len(shown(text * 1000)) <= 10 * MOST_SHOWN
    assert shown(harmless) == harmless
    harmless.encode()


@pytest.mark.parametrize("text", ["cats/IMG 1.jpg", "日本/写真.jpg", "a\\b", 'it\'s "é"', "[red]", "C:\\x"])
def test_ordinary_text_is_shown_as_it_is(text: str) -> None:
    assert shown(text) == text


def test_lines_of_ours_stay_lines() -> None:
    assert shown_lines("a\nb\x1b") == "a\nb\\x1b"


def test_terminals_tables_and_errors(capsys: pytest.CaptureFixture[str]) -> None:
    say(shown(NASTY))
    complain(NASTY)
    out = capsys.readouterr()
    table = Table("name", title=NASTY)
    table.add_row(NASTY)
    file = io.StringIO()
    console = Console(file=file, width=400)
    console.print(table)
    console.print(shown(NASTY))
    for text in (out.out, out.err, file.getvalue(), str(ArchivaeError(NASTY))):
        assert all(line.isprintable() for line in text.splitlines())
        assert (
            "\\u202e" in text
            and "[red]c" in text
            and not any(line.startswith("failed: b") for line in text.splitlines())
        )


def test_logs(capsys: pytest.CaptureFixture[str]) -> None:
    root = logging.getLogger()
    before, stream = root.handlers[:], io.StringIO()
    root.handlers[:] = [logging.StreamHandler(stream)]
    try:
        start_logging()
        said = f"Authorization: Bearer {'s3cret' * 4} {NASTY}"
        try:
            raise ValueError(said)
        except ValueError:
            logging.exception("%s", NASTY)
    finally:
        root.handlers[:] = before
    text = stream.getvalue()
    assert "Traceback" in text and "\\u202e" in text and "s3cret" not in text
    lines = text.rstrip("\n").split("\n")
    assert all(line.isprintable() for line in lines) and all(line.startswith("  ") for line in lines[1:])


def test_an_error_of_ours_is_logged_without_a_trace() -> None:
    """As Beam logs what a step raised: a damaged tar among the sources gave one."""
    root = logging.getLogger()
    before, stream = root.handlers[:], io.StringIO()
    root.handlers[:] = [logging.StreamHandler(stream), logging.NullHandler()]
    try:
        start_logging()
        try:
            raise StorageError(f"cannot list {NASTY!r}")
        except StorageError as error:
            logging.getLogger("apache_beam.runners.common").exception(error)
    finally:
        root.handlers[:] = before
    assert "cannot list" in stream.getvalue()
    assert "Traceback" not in stream.getvalue() and stream.getvalue().count("\n") == 1


@pytest.mark.parametrize(
    "text", ["[" * 200_000, '{"a":' * 100_000, b"\xff", "", "nope", "1" * 10_000, b"[" + b"1," * 10**7]
)
def test_json_is_bounded(text: str | bytes) -> None:
    with pytest.raises(ValueError, match="."):
        load_json(text, largest=1 << 20)
