"""How a policy's archive is written and read back: single ``.avae`` objects, or tar shards with an index."""

from __future__ import annotations

from collections.abc import Iterator

from archivae.errors import DestinationError, StorageError
from archivae.operations.archive_verify import read_member
from archivae.operations.names import archive_name, member_name, target_uri
from archivae.pipeline.archiving.ledger import is_list_of_ours
from archivae.pipeline.archiving.policy import Policy
from archivae.storage import read_object
from archivae.storage.archive_index import ArchiveIndex
from archivae.storage.archive_layout import index_uri, is_archive, shard_number
from archivae.storage.archive_plan import Round, pending_round
from archivae.storage.escaping import escape_name
from archivae.transforms.plan import list_outputs


def writing_options(policy: Policy) -> list[str]:
    """The words for encode that say how the archive is written, as it is now.

    DestinationError where a policy for single objects meets shards.
    """
    started = is_archive(policy.destination)
    if policy.shard_size is not None:
        return ["--append" if started else "--archive", f"--shard_size={policy.shard_size}"]
    if started or pending_round(policy.destination) is not None:
        raise DestinationError(
            f"{policy.destination} is an archive of shards: give the policy a shard_size, or another destination"
        )
    return []


def unfinished(policy: Policy) -> Round | None:
    """The shards that a killed run of a policy left unmade; None if there are none, or they are another command's."""
    pending = pending_round(policy.destination) if policy.shard_size is not None else None
    return pending if pending is not None and is_list_of_ours(policy.destination, pending.source) else None


def list_archived(policy: Policy) -> Iterator[str]:
    """The names of all ``.avae`` files that can be read back."""
    if policy.shard_size is None:
        return list_outputs(policy.destination)
    if not is_archive(policy.destination):
        return iter(())
    return (member_name(row.name) for row in ArchiveIndex(index_uri(policy.destination)).rows())


class Archived:
    """Reads single ``.avae`` files of a policy's archive; its index, if it has one, is opened once."""

    def __init__(self, destination: str) -> None:
        self._destination = destination
        self._index: ArchiveIndex | None = None

    def read(self, archive: str, name: str) -> bytes:
        """The bytes that a manifest row's ``archive`` and ``name`` speak of, from storage, checksums verified.

        StorageError for what is missing or damaged: of a shard's picture also where the index or the tar around it is.
        For what lies outside this archive, too: what is kept elsewhere is not archived.
        """
        if shard_number(archive) is None:
            place = target_uri(self._destination, archive_name(name))
            if archive != place:
                raise StorageError(f"the manifest says that {name!r} is kept as {archive!r}, expected {place!r}")
            return read_object(place)
        if self._index is None:
            self._index = ArchiveIndex(index_uri(self._destination))
        row = self._index.find(escape_name(name))
        if row is None:
            raise StorageError(f"the index of {self._destination!r} has no {name!r}: archivae reindex")
        data, problems = read_member(self._destination, row)
        if problems:
            raise StorageError(f"{archive!r}, {name!r}: {'; '.join(problems)}")
        return data
