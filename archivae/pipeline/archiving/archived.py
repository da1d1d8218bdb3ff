"""How a policy's archive is written and read back: single ``.avae`` objects."""

from __future__ import annotations

from archivae.errors import UsageError
from archivae.pipeline.archiving.policy import Policy
from archivae.storage import read_object


def writing_options(policy: Policy) -> list[str]:
    """The words for encode that say how the archive is written. UsageError for what this release can't do."""
    if policy.shard_size is not None:
        raise UsageError(
            "shard_size: a policy keeps single objects in this release, for what is archived under a name may change: "
            "leave the word out, or make an archive of shards with archivae encode --archive"
        )
    return []


def read_archived(location: str) -> bytes:
    """The ``.avae`` bytes at a manifest row's ``archive``, from storage, checksums verified."""
    return read_object(location)
