"""Small archives made without a model: their pictures are kept as their sources' own bytes."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping, Sequence

from archivae.bitstream import Bitstream, Coding, write_bitstream
from archivae.operations.archive_pack import pack_shard, publish_round
from archivae.operations.names import archive_name
from archivae.storage import StoredObject, join, scratch_of, write_object
from archivae.storage.archive_layout import members_folder
from archivae.storage.archive_plan import Round, write_plan
from archivae.storage.escaping import escape_name
from archivae.storage.objects import store_of
from tests.samples import photo_file

NAMES = ("a.png", "b/ä-ß.png", f"b/{'long' * 30}.png", "c.png", "c/d.png")


def avae(seed: int = 1, height: int = 8, width: int = 8) -> bytes:
    """The ``.avae`` file of a small picture, stored as it is."""
    data = photo_file(height, width, seed)
    return write_bitstream(Bitstream(height, width, 3, Coding.ORIGINAL, hashlib.sha256(data).digest(), payload=data))


def pictures(names: Sequence[str] = NAMES) -> dict[str, bytes]:
    return {name: avae(seed) for seed, name in enumerate(names)}


def listed(names: Sequence[str]) -> Iterator[StoredObject]:
    return (StoredObject(f"/source/{name}", name, 1000, "local:1000:1") for name in names)


def put_members(archive: str, shard: int, members: Mapping[str, bytes]) -> None:
    for name, data in members.items():
        uri = join(members_folder(archive, shard), archive_name(name))
        write_object(uri, data, scratch=scratch_of(archive))


def plan(archive: str, shards: Sequence[Sequence[str]], first: int = 0) -> Round:
    """Plan a round of shards of these names."""
    return write_plan(archive, (list(listed(names)) for names in shards), source="/source", options="{}", first=first)


def make_archive(archive: str, shards: Sequence[Mapping[str, bytes]], first: int = 0) -> None:
    """An archive of these pictures, by their sources' names, or further shards of one."""
    round = plan(archive, [sorted(members) for members in shards], first)
    for shard, members in zip(round.shards, shards, strict=True):
        put_members(archive, shard, members)
        pack_shard(archive, shard, map(escape_name, members))
    publish_round(archive, round)


def fingerprints(archive: str) -> dict[str, str]:
    """All that lies in an archive, scratch aside."""
    return {entry.name: entry.fingerprint for entry in store_of(archive).walk(archive) if "/tmp/" not in entry.name}
