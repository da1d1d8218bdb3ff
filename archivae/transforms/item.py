"""The value that travels: one object on its way, with what has become of it so far."""

from __future__ import annotations

import time
from dataclasses import dataclass, field, replace
from typing import Literal

from archivae.errors import DiskFullError
from archivae.images.notes import NO_NOTES, Notes
from archivae.storage import StoredObject
from archivae.storage.full_disk import is_disk_full
from archivae.untrusted import shown

Status = Literal["going", "failed", "not-a-picture", "skipped"]


@dataclass(frozen=True)
class Failure:
    """Why an object goes no further: the step it failed at, the error's class and its message."""

    step: str
    error: str
    reason: str


@dataclass(frozen=True)
class Facts:
    """What is known of an object so far; it becomes its row in the manifest."""

    sha256: str = ""
    height: int = 0
    width: int = 0
    coding: str = ""  # learned, lossless or original
    psnr: float = 0.0
    quality: float = 0.0
    model: str = ""  # id
    weights: str = ""  # name or URI of the weight file
    tasks: tuple[str, ...] = ()  # restorations that changed it, and the strength of each
    strengths: tuple[float, ...] = ()
    notes: Notes = NO_NOTES


@dataclass(frozen=True)
class Item:
    """One object: where it came from, its bytes as they are now, and where they shall go.

    ``data`` is the source's file after reading, the ``.avae`` file after encoding, the picture's file after decoding.
    ``target`` is the name under the destination. ``origin`` is set by `ReadImages`; `PlanWork` leaves it empty. Once
    ``status`` is not "going", every step lets the item pass untouched, so that each object ends in exactly one row of the
    manifest.
    """

    source: StoredObject
    target: str
    data: bytes = field(default=b"", repr=False)
    found: str = ""  # URI of a finished file that has no row yet
    shard: int | None = None  # number of the archive's shard that it goes into; None: a file of its own
    kept: bool = False  # ``data`` lies at the target already
    taken: bool | None = None  # whether anything lay at the target when the job was planned; None: nobody looked
    lay_there: bool = False  # ``data`` lay at the target, and nothing says that we wrote it
    replaces: int | None = None  # bytes of what this source was written to the target as before, if it was
    origin: str = ""  # what the user named that ``source`` was found in, where nobody looked yet how that lies
    status: Status = "going"
    facts: Facts = Facts()
    failure: Failure | None = None
    seconds: float = 0.0

    def failed(self, step: str, error: Exception) -> Item:
        """The item after ``error``; its bytes are let go. Of a full disk no item fails: DiskFullError, which ends the job."""
        if isinstance(error, DiskFullError):
            raise error
        if is_disk_full(error):
            raise DiskFullError(f"no space left on a disk while working on {self.source.uri}: {error}") from error
        failure = Failure(step, type(error).__name__, shown(str(error) or repr(error)))
        return replace(self, status="failed", failure=failure, data=b"")

    def not_a_picture(self) -> Item:
        return replace(self, status="not-a-picture", data=b"")

    def with_seconds_since(self, began: float) -> Item:
        """The item with the time since ``began`` (`time.perf_counter`) added to its seconds of work."""
        return self.with_more_seconds(time.perf_counter() - began)

    def with_more_seconds(self, seconds: float) -> Item:
        return replace(self, seconds=self.seconds + seconds)
