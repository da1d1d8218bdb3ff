"""Commands in processes of their own, killed before or after the n-th call by which they change a folder."""

from __future__ import annotations

import builtins
import multiprocessing
import os
from collections.abc import Callable
from contextlib import redirect_stdout
from multiprocessing.sharedctypes import Synchronized
from typing import Any

from archivae.pipeline.cli import main

CALLS = (
    "chmod", "fsync", "ftruncate", "link", "mkdir", "open", "remove", "rename", "replace", "rmdir", "symlink", "truncate",
    "unlink", "utime", "write",
)  # fmt: skip
"""Of `os`; what only reads leaves what a kill before the next of these does."""
PATIENCE = 300.0
"""Seconds; a command that takes longer hangs."""
KILLED = 137

# A server that has imported what a command needs once forks it at once, without a thread in it yet.
_processes = multiprocessing.get_context("forkserver")
_processes.set_forkserver_preload(["tests.pipeline.archiving.killing", "archivae.pipeline.archiving.run"])


def run_killed(words: tuple[str, ...], folder: str, call: int, when: str) -> tuple[int, int]:
    """The exit code of ``archivae`` with ``words``, killed ``when`` ("before" or "after") its ``call``-th change of what
    lies in ``folder``; and how many changes it came to. A ``call`` of 0 lets it live."""
    made = _processes.Value("i", 0)
    process = _processes.Process(target=_run, args=(words, folder, call, when, made))
    process.start()
    process.join(PATIENCE)
    assert process.exitcode is not None, "the command hangs"
    return process.exitcode, made.value


def _run(words: tuple[str, ...], folder: str, call: int, when: str, made: Synchronized[int]) -> None:
    os.environ["OMP_NUM_THREADS"] = "1"
    for name in CALLS:
        setattr(os, name, _deadly(getattr(os, name), folder, call, when, made))
    builtins.open = _deadly(builtins.open, folder, call, when, made)  # type: ignore[assignment]
    with open(os.devnull, "w") as nowhere, redirect_stdout(nowhere):
        code = main(words)
    os._exit(code)


def _deadly(act: Callable[..., Any], folder: str, call: int, when: str, made: Synchronized[int]) -> Callable[..., Any]:
    def acting(*arguments: Any, **words: Any) -> Any:
        if not _changes(act.__name__, arguments, words, folder):
            return act(*arguments, **words)
        with made.get_lock():
            made.value += 1
            number = made.value
        if number == call and when == "before":
            os._exit(KILLED)
        try:
            return act(*arguments, **words)
        finally:
            if number == call:  # failed or not
                os._exit(KILLED)

    return acting


def _changes(name: str, arguments: tuple[Any, ...], words: dict[str, Any], folder: str) -> bool:
    """Whether a call is about something in ``folder``, and does not open it for reading alone."""
    if name == "open":
        mode = arguments[1] if len(arguments) > 1 else words.get("mode", words.get("flags", "r"))
        reads = not {*mode} & {*"wxa+"} if isinstance(mode, str) else not mode & (os.O_WRONLY | os.O_RDWR | os.O_CREAT)
        if reads:
            return False
    place = arguments[0]
    if isinstance(place, int):
        try:
            place = os.readlink(f"/proc/self/fd/{place}")
        except OSError:
            return False
    return os.fsdecode(place).startswith(folder) or "dir_fd" in words
