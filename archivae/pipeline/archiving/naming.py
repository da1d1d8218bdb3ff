"""The names that originals have in the archive. What lies there under a name stays: it may be all that is left of an
earlier original."""

from __future__ import annotations

import hashlib
import posixpath
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from itertools import count

from archivae.operations.names import archive_name
from archivae.storage import ManifestRow, StoredObject
from archivae.storage.names import normal, scheme_of


def full_name(uri: str) -> str:
    """The name under which an object is archived: all of its path, so that it depends on no other object or source.

    >>> full_name("gs://in/cats/1.jpg"), full_name("/data/cats/1.jpg")
    ('in/cats/1.jpg', 'data/cats/1.jpg')
    """
    return uri.partition("://")[2] if scheme_of(uri) else normal(uri).lstrip("/")


def version_name(name: str, fingerprint: str, number: int = 1) -> str:
    """What other content of an archived name is called; ``number`` it where that name, too, is another's.

    >>> version_name("in/cats/1.jpg", "local:10:1"), version_name("in/cats/1.jpg", "local:10:1", 2)
    ('in/cats/1~192d74f41dc3.jpg', 'in/cats/1~192d74f41dc3~2.jpg')
    """
    stem, ending = posixpath.splitext(name)
    digest = hashlib.sha256(fingerprint.encode()).hexdigest()[:12]
    return f"{stem}~{digest}{f'~{number}' if number > 1 else ''}{ending}"


@dataclass(frozen=True)
class Taken:
    """The names that an archive has. ``outputs``: of its ``.avae`` files. ``sources``: by name, whose content has been
    kept under it. ``adopts``: whether a file that no row speaks of may be an unfinished run's, to be given its row."""

    outputs: Collection[str]
    sources: Mapping[str, Collection[str]]
    adopts: bool

    def is_free(self, name: str, uri: str, failed_as: str = "") -> bool:
        """Whether the object ``uri`` may be archived as ``name``, for anything that the archive has.

        ``failed_as``: what it was called when it failed. Under a name that something else has it would fail again.
        """
        owners = self.sources.get(name, ())
        if archive_name(name) in self.outputs:
            return self.adopts and not owners and name != failed_as
        return all(owner == uri for owner in owners)


def names_for(found: Iterable[tuple[StoredObject, ManifestRow | None]], taken: Taken) -> dict[str, str]:
    """A name for each object, by its URI, with its newest row in the manifest; no two have one name.

    An object keeps the name that it has; then comes who has a name for being at that path; then other versions.
    """
    names: dict[str, str] = {}
    given: set[str] = set()
    fresh: list[StoredObject] = []
    failed: dict[str, str] = {}
    for entry, row in found:
        if row and row.status != "failed" and row.fingerprint == entry.fingerprint and row.name not in given:
            names[entry.uri] = row.name
            given.add(row.name)
        else:
            fresh.append(entry)
            failed[entry.uri] = row.name if row and row.status == "failed" else ""
    for wanted in (_own_name, _versions):
        for entry in fresh:
            untaken = (name for name in wanted(entry) if name not in given)
            free = (name for name in untaken if taken.is_free(name, entry.uri, failed[entry.uri]))
            if entry.uri not in names and (name := next(free, None)) is not None:
                names[entry.uri] = name
                given.add(name)
    return names


def _own_name(entry: StoredObject) -> Iterator[str]:
    yield full_name(entry.uri)


def _versions(entry: StoredObject) -> Iterator[str]:
    return (version_name(full_name(entry.uri), entry.fingerprint, number) for number in count(1))
