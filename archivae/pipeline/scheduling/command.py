"""The command ``archivae schedule install|show|remove``."""

from __future__ import annotations

import argparse
import os
from types import ModuleType
from typing import Any

from archivae.errors import UsageError
from archivae.pipeline.archiving.policy import read_policy
from archivae.pipeline.scheduling import cron, systemd
from archivae.pipeline.scheduling.entry import new_entry
from archivae.pipeline.scheduling.timetable import EVERY, parse_timetable
from archivae.pipeline.showing import say
from archivae.storage.names import scheme_of

_WAYS: dict[str, ModuleType] = {"cron": cron, "systemd": systemd}


def add_parser(commands: Any) -> None:
    """``archivae schedule`` and what it can do."""
    parser = commands.add_parser("schedule", help="run a policy again and again on this machine")
    actions = parser.add_subparsers(dest="action", required=True)
    install = actions.add_parser("install", help="from now on, run a policy", epilog="Other options go to the runs.")
    install.add_argument("policy", help="a YAML file, local or gs://")
    install.add_argument("--every", choices=EVERY, default="daily")
    install.add_argument("--at", default="02:30", help="HH:MM, local time (default: 02:30)")
    install.add_argument("--name", default="", help="default: the policy's file name")
    install.add_argument("--dry-run", action="store_true", help="print what would be written, and write nothing")
    show = actions.add_parser("show", help="what is scheduled")
    remove = actions.add_parser("remove", help="run a policy no more")
    remove.add_argument("name")
    for action in (install, show, remove):
        action.add_argument("--with", dest="way", choices=tuple(_WAYS), default="cron")
    install.set_defaults(run=_install)
    show.set_defaults(run=_show)
    remove.set_defaults(run=_remove)


def _install(arguments: argparse.Namespace) -> int:
    read_policy(arguments.policy)  # a wrong one is refused now, not at half past two
    policy = arguments.policy if scheme_of(arguments.policy) else os.path.abspath(arguments.policy)
    timetable = parse_timetable(arguments.every, arguments.at)
    entry = new_entry(arguments.name, policy, arguments.beam, timetable)
    way = _WAYS[arguments.way]
    if arguments.dry_run:
        say(way.preview(entry))
        return 0
    way.install(entry)
    say(f"{entry.name}: {arguments.every} at {arguments.at}, by {arguments.way}")
    return 0


def _show(arguments: argparse.Namespace) -> int:
    for line in _WAYS[arguments.way].show() or [f"nothing is scheduled by {arguments.way}"]:
        say(line)
    return 0


def _remove(arguments: argparse.Namespace) -> int:
    if not _WAYS[arguments.way].remove(arguments.name):
        raise UsageError(
            f"nothing called {arguments.name!r} is scheduled by {arguments.way}; see archivae schedule show"
        )
    say(f"{arguments.name} is scheduled no more")
    return 0
