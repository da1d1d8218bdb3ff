"""How a destination lies to a source, however the two are spelled: a job must not write into what it reads."""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import PurePath
from typing import Literal

from archivae.storage.globs import Glob, parse_glob
from archivae.storage.listing import list_parts
from archivae.storage.names import is_below, normal, plain, scheme_of
from archivae.storage.objects import stat_object
from archivae.storage.uri_lists import is_uri_list

Overlap = Literal["is", "holds", "lies in", ""]


def overlap(source: str, destination: str) -> Overlap:
    """Whether a destination is, holds or lies in a source, as `list_source` takes it; empty where they are apart.

    Of a list the objects count that it names; of a glob, what it may match.
    """
    found = None if source.endswith("/") else stat_object(source)
    glob = parse_glob(plain(source))
    if (found or glob) and is_uri_list(plain(source)):
        return _holds_one(destination, (uri for part in list_parts(source) for uri, _ in part.uris))
    if found is not None:
        return relation(destination, found.uri)
    return (_overlap_of_glob(glob, destination) if glob else "") or relation(destination, normal(source))


def relation(place: str, other: str) -> Overlap:
    """The same of a folder and one folder or object: links, ``..``, closing slashes and the case of letters aside, where
    the file system takes no notice of it.

    >>> [relation("gs://b/a/", other) for other in ("gs://b/a", "gs://b/a/c", "gs://b", "gs://b/ab")]
    ['is', 'holds', 'lies in', '']
    """
    # A link is in the folder that has its name, and in the one that it leads into.
    others = {_resolved(other), _resolved_above(other)}
    here = _resolved(place)
    if here in others or any(_same(here, there) for there in others):
        return "is"
    if any(_is_in(there, here) for there in others):
        return "holds"
    return "lies in" if any(_is_in(here, there) for there in others) else ""


def _holds_one(destination: str, uris: Iterable[str]) -> Overlap:
    folders = {uri.rpartition("/")[0] or "/" for uri in uris}
    return "holds" if any(relation(destination, folder) in ("is", "holds") for folder in folders) else ""


def _overlap_of_glob(glob: Glob, destination: str) -> Overlap:
    root = normal(glob.root or ".")
    found = relation(destination, root)
    if found != "lies in":
        return found
    below = f"{_resolved(destination)[len(_resolved(root).rstrip('/')) + 1 :]}/"
    too_deep = glob.depth is not None and below.count("/") >= glob.depth
    elsewhere = not (below.startswith(glob.start) or glob.start.startswith(below))
    return "" if too_deep or elsewhere else "lies in"


def _resolved(place: str) -> str:
    """One spelling: of a local path without links, of a URI with a small scheme and no slash at its end."""
    path = normal(place)
    if not (scheme := scheme_of(path)):
        return _real(path)
    return f"{scheme}://{path.partition('://')[2].rstrip('/')}"


def _resolved_above(place: str) -> str:
    """The same, but the last part of a local path as it is."""
    path = normal(place)
    return _resolved(path) if scheme_of(path) else os.path.join(_real(os.path.dirname(path)), os.path.basename(path))


def _real(path: str) -> str:
    try:
        return os.path.realpath(path)
    except ValueError:  # a name with a NUL, which no file has
        return path


def _is_in(inner: str, outer: str) -> bool:
    """Whether a resolved place lies strictly inside another."""
    if is_below(inner, outer):
        return True
    return not scheme_of(inner) and any(_same(str(above), outer) for above in PurePath(inner).parents)


def _same(one: str, other: str) -> bool:
    """Whether two local paths are one folder, as where file systems take no notice of case, or one is mounted twice."""
    if scheme_of(one) or scheme_of(other):
        return False
    try:
        return os.path.samefile(one, other)
    except (OSError, ValueError):
        return False
