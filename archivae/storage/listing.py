"""What a job takes in: a source named by the user becomes a sorted listing of objects."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from itertools import chain, groupby, islice

from archivae.errors import NothingFoundError, StorageError, UsageError
from archivae.storage.globs import Glob, parse_glob
from archivae.storage.names import common_folder, is_below, is_own, normal, plain, scheme_of
from archivae.storage.objects import stat_object, store_of
from archivae.storage.packs import is_pack, list_pack, stem
from archivae.storage.store import MISSING, StoredObject, why_unreadable
from archivae.storage.tfrecord import is_tfrecord
from archivae.storage.threads import map_in_order
from archivae.storage.uri_lists import is_uri_list, read_given_names, read_uri_list

_LISTED_TOGETHER = 512
"""Objects of a list that are looked up by one worker."""


@dataclass(frozen=True)
class Part:
    """What of a source one worker lists: ``objects`` as they are, members of ``packs``, or ``uris`` to be looked up.

    ``packs`` and ``uris`` go with names: of the folder that a pack's members come in, and of each object.
    """

    objects: tuple[StoredObject, ...] = ()
    packs: tuple[tuple[StoredObject, str], ...] = ()
    uris: tuple[tuple[str, str], ...] = ()


def list_part(part: Part) -> Iterator[StoredObject]:
    """The objects of a part, sorted by name."""
    members = (list_pack(pack, folder) for pack, folder in part.packs)
    named = map_in_order(lambda pair: _named(*pair), part.uris)
    found = chain(part.objects, chain.from_iterable(members), named)
    return (entry for entry in found if not is_own(entry.name))


def list_source(source: str, *, exclude: str | None = None) -> Iterator[StoredObject]:
    """The objects of a folder, a glob, a single object, a file that lists objects or packs of them, sorted by name.

    ``source``: a local path, ``file://`` or ``gs://``; what exists literally wins over its reading as a glob. Names
    are relative to the folder, to the part of a glob before its first wildcard, or to the longest folder that all
    listed objects share, unless the list names them itself. Objects that a list names but that do not exist come with
    size -1 and the fingerprint ``missing``. What lies in a folder called ``_archivae`` is left out, and so is what lies
    under ``exclude`` if that is strictly inside the source. A folder in it that can't be listed comes as an entry of size -1
    (`archivae.storage.store.why_unreadable`). Listing goes on while the iterator is drawn; only a list of
    objects is read at once, and the names in one pack.

    Packs are tar files, given by their names or by a glob that ends as theirs do, as lists are; of several each is a
    folder of its name. Those that merely lie in a folder are objects as any others.

    StorageError if nothing matches, UsageError for a list that is none.
    """
    found = chain.from_iterable(map(list_part, list_parts(source, exclude=exclude)))
    first = next(found, None)
    if first is None:
        raise _nothing_in(source)
    return chain([first], found)


def list_parts(source: str, *, exclude: str | None = None) -> Iterator[Part]:
    """`list_source` in parts that workers may list each for itself. StorageError if there is none."""
    skip = normal(exclude) if exclude else None
    for reading in (_as_object, _as_folder, _as_glob):
        parts = reading(source, skip)
        first = next(parts, None)
        if first is not None:
            return chain([first], parts)
    raise _nothing_in(source)


def _nothing_in(source: str) -> NothingFoundError:
    return NothingFoundError(
        f"expected objects under {source!r}, found none; check the name: "
        f"a folder, a file, a glob such as 'photos/**/*.jpg', a .txt, .lst, .csv or .parquet list of URIs, "
        f"a .tar, a .tfrecord"
    )


def _as_object(source: str, skip: str | None) -> Iterator[Part]:
    # A closing slash says folder, and normal() would take it off a local path.
    found = None if source.endswith("/") else stat_object(source)
    if found is None:
        return iter(())
    if is_uri_list(found.uri):
        return _listed([found.uri], skip)
    return iter([Part(packs=((found, ""),)) if is_pack(found.uri) else Part((found,))])


def _as_folder(source: str, skip: str | None) -> Iterator[Part]:
    return _together(store_of(source).walk(normal(source), skip=skip, unread=True))


def _as_glob(source: str, skip: str | None) -> Iterator[Part]:
    # Parsed before it is made absolute: brackets in the working directory's name are no wildcards.
    glob = parse_glob(plain(source))
    if glob is None:
        return iter(())
    store, root = store_of(glob.root), normal(glob.root or ".")
    found = store.walk(root, start=glob.start, depth=glob.depth, skip=skip, unread=True)
    matching = (entry for entry in found if _may_match(glob, entry) and not is_own(entry.name))
    if is_uri_list(source):
        return _listed([_readable(entry).uri for entry in matching], skip)
    return _packs(list(matching)) if is_pack(source) else _together(matching)


def _may_match(glob: Glob, entry: StoredObject) -> bool:
    """Whether a glob matches an entry, or may match what lies in one that can't be listed."""
    if glob.names.match(entry.name):
        return True
    deeper = glob.depth is None or entry.name.rstrip("/").count("/") + 1 < glob.depth
    return deeper and bool(why_unreadable(entry))


def _readable(entry: StoredObject) -> StoredObject:
    """StorageError where lists may lie that nobody can see: without them the source is another."""
    problem = why_unreadable(entry)
    if problem:
        raise StorageError(problem)
    return entry


def _packs(found: list[StoredObject]) -> Iterator[Part]:
    """As the names of their members sort, which begin with theirs and a slash."""
    yield from _together(entry for entry in found if why_unreadable(entry))
    packs = ((stem(entry.name), entry) for entry in found if not why_unreadable(entry))
    for name, pack in sorted(packs, key=_in_its_folder):
        yield Part(packs=((pack, name),))


def _in_its_folder(named: tuple[str, StoredObject]) -> str:
    return f"{named[0]}/"


def _together(found: Iterable[StoredObject]) -> Iterator[Part]:
    """Objects that need no further look, so many at a time; TFRecord files, which are looked through, one by one."""
    entries = (entry for entry in found if not is_own(entry.name))
    for alone, group in groupby(entries, key=lambda entry: is_tfrecord(entry.name)):
        while batch := tuple(islice(group, 1 if alone else _LISTED_TOGETHER)):
            yield Part(batch)


def _listed(lists: list[str], skip: str | None) -> Iterator[Part]:
    """The objects that lists name together, each once."""
    uris = sorted({uri for listing in lists for uri in read_uri_list(listing)})
    given = {uri: name for listing in lists for uri, name in read_given_names(listing).items()}
    if len({scheme_of(listed) for listed in uris}) > 1:
        raise UsageError(f"expected all objects in {lists} in one kind of storage, found several; split the list")
    if not uris:
        return
    root = common_folder(uris)
    names = {listed: given.get(listed) or listed[len(root) :] for listed in uris}
    if len({*names.values()}) < len(names):
        raise UsageError(
            f"expected names in {lists} that are given once, found some twice: no two objects may share one"
        )
    skipped = skip if skip and is_below(skip, root) else None
    wanted = sorted((name, uri) for uri, name in names.items() if not (skipped and is_below(uri, skipped)))
    for at in range(0, len(wanted), _LISTED_TOGETHER):
        yield Part(uris=tuple((uri, name) for name, uri in wanted[at : at + _LISTED_TOGETHER]))


def _named(uri: str, name: str) -> StoredObject:
    found = stat_object(uri)
    return StoredObject(uri, name, -1, MISSING) if found is None else replace(found, name=name)
