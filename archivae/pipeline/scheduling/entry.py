"""What is to be run, known by a name."""

from __future__ import annotations

import re
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from archivae.errors import UsageError
from archivae.pipeline.scheduling.timetable import Timetable

PREFIX = "archivae-"


@dataclass(frozen=True)
class Entry:
    """``name`` is unique on this machine; ``words`` go to ``archivae archive`` after the policy."""

    name: str
    policy: str
    words: tuple[str, ...]
    timetable: Timetable

    @property
    def command(self) -> list[str]:
        """By this very Python, so that no PATH is needed; cron and systemd have next to none."""
        return [sys.executable, "-m", "archivae", "archive", self.policy, *self.words]


def new_entry(name: str, policy: str, words: Sequence[str], timetable: Timetable) -> Entry:
    """UsageError for a name, path or word that neither cron nor systemd can carry."""
    chosen = name or re.sub(r"[^a-z0-9]+", "-", Path(policy).stem.lower()).strip("-")
    if not re.fullmatch(r"[a-z0-9][a-z0-9-]{0,62}", chosen):
        raise UsageError(f"expected a name of small letters, digits and dashes, found {chosen!r}: give --name")
    entry = Entry(chosen, policy, tuple(words), timetable)
    for word in entry.command:
        if any(ord(character) < 32 or ord(character) == 127 for character in word):
            raise UsageError(f"expected no line breaks or control characters, found {word!r}")
    return entry
