"""One run of a policy: purge, select, encode, verify, take away; each stage in the ledger before the next begins."""

from __future__ import annotations

import math
import time
import uuid
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timezone

from archivae.errors import ArchivaeError, ChangedError, JobError, UsageError
from archivae.operations.archive_assign import expected_bytes
from archivae.pipeline.archiving.archived import unfinished, writing_options
from archivae.pipeline.archiving.audience import audience_of, common_audience, limited_to
from archivae.pipeline.archiving.ledger import Removal, Run, Stay, record, record_removals, record_stays, uri_of
from archivae.pipeline.archiving.originals import planned_removal, reason_to_keep, take_away
from archivae.pipeline.archiving.places import Place, bound, places_of, remove_empty_folders, roots_of
from archivae.pipeline.archiving.policy import Policy
from archivae.pipeline.archiving.purge import close_emptied, delete_for_good, due_for_purge, verify_again
from archivae.pipeline.archiving.selection import Candidate, Selection, select
from archivae.pipeline.archiving.verification import Claim, Finding, verify_all
from archivae.pipeline.run import LOCAL_RUNNERS
from archivae.pipeline.run import run as run_job
from archivae.pipeline.summary import Summary
from archivae.storage import ManifestRow, read_manifest, scratch_of
from archivae.storage.names import normal
from archivae.storage.uri_lists import read_uri_list, write_uri_list

PORTION = 1000
"""Objects of one job on this machine; between two jobs the clock is looked at. Elsewhere one job does all."""

OTHERWISE = "archived otherwise than the policy says"


@dataclass(frozen=True)
class Means:
    """What a run may use: the time from which on nothing new is begun, in seconds since 1970 as ``now`` gives it, and the
    processes that verify."""

    now: Callable[[], float]
    deadline: float
    processes: int

    @property
    def is_over(self) -> bool:
        return self.now() >= self.deadline


def archive(
    policy: Policy,
    name: str,
    words: Sequence[str] = (),
    now: Callable[[], float] = time.time,
    processes: int = 1,
) -> Run:
    """Run ``policy`` once; ``name`` is its file's, for the ledger; ``words`` are further pipeline options; so many
    ``processes`` verify.

    Idempotent: what is done stays done, and what an interrupted run left is taken up. Raises an ArchivaeError where
    nothing could be begun; whatever goes wrong with single objects is in the returned run.
    """
    writing_options(policy)  # before anything is touched
    _check_words(words)
    began = now()
    deadline = began + policy.max_hours * 3600 if policy.max_hours else math.inf
    means = Means(now, deadline, processes)
    run = Run(new_id(began), normal(name), began)
    with limited_to(common_audience(roots_of(policy))):
        return _run(run, policy, words, means)


def _run(run: Run, policy: Policy, words: Sequence[str], means: Means) -> Run:
    record(policy.destination, run)
    try:
        run = _take_up(run, policy, words, means)
        selection = select(policy, run.began)
        for problem in selection.problems:
            run = run.with_problem(problem)
        run = _encode(run, policy, selection, words, means)
        if policy.removes:
            run = _verify_and_remove(run, policy, [*selection.fresh, *selection.archived], means)
            run = _purge(run, policy, means)
            remove_empty_folders(policy)
    except BaseException:
        record(policy.destination, replace(run, stage="failed", ended=means.now()))
        raise
    run = replace(run, stage="finished", ended=means.now())
    record(policy.destination, run)
    return run


def new_id(began: float) -> str:
    """A name for a run that sorts by time."""
    return f"{datetime.fromtimestamp(began, timezone.utc):%Y%m%dT%H%M%SZ}-{uuid.uuid4().hex[:8]}"


def job_words(policy: Policy, source: str) -> list[str]:
    """The pipeline options of encoding ``source`` as ``policy`` says."""
    rate = [f"--{word}" if value is True else f"--{word}={value}" for word, value in policy.rate.asked().items()]
    return [
        "--operation=encode",
        f"--input={source}",
        f"--output={policy.destination}",
        f"--model={policy.model}",
        f"--effort={policy.effort}",
        *writing_options(policy),
        *rate,
        *(f"--{word}={value}" for word, value in policy.reading.asked().items()),
    ]


def _take_up(run: Run, policy: Policy, words: Sequence[str], means: Means) -> Run:
    """Make the shards that a killed run had planned: until then nothing can be added to the archive."""
    pending = unfinished(policy)
    if pending is None:
        return run
    with limited_to(common_audience(read_uri_list(pending.source))):
        return _run_job(run, policy, pending.source, words, means)


