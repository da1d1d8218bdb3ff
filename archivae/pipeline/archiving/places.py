"""Where a policy's originals lie, and where they lie aside: nothing else may be taken away or brought back."""

from __future__ import annotations

import posixpath
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass

from archivae.errors import NothingFoundError, StorageError
from archivae.pipeline.archiving.ledger import Removal
from archivae.pipeline.archiving.policy import Policy
from archivae.storage.globs import parse_glob
from archivae.storage.listing import list_parts
from archivae.storage.names import is_below, is_own, normal, own_uri, plain, scheme_of
from archivae.storage.removal import Known, place_aside, remove_empty_quarantine
from archivae.storage.uri_lists import is_uri_list


@dataclass(frozen=True)
class Place:
    """A folder that a source's originals lie in, without a closing slash; ``holds`` tells which names in it are the
    source's."""

    root: str
    holds: Callable[[str], bool]


def root_of(uri: str, name: str) -> str:
    """The folder that the object ``uri`` is listed in under ``name``: its own, if a list gives it another name.

    >>> root_of("/in/cats/1.jpg", "cats/1.jpg"), root_of("/in/cats/1.jpg", "tom.jpg")
    ('/in', '/in/cats')
    """
    return (uri.removesuffix(f"/{name}") if uri.endswith(f"/{name}") else posixpath.dirname(uri)) or "/"


def name_in(root: str, uri: str) -> str:
    """The name of ``uri`` in the folder ``root``.

    >>> name_in("/in", "/in/cats/1.jpg"), name_in("/", "/1.jpg")
    ('cats/1.jpg', '1.jpg')
    """
    return uri.removeprefix(f"{root.rstrip('/')}/")


def places_of(policy: Policy) -> list[Place]:
    """All places of a policy's originals, whether anything lies in them or not."""
    return [place for source in policy.sources for place in _places(source)]


def roots_of(policy: Policy) -> list[str]:
    """The folders of ours in which originals may lie aside are in these."""
    return [*dict.fromkeys(place.root for place in places_of(policy))]


def remove_empty_folders(policy: Policy) -> None:
    """Take away the folders of ours that killed or refused removals left empty in the sources."""
    for root in roots_of(policy):
        with suppress(StorageError):
            remove_empty_quarantine(root)


def bound(removal: Removal, policy: Policy, places: Iterable[Place]) -> Known:
    """What a ledger's entry speaks of, if it is the policy's to delete. StorageError for whatever else it says."""
    for place in places:
        name = name_in(place.root, removal.uri)
        is_ours = is_below(removal.uri, place.root) and place.holds(name)
        if is_ours and removal.aside == place_aside(place.root, removal.sha256, name):
            return _moved_as_told(removal, policy, place.root)
    raise StorageError("it is not in this policy's quarantine, under one of its sources")


def _moved_as_told(removal: Removal, policy: Policy, root: str) -> Known:
    """A policy that moves originals deletes none that it has not moved to where it says."""
    if policy.move_to and removal.moved_to != own_uri(policy.move_to, removal.name):
        raise StorageError(f"the ledger says that it was moved to {removal.moved_to!r}, the policy says otherwise")
    return Known(removal.uri, removal.fingerprint, removal.sha256, root, removal.aside)


def _places(source: str) -> Iterator[Place]:
    """As `list_source` reads a source, but also what it no longer finds because all of it has gone."""
    if is_uri_list(source):
        yield from _listed(source)
        return
    path = normal(source).rstrip("/") or "/"
    yield Place(path, _not_own)
    if (glob := parse_glob(plain(source))) is not None:
        names = glob.names
        yield Place(
            normal(glob.root or ".").rstrip("/") or "/", lambda name: bool(names.match(name)) and _not_own(name)
        )
    elif _may_be_object(source, path):
        folder, _, name = path.rpartition("/")
        yield Place(folder or "/", name.__eq__)


def _listed(source: str) -> Iterator[Place]:
    try:
        pairs = [pair for part in list_parts(source) for pair in part.uris]
    except NothingFoundError:
        return
    for root in dict.fromkeys(root_of(uri, name) for uri, name in pairs):
        yield Place(root, _not_own)


def _may_be_object(source: str, path: str) -> bool:
    in_bucket = not scheme_of(path) or "/" in path.partition("://")[2]
    return in_bucket and not source.endswith("/")


def _not_own(name: str) -> bool:
    return not is_own(name)
