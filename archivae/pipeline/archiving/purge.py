"""Originals deleted for good: when their grace is over, and the archive, verified again in full, still holds them."""

from __future__ import annotations

import json
import math
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from archivae.errors import ArchivaeError
from archivae.pipeline.archiving.ledger import Removal, close_removals, open_removals
from archivae.pipeline.archiving.originals import has_arrived, reason_to_keep
from archivae.pipeline.archiving.places import bound, places_of
from archivae.pipeline.archiving.policy import Policy
from archivae.pipeline.archiving.verification import Claim, Finding, verify_all
from archivae.storage import ManifestRow
from archivae.storage.removal import Known, aside_since, delete_aside, lies_aside


@dataclass(frozen=True)
class Waiting:
    """An original that lies aside, with what the ledger says of it."""

    removal: Removal
    known: Known


@dataclass
class Due:
    """What a run may delete for good once it is verified. ``problems``: what else the ledger says that counts for nothing.
    ``others``: how many entries other policies made, by their files. ``left``: what keeps each run's entries open."""

    originals: list[Waiting] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)
    others: dict[str, int] = field(default_factory=lambda: defaultdict(int))
    left: dict[str, set[str]] = field(default_factory=lambda: defaultdict(set))


def due_for_purge(policy: Policy, name: str, now: float) -> Due:
    """What the policy of the file ``name`` may delete ``now``, in seconds since 1970: each original once, however often the
    ledger names it."""
    due, places = Due(), places_of(policy)
    waiting: dict[str, list[Waiting]] = defaultdict(list)
    for planned in open_removals(policy.destination):
        due.problems += planned.problems
        left = due.left[planned.run]
        left.update(planned.problems)
        for removal in planned.removals:
            if removal.policy != name:
                due.others[removal.policy] += 1
                left.add(removal.aside)
                continue
            try:
                known = bound(removal, policy, places)
                if lies_aside(known):
                    waiting[removal.aside].append(Waiting(removal, known))
                    left.add(removal.aside)
            except ArchivaeError as error:
                due.problems.append(f"{removal.aside} stays: {error}")
                left.add(removal.aside)
    for place, entries in waiting.items():
        try:
            if _end_of_grace(entries, policy) <= now:
                due.originals.append(entries[-1])
        except ArchivaeError as error:
            due.problems.append(f"{place} stays: {error}")
    return due


def verify_again(policy: Policy, originals: Sequence[Waiting], processes: int) -> Iterator[tuple[Waiting, str]]:
    """Why each original must stay although its grace is over; empty if it may be deleted."""
    claims = (Claim(_row_of(waiting.removal, policy), aside=waiting.known.aside) for waiting in originals)
    for waiting, finding in zip(originals, verify_all(policy, claims, processes), strict=True):
        yield waiting, _reason_to_stay(waiting.removal, finding, policy)


def delete_for_good(waiting: Waiting) -> str:
    """Delete what lies aside if it is still what was archived; why it stays otherwise."""
    try:
        delete_aside(waiting.known)
    except ArchivaeError as error:
        return str(error)
    return ""


def close_emptied(destination: str, due: Due, deleted: set[str]) -> None:
    """Close the runs of which nothing lies aside any more; ``deleted``: the places from which something was deleted."""
    for run, left in due.left.items():
        if left <= deleted:
            close_removals(destination, run, len(left))


def _end_of_grace(entries: Sequence[Waiting], policy: Policy) -> float:
    """The grace is that under which the original was set aside, or today's if it is longer. It counts from what the ledger
    says or from what the storage itself says, whichever is later."""
    began = max([aside_since(entries[0].known), *(entry.removal.planned for entry in entries)])
    return began + max([policy.grace, *(entry.removal.grace for entry in entries)])


def _row_of(removal: Removal, policy: Policy) -> ManifestRow:
    """What the manifest said when the original was set aside; that row may be gone, or be another version's by now."""
    return ManifestRow(
        source=removal.uri, name=removal.name, bytes=0, sha256=removal.sha256, fingerprint=removal.fingerprint,
        height=0, width=0, status="done", archive=removal.archive, operation="encode",
        psnr=math.inf if removal.psnr is None else removal.psnr,
        options=json.dumps({**policy.rate.asked(), **policy.reading.asked()}), run="", written=removal.planned,
    )  # fmt: skip


def _reason_to_stay(removal: Removal, finding: Finding, policy: Policy) -> str:
    reason = finding.reason if finding.result != "good" else reason_to_keep(finding.row, policy)
    if reason or not removal.moved_to:
        return reason
    try:
        return "" if has_arrived(removal) else f"{removal.moved_to} is not the original's copy any more"
    except ArchivaeError as error:
        return str(error)