def _encode(run: Run, policy: Policy, selection: Selection, words: Sequence[str], means: Means) -> Run:
    if linked := selection.aside.get("behind a linked folder"):
        run = run.with_remark(
            f"{linked:,} objects behind linked folders were left alone: name these folders as sources"
        )
    portions = _portions(policy, selection.fresh) if _is_local(words) else iter([selection.fresh])
    for number, portion in enumerate(filter(None, portions)):
        if means.is_over:
            return run.with_remark("max_hours was over before all was encoded; the next run goes on")
        source = uri_of(policy.destination, f"{run.run}-{number:06}.parquet")
        write_uri_list(source, {c.found.uri: c.name for c in portion}, scratch_of(policy.destination))
        with limited_to(common_audience(c.found.uri for c in portion)):
            run = _run_job(run, policy, source, words, means)
    return run


def _portions(policy: Policy, fresh: Sequence[Candidate]) -> Iterator[Sequence[Candidate]]:
    """What single jobs do: `PORTION` objects, and never less than fills a shard.

    What not everybody may read goes into jobs, and shards, of its own, after the rest.
    """
    readers: dict[int, list[Candidate]] = {}
    for candidate in fresh:
        readers.setdefault(audience_of(candidate.found.uri), []).append(candidate)
    for audience in sorted(readers, reverse=True):
        yield from _portions_of(policy, readers[audience])


def _portions_of(policy: Policy, fresh: Sequence[Candidate]) -> Iterator[Sequence[Candidate]]:
    portion: list[Candidate] = []
    filled = 0
    for candidate in fresh:
        portion.append(candidate)
        filled += expected_bytes(candidate.found, policy.rate)
        if len(portion) >= PORTION and filled >= (policy.shard_size or 0):
            yield portion
            portion, filled = [], 0
    yield portion


def _run_job(run: Run, policy: Policy, source: str, words: Sequence[str], means: Means) -> Run:
    """Encode what the list ``source`` names, and write down what came of it."""
    summary = run_job([*job_words(policy, source), *_limit(words, means), *words], watch=False, named=False)
    assert isinstance(summary, Summary)
    run = _counted(run, summary)
    record(policy.destination, run)
    if summary.allowed is not None:
        raise JobError(f"more than {summary.allowed} failed, which --max-failures allows: no original was touched")
    return run


def _counted(run: Run, summary: Summary) -> Run:
    return replace(
        run,
        encoded=run.encoded + len(summary.done),
        failed=run.failed + len(summary.failed),
        bytes_in=run.bytes_in + sum(row.bytes for row in summary.done),
        bytes_out=run.bytes_out + sum(row.archive_bytes for row in summary.done),
    )


def _verify_and_remove(run: Run, policy: Policy, candidates: Sequence[Candidate], means: Means) -> Run:
    """Nothing goes unless every picture of the run that can be verified was, and none was bad."""
    run = replace(run, stage="verifying")
    record(policy.destination, run)
    rows = read_manifest(policy.destination)
    found = _verify(policy, candidates, rows, means)
    if found is None:
        return run.with_remark("max_hours was over before all was verified: no original was touched")
    stayed = [_unarchived(c, rows) for c in candidates if c.found.uri not in found]
    bad = [finding for finding in found.values() if finding.result == "bad"]
    run = replace(run, verified=len(found) - len(bad), bad=len(bad))
    for finding in bad:
        run = run.with_problem(f"{finding.row.source}: {finding.reason}")
    if bad:
        run = _record_stays(run, policy, stayed)
        return run.with_problem(f"{len(bad)} pictures are not well in the archive: no original was touched")
    return _remove(run, policy, [(c, found[c.found.uri]) for c in candidates if c.found.uri in found], stayed, means)


def _unarchived(candidate: Candidate, rows: Mapping[str, ManifestRow]) -> Stay:
    row = rows.get(candidate.found.uri)
    error = row.error if row and row.fingerprint == candidate.found.fingerprint else ""
    return Stay(candidate.found.uri, f"not archived: {error}" if error else "not archived")


