"""What lies where in an archive of shards.

::

    archive/
      shard-00000.tar                  pictures, `a/b.jpg.avae` each, sorted by name
      _archivae/index.parquet          where each of them lies
      _archivae/rewrite.json           only while pictures are taken out, or that was killed: which, and of what shards
      _archivae/round/                 only while a job is under way, or was killed:
        plan.json, plan/00000.parquet    which objects go into which shard
        members/00000/a/b.jpg.avae       finished members of a shard that is not
        packed/00000.parquet             the index of a finished shard
"""

from __future__ import annotations

import re

from archivae.storage.names import join, normal, own_path
from archivae.storage.objects import stat_object, store_of
from archivae.storage.store import StoredObject

INDEX = "index.parquet"
ROUND = "round"
REWRITE = "rewrite.json"

_DIGITS = 5  # of the shards' numbers, which may have more
_SHARD = re.compile(r"shard-(\d{5,9})\.tar")


def shard_uri(archive: str, shard: int) -> str:
    return join(archive, f"shard-{shard:0{_DIGITS}}.tar")


def shard_number(name: str) -> int | None:
    """The number of the shard with this name or URI; None if it is no shard's."""
    found = _SHARD.fullmatch(name.rpartition("/")[2])
    return int(found[1]) if found else None


def index_uri(archive: str) -> str:
    return own_path(archive, INDEX)


def is_archive(uri: str) -> bool:
    """Whether a folder is an archive of shards. StorageError if that cannot be told."""
    return stat_object(index_uri(uri)) is not None


def list_shards(archive: str) -> dict[int, StoredObject]:
    """The shards that lie in an archive, by number."""
    entries = store_of(archive).walk(normal(archive), start="shard-", depth=1)
    numbered = ((shard_number(entry.name), entry) for entry in entries if "/" not in entry.name)
    return {number: entry for number, entry in numbered if number is not None}


def plan_uri(archive: str) -> str:
    return own_path(archive, f"{ROUND}/plan.json")


def shard_plan_uri(archive: str, shard: int) -> str:
    return own_path(archive, f"{ROUND}/plan/{shard:0{_DIGITS}}.parquet")


def packed_uri(archive: str, shard: int) -> str:
    return own_path(archive, f"{ROUND}/packed/{shard:0{_DIGITS}}.parquet")


def members_name(shard: int) -> str:
    """The folder of a shard's finished members, under ``_archivae/``."""
    return f"{ROUND}/members/{shard:0{_DIGITS}}"


def members_folder(archive: str, shard: int) -> str:
    return own_path(archive, members_name(shard))
