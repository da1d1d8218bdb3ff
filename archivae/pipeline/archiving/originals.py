"""What becomes of originals: set aside once their pictures are verified, deleted for good when the grace is over."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence

from archivae.bitstream import read_bitstream
from archivae.errors import ArchivaeError, ChangedError, StorageError, VerificationError
from archivae.pipeline.archiving.archived import Archived
from archivae.pipeline.archiving.ledger import Removal, close_removals, open_removals
from archivae.pipeline.archiving.policy import Policy
from archivae.pipeline.archiving.selection import Candidate
from archivae.storage import (
    ManifestRow,
    generation_of,
    own_path,
    read_object,
    scratch_of,
    stat_object,
    write_object,
)
from archivae.storage.escaping import escape_name
from archivae.storage.names import own_uri
from archivae.storage.removal import Known, delete_aside, is_aside, set_aside


def reason_to_keep(row: ManifestRow, policy: Policy) -> str:
    """Why the original of a verified row stays; empty if it may go."""
    if row.notes:
        return "something of it could not be archived (see its notes)"
    if row.coding == "learned" and not policy.accept_loss:
        return "stored with loss"
    return ""


def planned_removal(candidate: Candidate, row: ManifestRow, policy: Policy, now: float) -> Removal:
    """Where the original will go. UnsafeNameError for a name that no storage would keep as it is.

    The place depends on the content, not on the run: where deleting is not allowed, no run leaves another copy.
    """
    name = candidate.found.uri.removeprefix(candidate.root)
    return Removal(
        uri=candidate.found.uri,
        fingerprint=row.fingerprint,
        sha256=row.sha256,
        aside=own_path(candidate.root, f"quarantine/{row.sha256[:16]}/{escape_name(name)}"),
        archive=row.archive,
        name=row.name,
        moved_to=own_uri(policy.move_to, candidate.name) if policy.move_to else "",
        planned=now,
    )


def take_away(removal: Removal, scratch: str) -> None:
    """Copy the original to where it shall be moved, if anywhere, then set it aside. ChangedError leaves it untouched."""
    if removal.moved_to:
        _copy(removal, scratch)
    set_aside(_known(removal), removal.aside)


def purge(destination: str, grace: float, now: float) -> Iterator[tuple[Removal, str]]:
    """Delete for good what was set aside at least ``grace`` seconds ago and is in the archive: (removal, problem).

    ``problem`` is empty for what was deleted; otherwise it stays aside, and the next run tries again.
    """
    opened, archived = open_removals(destination), Archived(destination)
    waiting = {r.aside for removals in opened.values() for r in removals if r.planned + grace > now}
    for run, removals in opened.items():
        if any(removal.planned + grace > now for removal in removals):
            continue
        outcomes = list(_purge_run([removal for removal in removals if removal.aside not in waiting], archived))
        yield from outcomes
        if not any(problem for _, problem in outcomes):
            close_removals(destination, run, len(outcomes))


def _purge_run(removals: Sequence[Removal], archived: Archived) -> Iterator[tuple[Removal, str]]:
    for removal in removals:
        try:
            if is_aside(_known(removal), removal.aside):
                _check_kept(removal, archived)
                delete_aside(_known(removal), removal.aside)
                yield removal, ""
        except ArchivaeError as error:
            yield removal, f"{removal.aside} stays: {error}"


def _check_kept(removal: Removal, archived: Archived) -> None:
    """The archive, whole and of this file; and the moved copy, byte for byte."""
    stream = read_bitstream(archived.read(removal.archive, removal.name))
    if stream.source_sha256.hex() != removal.sha256:
        raise VerificationError(f"{removal.archive} was made of another file")
    if removal.moved_to and hashlib.sha256(read_object(removal.moved_to)).hexdigest() != removal.sha256:
        raise ChangedError(f"{removal.moved_to} is not the original's copy any more")


def _copy(removal: Removal, scratch: str) -> None:
    """The original at ``moved_to``, read back and compared; what lies there already must be the same."""
    if stat_object(removal.moved_to) is None:
        data = read_object(removal.uri, generation=generation_of(removal.fingerprint))
        if hashlib.sha256(data).hexdigest() != removal.sha256:
            raise ChangedError(f"{removal.uri} holds other bytes than were archived")
        write_object(removal.moved_to, data, scratch=scratch)
    if hashlib.sha256(read_object(removal.moved_to)).hexdigest() != removal.sha256:
        raise StorageError(f"{removal.moved_to} holds something else than {removal.uri}: the original stays")


def scratch_for(policy: Policy) -> str:
    """Where unfinished copies of moved originals lie."""
    return scratch_of(policy.move_to) if policy.move_to else ""


def _known(removal: Removal) -> Known:
    return Known(removal.uri, removal.fingerprint, removal.sha256)
