"""What a job takes in: a source named by the user becomes a sorted listing of objects."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from itertools import chain

from archivae.errors import NothingFoundError, UsageError
from archivae.storage.globs import parse_glob
from archivae.storage.names import common_folder, is_below, is_own, normal, plain, scheme_of
from archivae.storage.objects import stat_object, store_of
from archivae.storage.store import MISSING, StoredObject
from archivae.storage.threads import map_in_order
from archivae.storage.uri_lists import is_uri_list, read_given_names, read_uri_list


def list_source(source: str, *, exclude: str | None = None) -> Iterator[StoredObject]:
    """The objects of a folder, a glob, a single object or a file that lists objects, sorted by name.

    ``source``: a local path, ``file://`` or ``gs://``; what exists literally wins over its reading as a glob. Names
    are relative to the folder, to the part of a glob before its first wildcard, or to the longest folder that all
    listed objects share, unless the list names them itself. Objects that a list names but that do not exist come with
    size -1 and the fingerprint ``missing``. What lies in a folder called ``_archivae`` is left out, and so is what lies
    under ``exclude`` if that is strictly inside the source. Listing goes on while the iterator is drawn; only a list of
    objects is read at once.

    StorageError if nothing matches, UsageError for a list that is none.
    """
    skip = normal(exclude) if exclude else None
    for reading in (_as_object, _as_folder, _as_glob):
        entries = (entry for entry in reading(source, skip) if not is_own(entry.name))
        first = next(entries, None)
        if first is not None:
            return chain([first], entries)
    raise NothingFoundError(
        f"expected objects under {source!r}, found none; check the name: "
        f"a folder, a file, a glob such as 'photos/**/*.jpg', or a .txt, .lst, .csv or .parquet list of URIs"
    )


def _as_object(source: str, skip: str | None) -> Iterator[StoredObject]:
    # A closing slash says folder, and normal() would take it off a local path.
    found = None if source.endswith("/") else stat_object(source)
    if found is None:
        return iter(())
    return _listed(found.uri, skip) if is_uri_list(found.uri) else iter([found])


def _as_folder(source: str, skip: str | None) -> Iterator[StoredObject]:
    return store_of(source).walk(normal(source), skip=skip)


def _as_glob(source: str, skip: str | None) -> Iterator[StoredObject]:
    # Parsed before it is made absolute: brackets in the working directory's name are no wildcards.
    glob = parse_glob(plain(source))
    if glob is None:
        return iter(())
    found = store_of(glob.root).walk(normal(glob.root or "."), start=glob.start, depth=glob.depth, skip=skip)
    return (entry for entry in found if glob.names.match(entry.name))


def _listed(uri: str, skip: str | None) -> Iterator[StoredObject]:
    uris = sorted(read_uri_list(uri))
    names = read_given_names(uri)
    if len({scheme_of(listed) for listed in uris}) > 1:
        raise UsageError(f"expected all objects in {uri!r} in one kind of storage, found several; split the list")
    if not uris:
        return iter(())
    root = common_folder(uris)
    skipped = skip if skip and is_below(skip, root) else None
    wanted = [listed for listed in uris if not (skipped and is_below(listed, skipped))]
    return map_in_order(lambda listed: _named(listed, names.get(listed) or listed[len(root) :]), wanted)


def _named(uri: str, name: str) -> StoredObject:
    found = stat_object(uri)
    return StoredObject(uri, name, -1, MISSING) if found is None else replace(found, name=name)
