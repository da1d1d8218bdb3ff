"""Taking an object away so that no byte is ever lost: set aside first, deleted for good only later, if it is still the same.

Everything goes by exact name: nothing here expands a pattern or touches a folder's other entries. What is at the name is
proved to be what was archived, on GCS by its generation, locally by size, time, inode and SHA-256.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from archivae.errors import StorageError
from archivae.storage import gcs_removal, local_removal
from archivae.storage.names import normal, scheme_of


@dataclass(frozen=True, slots=True)
class Known:
    """An object as it was archived: its fingerprint in the listing, its SHA-256 (hexadecimal)."""

    uri: str
    fingerprint: str
    sha256: str


def set_aside(known: Known, target: str) -> None:
    """Move the object to ``target``, in the same storage, where nothing lies yet.

    ChangedError where it is not what was archived: then it lies where it lay. A crash leaves it at one of the two
    places, or at both, never at none.
    """
    _store(known.uri).set_aside(known.uri, known.fingerprint, known.sha256, normal(target))


def put_back(target: str, uri: str) -> None:
    """Undo `set_aside`. StorageError where something else took the name meanwhile: then it stays aside."""
    _store(uri).put_back(normal(target), uri)


def is_aside(known: Known, target: str) -> bool:
    """Whether ``target`` holds the very bytes that were archived. False where there is nothing; ChangedError otherwise."""
    return _store(known.uri).is_aside(normal(target), known.fingerprint, known.sha256)


def delete_aside(known: Known, target: str) -> None:
    """Delete what was set aside, for good. ChangedError where it is not the very bytes that were archived."""
    _store(known.uri).delete_aside(normal(target), known.fingerprint, known.sha256)


class _Remover(Protocol):
    """What `local_removal` and `gcs_removal` do; URIs in their normal spelling."""

    def set_aside(self, uri: str, fingerprint: str, sha256: str, target: str, /) -> None: ...

    def put_back(self, target: str, uri: str, /) -> None: ...

    def is_aside(self, target: str, fingerprint: str, sha256: str, /) -> bool: ...

    def delete_aside(self, target: str, fingerprint: str, sha256: str, /) -> None: ...


def _store(uri: str) -> _Remover:
    scheme = scheme_of(uri)
    if scheme == "gs":
        return gcs_removal
    if scheme:
        raise StorageError(f"cannot remove {uri!r}: expected a local or gs:// object")
    return local_removal