def _verify(
    policy: Policy, candidates: Sequence[Candidate], rows: Mapping[str, ManifestRow], means: Means
) -> dict[str, Finding] | None:
    """A finding for each original that has a row, by its URI; None if the time is over."""
    known = ((candidate, rows.get(candidate.found.uri)) for candidate in candidates)
    done = [Claim(r) for c, r in known if r and r.status == "done" and r.fingerprint == c.found.fingerprint]
    found: dict[str, Finding] = {}
    for finding in verify_all(policy, done, means.processes):
        if means.is_over:
            return None
        found[finding.row.source] = finding
    return found


def _remove(
    run: Run, policy: Policy, found: Sequence[tuple[Candidate, Finding]], stayed: list[Stay], means: Means
) -> Run:
    """Set aside what may go; ``stayed`` already may not."""
    removals: list[Removal] = []
    for candidate, finding in found:
        if reason := _reason_to_keep(finding, policy):
            stayed.append(Stay(candidate.found.uri, reason))
            if reason == OTHERWISE:
                run = run.with_problem(f"{candidate.found.uri} stays: {finding.reason}")
            continue
        try:
            removals.append(planned_removal(candidate, finding.row, policy, run.policy, means.now()))
        except ArchivaeError as error:
            stayed.append(Stay(candidate.found.uri, "its name is not safe"))
            run = run.with_problem(str(error))
    run = replace(run, stage="removing")
    if removals:
        record_removals(policy.destination, run.run, removals)
    record(policy.destination, run)
    places = places_of(policy)
    for removal in removals:
        run, reason = _take_away(run, policy, removal, places)
        stayed += [Stay(removal.uri, reason)] if reason else []
    return _record_stays(run, policy, stayed)


def _record_stays(run: Run, policy: Policy, stayed: Sequence[Stay]) -> Run:
    if stayed:
        record_stays(policy.destination, run.run, stayed)
    return run.keeping(stayed)


def _reason_to_keep(finding: Finding, policy: Policy) -> str:
    if finding.result == "changed":
        return "changed since it was archived"
    return reason_to_keep(finding.row, policy) or (OTHERWISE if finding.result == "worse" else "")


def _take_away(run: Run, policy: Policy, removal: Removal, places: Sequence[Place]) -> tuple[Run, str]:
    """The run after it, and why the original stays, if it does."""
    try:
        take_away(removal, bound(removal, policy, places), policy)
    except ChangedError as error:
        return run.with_problem(str(error)), "changed since it was archived"
    except ArchivaeError as error:
        return run.with_problem(str(error)), "it could not be taken away"
    return replace(run, removed=run.removed + 1), ""


def _purge(run: Run, policy: Policy, means: Means) -> Run:
    """Delete for good what the policy set aside, if its grace is over and the archive still holds it."""
    run = replace(run, stage="purging")
    record(policy.destination, run)
    due = due_for_purge(policy, run.policy, means.now())
    for problem in due.problems:
        run = run.with_problem(problem)
    for other, count in due.others.items():
        run = run.with_remark(f"{count:,} originals are for the policy {other!r} to delete or to bring back")
    deleted: set[str] = set()
    for waiting, reason in verify_again(policy, due.originals, means.processes):
        if means.is_over:
            run = run.with_remark("max_hours was over before all was deleted that may be; the next run goes on")
            break
        reason = reason or delete_for_good(waiting)
        if reason:
            run = run.with_problem(f"{waiting.known.aside} stays: {reason}")
        else:
            deleted.add(waiting.known.aside)
            run = replace(run, purged=run.purged + 1)
    close_emptied(policy.destination, due, deleted)
    return run


def _limit(words: Sequence[str], means: Means) -> list[str]:
    """A job in the cloud ends itself. Source: "Dataflow service options", max_workflow_runtime_walltime_seconds."""
    if _is_local(words) or means.deadline == math.inf:
        return []
    seconds = max(int(means.deadline - means.now()), 60)
    return [f"--dataflow_service_options=max_workflow_runtime_walltime_seconds={seconds}"]


def _is_local(words: Sequence[str]) -> bool:
    runners = [word.partition("=")[2] for word in words if word.startswith("--runner=")]
    return not runners or runners[-1].rpartition(".")[2] in LOCAL_RUNNERS


def _check_words(words: Sequence[str]) -> None:
    for word in words:
        name = word.partition("=")[0]
        if name in ("--no_wait_until_finish", "--template_location", "--dry_run"):
            raise UsageError(f"{name}: a run of a policy waits for its jobs, to verify what they wrote; leave it out")
        if name in ("--input", "--output", "--operation"):
            raise UsageError(f"{name} is the policy's to say; leave it out")
