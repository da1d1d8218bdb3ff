"""One job at a time over a destination: ``_archivae/lease.json``, there while a job runs and renewed by it.

A lease can be lost: to another machine's job, after a sleep. `archivae.storage.fence` keeps that from doing harm.
"""

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

from archivae.errors import ArchivaeError, DestinationError, StorageError
from archivae.storage.fence import LARGEST_LEASE, LEASE, Fence, lease_token
from archivae.storage.names import own_path, scratch_of
from archivae.storage.objects import delete_if, read_object, stat_object, write_if
from archivae.storage.store import StoredObject
from archivae.untrusted import load_json, shown

NAME = LEASE
RENEWED_EVERY = 30.0
"""Seconds."""
EXPIRES_AFTER = 180.0
"""Seconds since it was renewed last, by the clocks of the store and of whoever wants the lease."""
CLOCKS_DIFFER = 30.0
"""Seconds by which these clocks may differ: a lease from further in the future is stale."""
_IF_KILLED = f"or if it was killed on another machine, run again {EXPIRES_AFTER:.0f} s later"


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
        return self._is_known and self.started != _started(self.process)

    @property
    def is_alive(self) -> bool:
        """Whether it runs on this machine, be it stopped or asleep. False where that cannot be told."""
        return self._is_known and self.started == _started(self.process)

    @property
    def _is_known(self) -> bool:
        return self.host == _host() and self.started != ""


@contextmanager
def leased(destination: str, run: str) -> Iterator[Fence]:
    """Have the destination for the job ``run`` alone; what it writes there goes through the fence that is given.

    The lease of a job that was killed is taken over: at once if it ran on this machine, else when it was not renewed
    for `EXPIRES_AFTER` seconds. A job that lives on this machine keeps it, however long it was stopped. A lease that is
    damaged, or dated in the future, is stale. DestinationError if another job has it, LeaseLostError if another has taken
    it over meanwhile.
    """
    lease = _Lease(destination, Holder(run, _host(), os.getpid(), _started(os.getpid())))
    lease.take()
    ended = threading.Event()
    renewing = threading.Thread(target=lease.renew_until, args=(ended,), daemon=True)
    renewing.start()
    fence = Fence(destination, run, inherits=lease.inherits)
    try:
        yield fence
    except ArchivaeError as error:
        lease.end(ended, renewing)
        if lease.lost:  # whatever else was said, that is why
            raise fence.lost() from error
        raise
    finally:
        lease.end(ended, renewing)
    if lease.lost:
        raise fence.lost()


class _Lease:
    def __init__(self, destination: str, holder: Holder) -> None:
        self._uri = own_path(destination, NAME)
        self._scratch = scratch_of(destination)
        self._destination = destination
        self._holder = holder
        self._fingerprint: str | None = None
        self.lost = False
        self.inherits = False

    def take(self) -> None:
        """DestinationError if another has it."""
        found = stat_object(self._uri)
        if found is not None:
            self._fingerprint = found.fingerprint
            self._refuse_unless_over(found)
            self.inherits = True
        taken = self._write()
        if taken is None:
            raise self._refusal("another job, begun this very moment,", _IF_KILLED)
        self._fingerprint = taken

    def renew_until(self, ended: threading.Event) -> None:
        """Renew it again and again. A store that cannot be reached is asked again: nobody else reaches it either."""
        while not self.lost and not ended.wait(RENEWED_EVERY):
            with suppress(StorageError):
                self._holder = Holder(**{**asdict(self._holder), "renewals": self._holder.renewals + 1})
                renewed = self._write()
                if renewed is None and lease_token(self._destination) == self._holder.run:
                    renewed = self._found()  # our own, from a request whose answer was lost
                self.lost = renewed is None
                self._fingerprint = renewed or self._fingerprint

    def end(self, ended: threading.Event, renewing: threading.Thread) -> None:
        """Give it back, once. Where that fails it expires by itself: no reason for a job to fail that did its work."""
        if ended.is_set():
            return
        ended.set()
        renewing.join()
        with suppress(StorageError):
            found = stat_object(self._uri)
            self.lost = lease_token(self._destination) != self._holder.run
            if not self.lost and found is not None:
                delete_if(self._uri, found.fingerprint)

    def _refuse_unless_over(self, found: StoredObject) -> None:
        if found.size > LARGEST_LEASE:
            return
        try:
            other = _parsed(read_object(self._uri, limit=LARGEST_LEASE))
        except StorageError:
            if self._found() is not None:
                raise
            self._fingerprint = None  # given back just now
            return
        if other is None or other.is_gone:
            return
        age = time.time() - found.written
        if other.is_alive or -CLOCKS_DIFFER <= age < EXPIRES_AFTER:
            raise self._refusal(
                f"the job {shown(other.run, 200)} (process {other.process} of {shown(other.host, 200)}, "
                f"seen {age:.0f} s ago)",
                "or end that process" if other.is_alive else _IF_KILLED,
            )

    def _found(self) -> str | None:
        found = stat_object(self._uri)
        return found.fingerprint if found else None

    def _refusal(self, who: str, otherwise: str) -> DestinationError:
        return DestinationError(f"{who} works on {self._destination}: wait for its end, {otherwise}")

    def _write(self) -> str | None:
        text = json.dumps(asdict(self._holder), sort_keys=True)
        return write_if(self._uri, text.encode("ascii"), self._fingerprint, scratch=self._scratch)


def _parsed(data: bytes) -> Holder | None:
    """Who holds a lease; None for a damaged one."""
    try:
        holder = Holder(**load_json(data))
    except (TypeError, ValueError):
        return None
    texts, numbers = (holder.run, holder.host, holder.started), (holder.process, holder.renewals)
    sound = all(isinstance(text, str) for text in texts) and all(type(n) is int and n >= 0 for n in numbers)
    return holder if sound and holder.run else None


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
