"""What a run has to do: what is old enough and not archived yet, and what is archived and may go."""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from archivae.errors import NothingFoundError
from archivae.operations.names import ARCHIVE_ENDING, archive_name
from archivae.pipeline.archiving.archived import list_archived
from archivae.pipeline.archiving.naming import Taken, names_for
from archivae.pipeline.archiving.places import root_of
from archivae.pipeline.archiving.policy import Policy
from archivae.storage import ManifestRow, StoredObject, list_source
from archivae.storage.globs import translate
from archivae.storage.links import Links
from archivae.storage.manifest import keep_newest, read_rows
from archivae.storage.store import why_unreadable

Verdict = Literal[
    "encode", "try again", "archived", "settled", "excluded", "unreadable", "too young", "behind a linked folder"
]


@dataclass(frozen=True)
class Candidate:
    """One object of a source: ``root`` is its source's folder, without a closing slash; ``name`` its name in the archive;
    ``linked``: a folder between the two is a link."""

    found: StoredObject
    root: str
    name: str
    row: ManifestRow | None = None
    linked: bool = False


@dataclass(frozen=True)
class Selection:
    """``fresh``: to be encoded. ``archived``: done before, unchanged since, the original still there. ``aside``: counts
    of what is left alone, by reason. ``problems``: what could not be listed, and why."""

    fresh: tuple[Candidate, ...]
    archived: tuple[Candidate, ...]
    aside: Mapping[str, int]
    problems: tuple[str, ...] = ()

    @property
    def size(self) -> int:
        """Bytes to be encoded."""
        return sum(candidate.found.size for candidate in self.fresh)


def select(policy: Policy, now: float) -> Selection:
    """List the sources and sort what they hold, by name. ``now``: seconds since 1970."""
    rows: dict[str, ManifestRow] = {}
    sources: dict[str, set[str]] = {}
    for row in read_rows(policy.destination):
        keep_newest(rows, [row])
        if row.status == "done":
            sources.setdefault(row.name, set()).add(row.source)
    # A single object without a row was left by a killed run, and encode gives it its row; shards are published after theirs.
    taken = Taken({*list_archived(policy)}, sources, adopts=policy.shard_size is None)
    piles: dict[Verdict, list[Candidate]] = {"encode": [], "try again": [], "archived": []}
    aside: Counter[str] = Counter()
    problems: list[str] = []
    for candidate in _candidates(policy, rows, taken):
        verdict = _judge(candidate, policy, taken.outputs, now)
        if verdict in piles:
            piles[verdict].append(candidate)
        elif verdict == "unreadable":
            problems.append(why_unreadable(candidate.found))
        else:
            aside[verdict] += 1
    # What failed before comes last, or enough of it would use up every run's budget.
    wanted = [*piles["encode"], *piles["try again"]]
    fresh = _within_budget(policy, wanted)
    if len(fresh) < len(wanted):
        aside["over budget"] = len(wanted) - len(fresh)
    return Selection(tuple(fresh), tuple(piles["archived"][: policy.max_objects]), aside, tuple(problems))


def _candidates(policy: Policy, rows: Mapping[str, ManifestRow], taken: Taken) -> Iterator[Candidate]:
    """Every object, with the name that it has or shall have."""
    listed = _listed(policy)
    names = names_for(((entry.found, rows.get(uri)) for uri, entry in listed.items()), taken)
    for uri, entry in listed.items():
        yield Candidate(entry.found, entry.root, names[uri], rows.get(uri), entry.linked)


@dataclass(frozen=True)
class _Listed:
    found: StoredObject
    root: str
    linked: bool


def _listed(policy: Policy) -> dict[str, _Listed]:
    """Every object once, by its URI, though several sources may hold it: from one that leads to it without a link."""
    listed: dict[str, _Listed] = {}
    for source in policy.sources:
        links = Links()
        try:
            objects = list_source(source, exclude=policy.destination)
        except NothingFoundError:  # all of it may have been archived and moved
            continue
        for found in objects:
            root = root_of(found.uri, found.name)
            entry = _Listed(found, root, links.lead_to(found.uri, root))
            known = listed.get(found.uri)
            if not found.name.endswith(ARCHIVE_ENDING) and (known is None or (known.linked and not entry.linked)):
                listed[found.uri] = entry
    return listed


def _judge(candidate: Candidate, policy: Policy, outputs: Collection[str], now: float) -> Verdict:
    name, row = candidate.found.name, candidate.row
    if candidate.linked:
        return "behind a linked folder"
    if why_unreadable(candidate.found) and not _is_excluded(name, policy):  # whatever it may hold
        return "unreadable"
    if not _matches(name, policy):
        return "excluded"
    # What has no date, or is not there, is never old enough.
    if candidate.found.size < 0 or not candidate.found.written or now - candidate.found.written < policy.older_than:
        return "too young"
    if row is None or row.fingerprint != candidate.found.fingerprint:
        return "encode"
    if row.status == "not-a-picture":
        return "settled"
    if row.status == "failed":
        return "try again"
    return "archived" if archive_name(row.name) in outputs else "encode"


def _matches(name: str, policy: Policy) -> bool:
    included = not policy.include or any(_is_like(name, pattern) for pattern in policy.include)
    return included and not _is_excluded(name, policy)


def _is_excluded(name: str, policy: Policy) -> bool:
    return any(_is_like(name, pattern) for pattern in policy.exclude)


def _is_like(name: str, pattern: str) -> bool:
    return re.match(translate(pattern), name) is not None


def _within_budget(policy: Policy, wanted: Sequence[Candidate]) -> list[Candidate]:
    """As many as a run may have, in order; one that is too large for what is left lets smaller ones pass."""
    chosen: list[Candidate] = []
    left = math.inf if policy.max_bytes is None else policy.max_bytes
    for candidate in wanted:
        if policy.max_objects is not None and len(chosen) >= policy.max_objects:
            break
        if candidate.found.size <= left:
            chosen.append(candidate)
            left -= candidate.found.size
    return chosen
