"""What becomes of originals: moved, if so wished, and set aside once their pictures are verified."""

from __future__ import annotations

import hashlib
import math

from archivae.errors import ChangedError, StorageError
from archivae.pipeline.archiving.audience import audience_of, limited_to
from archivae.pipeline.archiving.ledger import Removal
from archivae.pipeline.archiving.places import name_in
from archivae.pipeline.archiving.policy import Policy
from archivae.pipeline.archiving.selection import Candidate
from archivae.storage import (
    ManifestRow,
    generation_of,
    read_object,
    scratch_of,
    stat_object,
    write_object,
)
from archivae.storage.names import own_uri
from archivae.storage.removal import Known, place_aside, set_aside


def reason_to_keep(row: ManifestRow, policy: Policy) -> str:
    """Why the original of a verified row stays; empty if it may go."""
    if row.lost:
        return f"the archive lacks some of it: {', '.join(row.lost)}"
    if row.coding == "learned" and not policy.accept_loss:
        return "stored with loss"
    return ""


def planned_removal(candidate: Candidate, row: ManifestRow, policy: Policy, name: str, now: float) -> Removal:
    """Where the original will go. ``name``: the policy's, as it stands in the ledger. UnsafeNameError for a name that could
    lead elsewhere."""
    return Removal(
        uri=candidate.found.uri,
        fingerprint=row.fingerprint,
        sha256=row.sha256,
        aside=place_aside(candidate.root, row.sha256, name_in(candidate.root, candidate.found.uri)),
        archive=row.archive,
        name=row.name,
        psnr=row.psnr if math.isfinite(row.psnr) else None,
        moved_to=own_uri(policy.move_to, row.name) if policy.move_to else "",
        planned=now,
        policy=name,
        grace=policy.grace,
    )


def take_away(removal: Removal, known: Known, policy: Policy) -> None:
    """Copy the original to where it shall be moved, if anywhere, then set it aside. ChangedError leaves it untouched."""
    if removal.moved_to:
        _copy(removal, scratch_of(policy.move_to))
    set_aside(known)


def has_arrived(removal: Removal) -> bool:
    """Whether the original's bytes lie where it was moved."""
    return hashlib.sha256(read_object(removal.moved_to)).hexdigest() == removal.sha256


def _copy(removal: Removal, scratch: str) -> None:
    """The original at ``moved_to``, read back and compared; what lies there already must be the same."""
    if stat_object(removal.moved_to) is None:
        data = read_object(removal.uri, generation=generation_of(removal.fingerprint))
        if hashlib.sha256(data).hexdigest() != removal.sha256:
            raise ChangedError(f"{removal.uri} holds other bytes than were archived")
        with limited_to(audience_of(removal.uri)):
            write_object(removal.moved_to, data, scratch=scratch)
    if not has_arrived(removal):
        raise StorageError(f"{removal.moved_to} holds something else than {removal.uri}: the original stays")
