"""The user's crontab: one line an entry, known by its comment; all other lines stay as they are."""

from __future__ import annotations

import shlex
from collections.abc import Iterator

from archivae.errors import UsageError
from archivae.pipeline.scheduling.entry import PREFIX, Entry
from archivae.pipeline.scheduling.tools import call

_MARK = f"# {PREFIX}"


def install(entry: Entry) -> None:
    """Add the entry's line, or put it in the place of the one with its name."""
    _write([*_others(entry.name), _line(entry)])


def remove(name: str) -> bool:
    """Whether there was an entry of that name."""
    others = list(_others(name))
    found = len(others) < len(_lines())
    if found:
        _write(others)
    return found


def show() -> list[str]:
    """Our lines."""
    return [line for line in _lines() if _MARK in line]


def preview(entry: Entry) -> str:
    """What `install` would add."""
    return _line(entry)


def _line(entry: Entry) -> str:
    """flock keeps a run from starting while the last one goes on; cron reads a bare % as a line break."""
    lock = f"/tmp/{PREFIX}{entry.name}.lock"
    command = shlex.join(["flock", "--nonblock", lock, *entry.command]).replace("%", r"\%")
    return f"{entry.timetable.cron()} {command} {_MARK}{entry.name}"


def _others(name: str) -> Iterator[str]:
    return (line for line in _lines() if not line.endswith(f"{_MARK}{name}"))


def _lines() -> list[str]:
    listed = call(["crontab", "-l"])
    if listed.returncode == 0:
        return listed.stdout.splitlines()
    # Anything but a plain "there is none" must not end in an empty crontab being written.
    if "no crontab" in listed.stderr:
        return []
    raise UsageError(f"the crontab can't be read: {listed.stderr.strip() or listed.returncode}")


def _write(lines: list[str]) -> None:
    written = call(["crontab", "-"], "".join(f"{line}\n" for line in lines))
    if written.returncode != 0:
        raise UsageError(f"the crontab can't be written: {written.stderr.strip()}")
