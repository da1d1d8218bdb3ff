"""Stored objects read in ranges: as a file that can be read from anywhere, or from one end to the other."""

from __future__ import annotations

import io
from typing import Any

from archivae.errors import StorageError
from archivae.storage.objects import read_range

_READ_AHEAD = 8 << 20


class Ahead:
    """Ranges of an object, with a ``fingerprint`` of that very one, asked for one after the other: in few large requests."""

    def __init__(self, uri: str, fingerprint: str = "") -> None:
        self._uri = uri
        self._fingerprint = fingerprint
        self._at = 0
        self._data = b""

    def read(self, offset: int, length: int) -> bytes:
        """``length`` bytes from ``offset`` on, fewer where the object ends before."""
        if not self._at <= offset <= offset + length <= self._at + len(self._data):
            self._at, self._data = offset, read_range(self._uri, offset, max(length, _READ_AHEAD), self._fingerprint)
        return self._data[offset - self._at : offset - self._at + length]


class RangedFile(io.RawIOBase):
    """For libraries that want a file. What `fetch` got before is not asked for again; the rest costs a request a read."""

    def __init__(self, uri: str, size: int) -> None:
        super().__init__()
        self._uri = uri
        self._size = size
        self._at = 0
        self._held_at = 0
        self._held = b""

    def fetch(self, offset: int, length: int) -> bytes:
        """These bytes, held until the next `fetch`. StorageError if the object does not have so many."""
        inside = self._held_at <= offset and offset + length <= self._held_at + len(self._held)
        if not inside:
            self._held_at, self._held = offset, read_range(self._uri, offset, length)
        start = offset - self._held_at
        data = self._held[start : start + length]
        if len(data) != length:
            raise StorageError(
                f"cannot read {self._uri!r}: expected {length} bytes at {offset}, found {len(data)}; it was cut short"
            )
        return data

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def tell(self) -> int:
        return self._at

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        self._at = offset + {io.SEEK_SET: 0, io.SEEK_CUR: self._at, io.SEEK_END: self._size}[whence]
        return self._at

    def readinto(self, buffer: Any) -> int:
        view = memoryview(buffer)
        length = max(0, min(view.nbytes, self._size - self._at))
        if length:
            view[:length] = self.fetch(self._at, length)
        self._at += length
        return length
