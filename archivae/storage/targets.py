"""Writing where something may lie that is not ours: only what is known to be ours is ever replaced."""

from __future__ import annotations

from collections.abc import Callable

from archivae.errors import DestinationError
from archivae.storage.fence import Fence
from archivae.storage.names import scratch_of
from archivae.storage.objects import read_object, stat_object, write_if, write_object
from archivae.storage.store import StoredObject

_TRIES = 3
"""What was there may go between two looks, and what was sent may arrive damaged and be refused."""


def write_target(
    fence: Fence,
    uri: str,
    data: bytes,
    *,
    is_ours: Callable[[StoredObject], bool],
    overwrite_foreign: bool = False,
    look_first: bool = False,
) -> bool:
    """Write an object of a job where none is, or over one of which ``is_ours`` says that it may go.

    One that holds these very bytes counts as written: most often a killed job left it. False if such a one is not ours: an
    original, maybe, that was archived without loss. DestinationError for any other, unless ``overwrite_foreign``. What
    appears or changes meanwhile is not replaced. ``look_first``: something may lie there. LeaseLostError if the
    destination is another job's by now.
    """
    fence.check()
    # Trying alone does not tell: a bucket takes equal bytes for an upload of ours whose answer was lost.
    found = stat_object(uri) if look_first else None
    if found is None:
        created, found = _create(fence, uri, data)
        if created:
            return True
    if found is None:
        _write_over_no_file(uri, data, scratch_of(fence.destination), overwrite_foreign)
    elif found.size == len(data) and read_object(uri) == data:
        return is_ours(found)
    else:
        _replace(fence, found, data, overwrite_foreign or is_ours(found))
    return True


def _create(fence: Fence, uri: str, data: bytes) -> tuple[bool, StoredObject | None]:
    """Whether a new object was written, and what lies there otherwise, as far as that can be told."""
    for _ in range(_TRIES):
        fence.check()
        if write_if(uri, data, None, scratch=scratch_of(fence.destination)) is not None:
            return True, None
        found = stat_object(uri)
        if found is not None:
            return False, found
    return False, None


def _replace(fence: Fence, found: StoredObject, data: bytes, allowed: bool) -> None:
    if not allowed:
        raise foreign(found.uri)
    fence.check()  # after it was found: whoever takes over from here on changes it, or leaves it
    if write_if(found.uri, data, found.fingerprint, scratch=scratch_of(fence.destination)) is None:
        fence.check()
        raise DestinationError(f"{found.uri} was changed by somebody else just now and left as it is: run again")


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
