"""The user's own systemd: a service that runs once, and a timer that starts it. Sources: systemd.service(5), systemd.timer(5).

A timer of a user runs while the user is logged in, or always after ``loginctl enable-linger``.
"""

from __future__ import annotations

import os
from pathlib import Path

from archivae.errors import UsageError
from archivae.pipeline.scheduling.entry import PREFIX, Entry
from archivae.pipeline.scheduling.tools import call


def install(entry: Entry) -> None:
    """Write both units and start the timer."""
    folder = _folder()
    folder.mkdir(parents=True, exist_ok=True)
    for name, text in _units(entry).items():
        (folder / name).write_text(text, encoding="utf-8")
    _systemctl("daemon-reload")
    _systemctl("enable", "--now", f"{PREFIX}{entry.name}.timer")


def remove(name: str) -> bool:
    """Whether there was a timer of that name."""
    units = [_folder() / f"{PREFIX}{name}.{kind}" for kind in ("timer", "service")]
    if not units[0].exists():
        return False
    _systemctl("disable", "--now", units[0].name)
    for unit in units:
        unit.unlink(missing_ok=True)
    _systemctl("daemon-reload")
    return True


def show() -> list[str]:
    """A line for each of our timers: its name, when it runs, and what."""
    return [
        f"{path.stem}: {_value(path, 'OnCalendar')}: {_command(path)}"
        for path in sorted(_folder().glob(f"{PREFIX}*.timer"))
    ]


def preview(entry: Entry) -> str:
    """The units that `install` would write."""
    return "\n".join(f"# {_folder() / name}\n{text}" for name, text in _units(entry).items())


def _units(entry: Entry) -> dict[str, str]:
    name = f"{PREFIX}{entry.name}"
    command = " ".join(_quoted(word) for word in entry.command)
    service = (
        f"[Unit]\nDescription=ArchiVAE policy {entry.name}\n\n[Service]\nType=oneshot\nNice=10\nExecStart={command}\n"
    )
    timer = (
        f"[Unit]\nDescription=ArchiVAE policy {entry.name}, {entry.timetable.every}\n\n"
        f"[Timer]\nOnCalendar={entry.timetable.calendar()}\nPersistent=true\n\n[Install]\nWantedBy=timers.target\n"
    )
    return {f"{name}.service": service, f"{name}.timer": timer}


def _quoted(word: str) -> str:
    """As a word of ExecStart=: % and $ would be expanded, a backslash and quotes be taken for its own."""
    for character, spelled in (("\\", "\\\\"), ('"', '\\"'), ("%", "%%"), ("$", "$$")):
        word = word.replace(character, spelled)
    return f'"{word}"'


def _folder() -> Path:
    home = os.environ.get("XDG_CONFIG_HOME") or Path.home() / ".config"
    return Path(home) / "systemd" / "user"


def _command(timer: Path) -> str:
    service = timer.with_suffix(".service")
    return _value(service, "ExecStart") if service.exists() else "its service is missing"


def _value(path: Path, word: str) -> str:
    lines = path.read_text(encoding="utf-8").splitlines()
    return next((line.partition("=")[2] for line in lines if line.startswith(f"{word}=")), "")


def _systemctl(*words: str) -> None:
    done = call(["systemctl", "--user", *words])
    if done.returncode != 0:
        raise UsageError(f"systemctl --user {' '.join(words)} failed: {done.stderr.strip()}")
