"""One job at a time over a destination: ``_archivae/lease.json``, there while a job runs and renewed by it."""

from __future__ import annotations

import json
import os
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from archivae.errors import ArchivaeError, DestinationError, StorageError
from archivae.storage.names import own_path, scratch_of
from archivae.storage.objects import delete_if, read_object, stat_object, write_if
from archivae.untrusted import load_json, shown

NAME = "lease.json"
_LARGEST = 64 * 1024
RENEWED_EVERY = 30.0
"""Seconds."""
EXPIRES_AFTER = 180.0
"""Seconds since it was renewed last, by the clocks of the store and of whoever wants the lease."""


@dataclass(frozen=True)
class Holder:
    """Who has a lease: a process of a machine, known by when it was started, as numbers of processes come again."""

    run: str
    host: str
    process: int
    started: str
    renewals: int = 0

    @property
    def is_gone(self) -> bool:
        """Whether it ran on this machine and does so no more. False where that cannot be told."""
        return self.host == _host() and self.started != "" and self.started != _started(self.process)


@contextmanager
def leased(destination: str, run: str) -> Iterator[None]:
    """Have the destination for the job ``run`` alone.

    The lease of a job that was killed is taken over: at once if it ran on this machine, else when it was not renewed
    for `EXPIRES_AFTER` seconds. DestinationError if another job has it, or has taken it over meanwhile.
    """
    lease = _Lease(destination, Holder(run, _host(), os.getpid(), _started(os.getpid())))
    lease.take()
    ended = threading.Event()
    renewing = threading.Thread(target=lease.renew_until, args=(ended,), daemon=True)
    renewing.start()
    try:
        yield
    finally:
        ended.set()
        renewing.join()
        lease.give_back()
    if lease.lost:
        raise DestinationError(f"another job took over {destination} meanwhile: run again when it has ended")


class _Lease:
    def __init__(self, destination: str, holder: Holder) -> None:
        self._uri = own_path(destination, NAME)
        self._scratch = scratch_of(destination)
        self._destination = destination
        self._holder = holder
        self._fingerprint: str | None = None
        self.lost = False

    def take(self) -> None:
        """DestinationError if another has it."""
        found = stat_object(self._uri)
        if found is not None:
            self._fingerprint = found.fingerprint
            self._refuse_unless_over(found.written)
        taken = self._write()
        if taken is None:
            raise self._refusal("another job, begun this very moment,")
        self._fingerprint = taken

    def renew_until(self, ended: threading.Event) -> None:
        """Renew it again and again. A store that cannot be reached is asked again: nobody else reaches it either."""
        while not self.lost and not ended.wait(RENEWED_EVERY):
            with suppress(StorageError):
                self._holder = Holder(**{**asdict(self._holder), "renewals": self._holder.renewals + 1})
                renewed = self._write()
                self.lost = renewed is None
                self._fingerprint = renewed or self._fingerprint

    def give_back(self) -> None:
        """Where that fails the lease expires by itself: no reason for a job to fail that did its work."""
        with suppress(ArchivaeError):
            if not self.lost and self._fingerprint is not None:
                delete_if(self._uri, self._fingerprint)

    def _refuse_unless_over(self, written: float) -> None:
        try:
            other = _holder(load_json(read_object(self._uri, limit=_LARGEST)))
        except (StorageError, TypeError, ValueError):  # given back just now, or no lease of ours: age alone counts
            other = Holder("", "", 0, "")
        age = time.time() - written
        if not other.is_gone and age < EXPIRES_AFTER:
            raise self._refusal(
                f"the job {shown(other.run, 200) or '?'} (process {other.process} of {shown(other.host, 200) or '?'}, "
                f"seen {age:.0f} s ago)"
            )

    def _refusal(self, who: str) -> DestinationError:
        return DestinationError(
            f"{who} works on {self._destination}: wait for its end. If it was killed on another machine, "
            f"run again {EXPIRES_AFTER:.0f} s later"
        )

    def _write(self) -> str | None:
        text = json.dumps(asdict(self._holder), sort_keys=True)
        return write_if(self._uri, text.encode("ascii"), self._fingerprint, scratch=self._scratch)


def _holder(content: Any) -> Holder:
    """TypeError for what no job wrote."""
    holder = Holder(**content)
    texts, numbers = (holder.run, holder.host, holder.started), (holder.process, holder.renewals)
    if not all(isinstance(text, str) for text in texts) or any(type(n) is not int or n < 0 for n in numbers):
        raise TypeError("a holder of other fields than ours")
    return holder


def _host() -> str:
    """This machine since it was started; its name alone where the system does not tell."""
    with suppress(OSError):
        return f"{socket.gethostname()} {Path('/proc/sys/kernel/random/boot_id').read_text().strip()}"
    return socket.gethostname()


def _started(process: int) -> str:
    """When a process of this machine was started, in the system's ticks; empty if there is none, or nobody tells."""
    with suppress(OSError, IndexError):
        # The second field, a name in brackets, may hold spaces.
        fields = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()
        return "" if fields[0] in "ZX" else fields[19]
    return ""
