"""What failed, for people and for the next run: JSON lines beside the manifest."""

from __future__ import annotations

import json
import re
import uuid
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

from archivae.errors import StorageError, UsageError
from archivae.storage.names import own_path, scratch_of
from archivae.storage.objects import read_object, store_of, write_object
from archivae.untrusted import load_json

_PREFIX = "dead-letters-"
_SUFFIX = ".jsonl"
_COUNT = re.compile(r"-(\d+)\.jsonl$")
"""Of the letters in a file, at the end of its name: they can be counted without being read."""


@dataclass(frozen=True, slots=True)
class DeadLetter:
    """One object that did not get through."""

    object: str  # URI
    step: str  # "read", "encode", ...
    error: str  # the error's class
    reason: str  # its message


def write_dead_letters(destination: str, letters: Sequence[DeadLetter], run: str) -> str:
    """Write letters of the job ``run`` to a new file under ``destination``; its URI. UsageError if there are none."""
    if not letters:
        raise UsageError("expected at least one dead letter, found none; write none")
    uri = own_path(destination, f"{_PREFIX}{run}-{uuid.uuid4().hex}-{len(letters)}{_SUFFIX}")
    write_object(uri, b"".join(map(_line, letters)), scratch=scratch_of(destination))
    return uri


def read_dead_letters(destination: str) -> list[DeadLetter]:
    """All letters of all runs, file by file. StorageError names the file and line that is no letter."""
    return [letter for uri in _files(destination, _PREFIX) for letter in _read_file(uri)]


def count_failed(destination: str, run: str, enough: int) -> int:
    """How many objects the letters of the job ``run`` speak of; up to ``enough`` of them, some may be counted twice."""
    files = _files(destination, f"{_PREFIX}{run}-")
    count = sum(int(found[1]) for found in map(_COUNT.search, files) if found)
    return count if count <= enough else len({letter.object for uri in files for letter in _read_file(uri)})


def _files(destination: str, start: str) -> list[str]:
    folder, _, start = own_path(destination, start).rpartition("/")
    entries = store_of(folder).walk(folder, start=start, depth=1)
    return [entry.uri for entry in entries if entry.name.startswith(start) and entry.name.endswith(_SUFFIX)]


def _read_file(uri: str) -> list[DeadLetter]:
    lines = read_object(uri).split(b"\n")
    return [_letter(uri, number, line) for number, line in enumerate(lines, start=1) if line]


def _line(letter: DeadLetter) -> bytes:
    # ASCII alone: no name, however odd, can break a line or the encoding.
    return json.dumps(asdict(letter)).encode("ascii") + b"\n"


def _letter(uri: str, number: int, line: bytes) -> DeadLetter:
    try:
        return _parsed(load_json(line))
    except (TypeError, ValueError) as error:
        raise StorageError(
            f"expected line {number} of {uri!r} to be a dead letter, found {line[:80]!r}; move the file elsewhere"
        ) from error


def _parsed(content: Any) -> DeadLetter:
    letter = DeadLetter(**content)
    if not all(isinstance(value, str) for value in asdict(letter).values()):
        raise TypeError("a letter with something else than texts in it")
    return letter
