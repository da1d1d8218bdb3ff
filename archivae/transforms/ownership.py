"""Which files of a destination we wrote, and of which source, as its manifest says."""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Iterable
from typing import NamedTuple

from archivae.storage import ManifestRow, read_fragment, read_fragments


class _Made(NamedTuple):
    source: bytes
    size: int
    written: float


class Ownership:
    """Read from the manifest of ``destination`` when first asked, and again for what has come to it since.

    Of each file some 200 bytes are held. Threads may ask at once.
    """

    def __init__(self, destination: str) -> None:
        self._destination = destination
        self._made: dict[bytes, _Made] = {}
        self._read: set[str] = set()
        self._lock = threading.Lock()

    def written_bytes(self, uri: str, source: str, unrecorded: Iterable[ManifestRow] = ()) -> int | None:
        """The size of the file ``uri`` as it was written from ``source``; None if it is not the last that was.

        ``unrecorded``: rows that are not in the manifest yet.
        """
        with self._lock:
            self._refresh()
            for row in unrecorded:
                self._note(row)
            made = self._made.get(_digest(uri))
        return made.size if made is not None and made.source == _digest(source) else None

    def _refresh(self) -> None:
        for fragment in read_fragments(self._destination):
            if fragment not in self._read:
                for row in read_fragment(fragment):
                    self._note(row)
                self._read.add(fragment)

    def _note(self, row: ManifestRow) -> None:
        key = _digest(row.archive)
        known = self._made.get(key)
        if row.status == "done" and (known is None or row.written >= known.written):
            self._made[key] = _Made(_digest(row.source), row.archive_bytes, row.written)


def _digest(uri: str) -> bytes:
    return hashlib.blake2b(uri.encode("utf-8", "surrogatepass"), digest_size=16).digest()
