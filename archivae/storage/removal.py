"""Taking an object away so that no byte is ever lost: set aside first, deleted for good only later, if it is still the same.

Everything goes by exact name: nothing here expands a pattern, follows a linked folder or touches a folder's other entries.
What is at the name is proved to be what was archived, on GCS by its generation, locally by size, time, inode and SHA-256.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from typing import Protocol

from archivae.errors import StorageError, UnsafeNameError
from archivae.storage import gcs_removal, local_removal
from archivae.storage.escaping import escape_name, unescape_name
from archivae.storage.names import can_hold, is_below, own_path, scheme_of

QUARANTINE = "quarantine"


@dataclass(frozen=True, slots=True)
class Known:
    """An object as it was archived: its fingerprint in the listing, its SHA-256 (hexadecimal).

    ``aside``: where it lies once it is set aside, in the same storage. ``root``: the folder that both lie in, without a
    closing slash; a link below it leads nowhere. All in their normal spelling. StorageError if they lie elsewhere.
    """

    uri: str
    fingerprint: str
    sha256: str
    root: str
    aside: str

    def __post_init__(self) -> None:
        for place in (self.uri, self.aside):
            if not is_below(place, self.root):
                raise StorageError(f"expected a place below {self.root!r}, found {place!r}: it is left alone")


def place_aside(root: str, sha256: str, name: str) -> str:
    """Where the object ``name`` of the folder ``root`` is set aside. It depends on the content, not on the run: where
    deleting is not allowed, no run leaves another copy. UnsafeNameError for a name that could lead elsewhere."""
    return own_path(root, f"{QUARANTINE}/{sha256[:_DIGITS]}/{escape_name(name)}")


def set_aside(known: Known) -> None:
    """Move the object to its place aside, where nothing lies yet, or the same bytes from an earlier try.

    ChangedError where it is not what was archived: then it lies where it lay. A crash leaves it at one of the two
    places, or at both, never at none.
    """
    _store(known.uri).set_aside(known.root, known.uri, known.fingerprint, known.sha256, known.aside)


def put_back(known: Known) -> None:
    """Undo `set_aside`. StorageError where something else took the name meanwhile: then it stays aside."""
    _store(known.uri).put_back(known.root, known.aside, known.uri)


def lies_aside(known: Known) -> bool:
    """Whether anything lies where the object is set aside, be it what it may: a look, no proof."""
    return _store(known.uri).lies_aside(known.root, known.aside)


def aside_since(known: Known) -> float:
    """When the object came to lie aside, in seconds since 1970, by the storage's own word. StorageError if it does not."""
    return _store(known.uri).aside_since(known.aside)


def delete_aside(known: Known) -> None:
    """Delete what was set aside, for good. ChangedError where it is not the very bytes that were archived."""
    _store(known.uri).delete_aside(known.root, known.aside, known.fingerprint, known.sha256)


def list_aside(root: str) -> Iterator[tuple[str, str]]:
    """All that lies aside under the folder ``root``: the first digits of its SHA-256, and its name in that folder."""
    folder = own_path(root, QUARANTINE)
    for name in _store(root).names_below(root, folder):
        digest, _, escaped = name.partition("/")
        original = unescape_name(escaped)
        with suppress(UnsafeNameError):  # nothing that was set aside has such a name
            lies_there = len(digest) == _DIGITS and place_aside(root, digest, original) == f"{folder}/{name}"
            if lies_there and can_hold(scheme_of(root), original):
                yield digest, original


def remove_empty_quarantine(root: str) -> None:
    """Delete the folders of ours in ``root`` that nothing lies in any more."""
    _store(root).remove_empty(root, own_path(root, QUARANTINE))


_DIGITS = 16
"""Of a SHA-256, in the name of the folder that an object lies aside in."""


class _Remover(Protocol):
    """What `local_removal` and `gcs_removal` do; URIs in their normal spelling."""

    def set_aside(self, root: str, uri: str, fingerprint: str, sha256: str, target: str, /) -> None: ...

    def put_back(self, root: str, target: str, uri: str, /) -> None: ...

    def lies_aside(self, root: str, target: str, /) -> bool: ...

    def aside_since(self, target: str, /) -> float: ...

    def delete_aside(self, root: str, target: str, fingerprint: str, sha256: str, /) -> None: ...

    def names_below(self, root: str, folder: str, /) -> Iterator[str]: ...

    def remove_empty(self, root: str, folder: str, /) -> None: ...


def _store(uri: str) -> _Remover:
    scheme = scheme_of(uri)
    if scheme == "gs":
        return gcs_removal
    if scheme:
        raise StorageError(f"cannot remove {uri!r}: expected a local or gs:// object")
    return local_removal
