"""What keeps a job that lost its destination from doing harm there.

A job can sleep past its lease and wake up when another has done its work. So whoever writes asks first whether the lease
still has the job's token, and says of what it found before that which version it means to replace.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from archivae.errors import LeaseLostError, StorageError
from archivae.storage.names import own_path, scratch_of
from archivae.storage.objects import (
    create_object,
    read_object,
    stat_object,
    write_if,
    write_pieces_if,
)
from archivae.untrusted import load_json

LEASE = "lease.json"
LARGEST_LEASE = 64 * 1024


@dataclass(frozen=True)
class Fence:
    """The right of a job to write under ``destination``: it travels with the job to every worker.

    ``token``: the job's id as its lease has it; empty for a job without a lease, which is not held up. ``inherits``: the
    lease was taken over from a job that was killed, and may have left files that no row of the manifest speaks of.
    """

    destination: str
    token: str = ""
    inherits: bool = False

    def check(self) -> None:
        """LeaseLostError if the destination's lease is not the job's any more."""
        if self.token and lease_token(self.destination) != self.token:
            raise self.lost()

    def lost(self) -> LeaseLostError:
        return LeaseLostError(
            f"another job took over {self.destination} while this one slept or was cut off, so this one writes nothing "
            "more: run it again when the other has ended, and what is done is skipped"
        )


def lease_token(destination: str) -> str | None:
    """The token in a destination's lease; None if there is none, or it is damaged."""
    uri = own_path(destination, LEASE)
    found = stat_object(uri)
    if found is None or found.size > LARGEST_LEASE:
        return None
    try:
        token = load_json(read_object(uri, limit=LARGEST_LEASE))["run"]
    except StorageError:
        if stat_object(uri) is None:  # given back just now
            return None
        raise
    except (KeyError, TypeError, ValueError):
        return None
    return token if isinstance(token, str) else None


def write_fenced(fence: Fence, uri: str, data: bytes) -> str:
    """Write or replace a whole object of a job; its fingerprint.

    Whatever another job writes there after this one lost its lease stays: LeaseLostError.
    """
    scratch = scratch_of(fence.destination)
    fence.check()
    created = create_object(uri, [data], scratch=scratch)
    if created is not None:
        return created
    found = stat_object(uri)
    fence.check()  # now: whoever takes over from here on changes what was found, or leaves it
    written = write_if(uri, data, found.fingerprint if found else None, scratch=scratch)
    if written is None:
        raise _meddled(fence, uri)
    return written


def create_fenced(fence: Fence, uri: str, pieces: Iterable[bytes]) -> str | None:
    """`create_object` for a job; None if other bytes lie there, though the job has its lease."""
    fence.check()
    created = create_object(uri, pieces, scratch=scratch_of(fence.destination))
    if created is None:
        fence.check()
    return created


def replace_fenced(fence: Fence, uri: str, pieces: Iterable[bytes], expected: str | None) -> str:
    """Write an object that had the fingerprint ``expected``, None: that was not there, when it was looked at.

    What ``pieces`` are made of must be read after that. LeaseLostError or StorageError if it is another by now.
    """
    fence.check()
    written = write_pieces_if(uri, pieces, expected, scratch=scratch_of(fence.destination))
    if written is None:
        raise _meddled(fence, uri)
    return written


def _meddled(fence: Fence, uri: str) -> StorageError | LeaseLostError:
    """Why an object is not the one that was found: another job has the lease, or somebody has none at all."""
    if fence.token and lease_token(fence.destination) != fence.token:
        return fence.lost()
    return StorageError(f"cannot write {uri!r}: it was changed meanwhile by something that holds no lease; run again")
