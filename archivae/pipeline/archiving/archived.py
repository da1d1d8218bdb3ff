"""How a policy's archive is written and read back: single ``.avae`` objects. Shards will come in here and nowhere else."""

from __future__ import annotations

from archivae.errors import UsageError
from archivae.pipeline.archiving.policy import Policy
from archivae.storage import read_object


def writing_options(policy: Policy) -> list[str]:
    """The words for encode that say how the archive is written. UsageError for what this release can't do."""
    if policy.shard_size is not None:
        raise UsageError("shard_size: archives in shards are not part of this release yet; leave the word out")
    return []


def read_archived(location: str) -> bytes:
    """The ``.avae`` bytes at a manifest row's ``archive``, from storage, checksums verified."""
    return read_object(location)
