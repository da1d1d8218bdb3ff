"""What is being taken out of an archive, written down before anything is: whoever comes after a kill goes on with it."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from typing import Any

from archivae.errors import StorageError
from archivae.storage.archive_index import IndexRow, checked_row
from archivae.storage.archive_layout import REWRITE
from archivae.storage.fence import Fence, write_fenced
from archivae.storage.names import own_path
from archivae.storage.objects import delete_if, read_object, stat_object
from archivae.untrusted import load_json, shown

_LARGEST = 1 << 30
_MOST_SHARDS = 10**9  # by the digits that a shard's number may have


@dataclass(frozen=True)
class Taken:
    """A picture that leaves its shard. ``row``: as the index had it. ``renamed``: its name from then on; empty: it goes."""

    row: IndexRow
    renamed: str = ""


@dataclass(frozen=True)
class Rewrite:
    """``taken`` leave their shards, which are written anew under numbers from ``first`` on.

    ``erased``: names, as they are archived, of which nothing stays in index, files or manifest. Without them, a picture is
    taken once the index has a newer one of its name.
    """

    first: int
    taken: tuple[Taken, ...] = ()
    erased: tuple[str, ...] = ()


def write_rewrite(fence: Fence, rewrite: Rewrite) -> None:
    """Write down what is to be taken out, in place of an earlier such."""
    write_fenced(fence, _uri(fence.destination), json.dumps(_plain(rewrite), sort_keys=True).encode("ascii"))


def read_rewrite(archive: str) -> tuple[Rewrite, str] | None:
    """What is to be taken out, and the fingerprint of where it says so; None if nothing is. StorageError if it is damaged."""
    uri = _uri(archive)
    found = stat_object(uri)
    if found is None:
        return None
    try:
        content = load_json(read_object(uri, limit=_LARGEST), largest=_LARGEST)
        taken = tuple(Taken(_row(each["row"]), _text(each["renamed"])) for each in content["taken"])
        first, erased = content["first"], content["erased"]
        if type(first) is not int or not 0 <= first < _MOST_SHARDS or not isinstance(erased, list):
            raise TypeError("a shard's number or names that no archive has")
        return Rewrite(first, taken, tuple(map(_text, erased))), found.fingerprint
    except (KeyError, TypeError, ValueError) as error:
        raise StorageError(
            f"expected {uri!r} to say what is being taken out of the archive, found something else or a damaged file "
            f"({shown(error)}); delete it, and give archivae rm its names again"
        ) from error


def end_rewrite(archive: str, fingerprint: str) -> None:
    """Nothing is to be taken out any more, if nobody wrote down more since."""
    delete_if(_uri(archive), fingerprint)


def _uri(archive: str) -> str:
    return own_path(archive, REWRITE)


def _plain(rewrite: Rewrite) -> dict[str, Any]:
    taken = [{"row": {**asdict(t.row), "sha256": t.row.sha256.hex()}, "renamed": t.renamed} for t in rewrite.taken]
    return {"first": rewrite.first, "taken": taken, "erased": list(rewrite.erased)}


def _row(content: dict[str, Any]) -> IndexRow:
    return checked_row(IndexRow(**{**content, "sha256": bytes.fromhex(content["sha256"])}))


def _text(value: Any) -> str:
    """TypeError for what is none; ValueError for one that is no Unicode: no name is archived so."""
    if not isinstance(value, str):
        raise TypeError("a name that is no text")
    value.encode()
    return value
