"""What a run has to do: what is old enough and not archived yet, and what is archived and may go."""

from __future__ import annotations

import hashlib
import math
import posixpath
import re
from collections import Counter
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from archivae.errors import NothingFoundError
from archivae.operations.names import ARCHIVE_ENDING, archive_name
from archivae.pipeline.archiving.archived import list_archived
from archivae.pipeline.archiving.policy import Policy
from archivae.storage import ManifestRow, StoredObject, list_source, read_manifest
from archivae.storage.globs import translate
from archivae.storage.names import normal, scheme_of

Verdict = Literal["encode", "try again", "archived", "settled", "excluded", "too young"]


@dataclass(frozen=True)
class Candidate:
    """One object of a source: ``root`` is its source's folder, ``name`` its name in the archive, where that is known."""

    found: StoredObject
    root: str
    name: str
    row: ManifestRow | None = None


@dataclass(frozen=True)
class Selection:
    """``fresh``: to be encoded. ``archived``: done before, unchanged since, the original still there. ``aside``: counts
    of what is left alone, by reason."""

    fresh: tuple[Candidate, ...]
    archived: tuple[Candidate, ...]
    aside: Mapping[str, int]

    @property
    def size(self) -> int:
        """Bytes to be encoded."""
        return sum(candidate.found.size for candidate in self.fresh)


def full_name(uri: str) -> str:
    """The name under which an object is archived: all of its path, so that it depends on no other object or source.

    >>> full_name("gs://in/cats/1.jpg"), full_name("/data/cats/1.jpg")
    ('in/cats/1.jpg', 'data/cats/1.jpg')
    """
    return uri.partition("://")[2] if scheme_of(uri) else normal(uri).lstrip("/")


def version_name(name: str, fingerprint: str) -> str:
    """What other content of an archived name is called.

    >>> version_name("in/cats/1.jpg", "local:10:1")
    'in/cats/1~192d74f41dc3.jpg'
    """
    stem, ending = posixpath.splitext(name)
    return f"{stem}~{hashlib.sha256(fingerprint.encode()).hexdigest()[:12]}{ending}"


def select(policy: Policy, now: float) -> Selection:
    """List the sources and sort what they hold, by name. ``now``: seconds since 1970."""
    rows = read_manifest(policy.destination)
    outputs = {*list_archived(policy)}
    piles: dict[Verdict, list[Candidate]] = {"encode": [], "try again": [], "archived": []}
    aside: Counter[str] = Counter()
    for candidate in _candidates(policy, rows, outputs):
        verdict = _judge(candidate, policy, outputs, now)
        if verdict in piles:
            piles[verdict].append(candidate)
        else:
            aside[verdict] += 1
    # What failed before comes last, or enough of it would use up every run's budget.
    wanted = [*piles["encode"], *piles["try again"]]
    fresh = _within_budget(policy, wanted)
    if len(fresh) < len(wanted):
        aside["over budget"] = len(wanted) - len(fresh)
    return Selection(tuple(fresh), tuple(piles["archived"][: policy.max_objects]), aside)


def _candidates(policy: Policy, rows: Mapping[str, ManifestRow], outputs: Collection[str]) -> Iterator[Candidate]:
    """Every object once, though several sources may hold it."""
    seen: set[str] = set()
    for source in policy.sources:
        try:
            listed = list_source(source, exclude=policy.destination)
        except NothingFoundError:  # all of it may have been archived and moved
            continue
        for found in listed:
            if found.uri not in seen and not found.name.endswith(ARCHIVE_ENDING):
                seen.add(found.uri)
                row = rows.get(found.uri)
                root = found.uri.removesuffix(found.name)
                yield Candidate(found, root, _name(policy, found, row, outputs), row)


def _name(policy: Policy, found: StoredObject, row: ManifestRow | None, outputs: Collection[str]) -> str:
    """The name in the archive. What lies there under a name stays: it may be all that is left of an earlier original."""
    if row is not None and row.fingerprint == found.fingerprint:
        return row.name
    name = full_name(found.uri)
    # A single object without a row was left by a killed run, and encode gives it its row; shards are published after theirs.
    free = archive_name(name) not in outputs or (row is None and policy.shard_size is None)
    return name if free else version_name(name, found.fingerprint)


def _judge(candidate: Candidate, policy: Policy, outputs: Collection[str], now: float) -> Verdict:
    name, row = candidate.found.name, candidate.row
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
    return included and not any(_is_like(name, pattern) for pattern in policy.exclude)


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
