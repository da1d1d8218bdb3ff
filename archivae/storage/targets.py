"""Writing where something may lie that is not ours: only what is known to be ours is ever replaced."""

from __future__ import annotations

from collections.abc import Callable

from archivae.errors import DestinationError
from archivae.storage.objects import read_object, stat_object, write_if, write_object
from archivae.storage.store import StoredObject

_TRIES = 3
"""What was there may go between two looks, and what was sent may arrive damaged and be refused."""


def write_target(
    uri: str, data: bytes, *, scratch: str, is_ours: Callable[[StoredObject], bool], overwrite_foreign: bool = False
) -> None:
    """Write an object where none is, or over one of which ``is_ours`` says that it may go.

    One that holds these very bytes counts as written: most often a killed job left it. DestinationError for any other,
    unless ``overwrite_foreign``. What appears or changes meanwhile is not replaced.
    """
    found = None
    for _ in range(_TRIES):
        if write_if(uri, data, None, scratch=scratch) is not None:
            return
        found = stat_object(uri)
        if found is not None:
            break
    if found is None:
        _write_over_no_file(uri, data, scratch, overwrite_foreign)
    elif not (found.size == len(data) and read_object(uri) == data):
        _replace(found, uri, data, scratch, overwrite_foreign or is_ours(found))


def _replace(found: StoredObject, uri: str, data: bytes, scratch: str, allowed: bool) -> None:
    if not allowed:
        raise foreign(uri)
    if write_if(uri, data, found.fingerprint, scratch=scratch) is None:
        raise DestinationError(f"{uri} was changed by somebody else just now and left as it is: run again")


def _write_over_no_file(uri: str, data: bytes, scratch: str, allowed: bool) -> None:
    """Over a link that leads nowhere, say."""
    if not allowed:
        raise foreign(uri)
    write_object(uri, data, scratch=scratch)


def foreign(uri: str) -> DestinationError:
    """The error of a target that is not ours."""
    return DestinationError(
        f"{uri} exists, and the manifest does not say that it was written from this source: choose another destination, "
        f"or --overwrite-foreign to replace it"
    )
