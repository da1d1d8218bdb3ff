"""Originals brought back from where a policy has set them aside. It takes neither the archive nor the ledger: what lies
aside says itself what it was called."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass

from archivae.errors import ArchivaeError, UsageError
from archivae.pipeline.archiving.naming import full_name
from archivae.pipeline.archiving.places import Place, places_of, roots_of
from archivae.pipeline.archiving.policy import Policy
from archivae.storage import read_object
from archivae.storage.names import normal
from archivae.storage.removal import Known, aside_since, list_aside, place_aside, put_back


@dataclass(frozen=True)
class Aside:
    """An original that lies aside: ``name`` in its source's folder ``root``, ``digest`` the start of its SHA-256."""

    root: str
    name: str
    digest: str

    @property
    def uri(self) -> str:
        """Where it belongs."""
        return f"{self.root.rstrip('/')}/{self.name}"

    @property
    def place(self) -> str:
        """Where it lies."""
        return place_aside(self.root, self.digest, self.name)

    @property
    def since(self) -> float:
        """When it came to lie there, in seconds since 1970."""
        return aside_since(Known(self.uri, "", "", self.root, self.place))


def originals_aside(policy: Policy, names: Sequence[str] = ()) -> list[Aside]:
    """What of a policy's originals lies aside, by name, the newest of one name first; with ``names`` these alone.

    A name is an original's path or URI, its name in its source, or the one that it has in the archive. UsageError for one
    under which nothing lies aside.
    """
    places = places_of(policy)
    found = [Aside(root, name, digest) for root in roots_of(policy) for digest, name in list_aside(root)]
    ours = [aside for aside in found if _is_of(aside, places)]
    chosen = [aside for aside in ours if not names or any(_is_called(aside, name) for name in names)]
    for name in names:
        if not any(_is_called(aside, name) for aside in chosen):
            raise UsageError(f"nothing called {name!r} lies aside: {len(ours):,} originals of this policy do")
    return sorted(chosen, key=lambda aside: (aside.uri, -aside.since))


def bring_back(aside: Aside) -> str:
    """Put an original back under its name; why it stays aside otherwise."""
    try:
        digest = hashlib.sha256(read_object(aside.place)).hexdigest()
        if not digest.startswith(aside.digest):
            return f"{aside.place} stays: it holds other bytes than were set aside"
        put_back(Known(aside.uri, "", digest, aside.root, aside.place))
    except ArchivaeError as error:
        return str(error)
    return ""


def _is_of(aside: Aside, places: Sequence[Place]) -> bool:
    return any(place.root == aside.root and place.holds(aside.name) for place in places)


def _is_called(aside: Aside, name: str) -> bool:
    return name in (aside.name, full_name(aside.uri)) or normal(name) == aside.uri
