"""When a policy runs, as cron and as systemd write it."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Literal, get_args

from archivae.errors import UsageError

Every = Literal["hourly", "daily", "weekly", "monthly"]
EVERY: tuple[str, ...] = get_args(Every)


@dataclass(frozen=True)
class Timetable:
    """``every`` hour (at the minute of the time), day, Monday, or first of the month."""

    every: Every
    hour: int
    minute: int

    def cron(self) -> str:
        """Five fields. Source: crontab(5).

        >>> Timetable("weekly", 2, 30).cron()
        '30 2 * * 1'
        """
        hour = "*" if self.every == "hourly" else str(self.hour)
        day = "1" if self.every == "monthly" else "*"
        weekday = "1" if self.every == "weekly" else "*"
        return f"{self.minute} {hour} {day} * {weekday}"

    def calendar(self) -> str:
        """The value of ``OnCalendar=``. Source: systemd.time(7).

        >>> Timetable("weekly", 2, 30).calendar()
        'Mon *-*-* 02:30:00'
        """
        hour = "*" if self.every == "hourly" else f"{self.hour:02}"
        day = "01" if self.every == "monthly" else "*"
        weekday = "Mon " if self.every == "weekly" else ""
        return f"{weekday}*-*-{day} {hour}:{self.minute:02}:00"


def parse_timetable(every: str, at: str) -> Timetable:
    """From ``--every daily --at 02:30``. UsageError for what is no time."""
    found = re.fullmatch(r"([01]?\d|2[0-3]):([0-5]\d)", at)
    if every not in EVERY or found is None:
        raise UsageError(f"expected --every {'|'.join(EVERY)} and --at HH:MM, found {every!r} and {at!r}")
    return Timetable(every, int(found[1]), int(found[2]))  # type: ignore[arg-type]
