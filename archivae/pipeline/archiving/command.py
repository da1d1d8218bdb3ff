"""The commands ``archivae policy run POLICY``, also called ``archivae archive POLICY``, and ``archivae policy undo``."""

from __future__ import annotations

import argparse
import time
from collections.abc import Iterator, Sequence
from typing import Any

from archivae.errors import ArchivaeError
from archivae.models import ACCELERATORS
from archivae.pipeline.archiving.archived import unfinished, writing_options
from archivae.pipeline.archiving.ledger import Run
from archivae.pipeline.archiving.originals import planned_removal, reason_to_keep
from archivae.pipeline.archiving.places import remove_empty_folders
from archivae.pipeline.archiving.policy import Policy, read_policy
from archivae.pipeline.archiving.purge import due_for_purge
from archivae.pipeline.archiving.run import archive
from archivae.pipeline.archiving.selection import Candidate, Selection, select
from archivae.pipeline.archiving.undo import bring_back, originals_aside
from archivae.pipeline.showing import Console
from archivae.storage.names import normal

_PROBLEMS_SHOWN = 40
_POLICY_HELP = "a YAML file, local or gs://"
_BEAM_NOTE = "Beam's options pass through."


def add_parser(commands: Any) -> None:
    """``archivae policy run|undo POLICY``; ``archivae archive POLICY`` is the first."""
    _add_run(commands.add_parser("archive", help="the same as policy run", epilog=_BEAM_NOTE))
    parser = commands.add_parser("policy", help="run an archival policy once, or bring originals back")
    actions = parser.add_subparsers(dest="action", required=True)
    _add_run(actions.add_parser("run", help="run an archival policy once", epilog=_BEAM_NOTE))
    back = actions.add_parser("undo", help="bring back originals that a policy has set aside")
    back.add_argument("policy", help=_POLICY_HELP)
    back.add_argument(
        "names", nargs="*", metavar="NAME", help="an original's path, or its name in its source; default: all"
    )
    back.set_defaults(run=undo)


def takes_beam_options(arguments: argparse.Namespace) -> bool:
    """Whether options that the command does not know are for the job that it runs."""
    return arguments.command == "archive" or (arguments.command == "policy" and arguments.action == "run")


def _add_run(parser: Any) -> None:
    parser.add_argument("policy", help=_POLICY_HELP)
    parser.add_argument("--accelerator", choices=ACCELERATORS, default="auto", help="where the model runs")
    parser.add_argument("--verify-processes", type=int, default=1, help="processes that verify (default: 1)")
    parser.add_argument("--dry-run", action="store_true", help="say exactly what would happen, and do nothing")
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """The exit code: 0, or 1 where something failed or could not be verified."""
    policy = read_policy(arguments.policy)
    words = [f"--accelerator={arguments.accelerator}", *joined(arguments.beam)]
    console = Console()
    if arguments.dry_run:
        writing_options(policy)
        now = time.time()
        for line in dry_run_lines(policy, arguments.policy, select(policy, now), now):
            console.print(line, markup=False, highlight=False, soft_wrap=True)
        return 0
    finished = archive(policy, arguments.policy, words, processes=max(arguments.verify_processes, 1))
    for line in report_lines(finished):
        console.print(line, markup=False, highlight=False, soft_wrap=True)
    return 1 if finished.failed or finished.bad or finished.problems else 0


def undo(arguments: argparse.Namespace) -> int:
    """The exit code: 0, or 1 where something that was asked for stays aside."""
    policy = read_policy(arguments.policy)
    console = Console()
    back = stayed = 0
    for original in originals_aside(policy, arguments.names):
        problem = bring_back(original)
        stayed += bool(problem)
        back += not problem
        line = f"problem: {problem}" if problem else f"brought back {original.uri}"
        console.print(line, markup=False, highlight=False, soft_wrap=True)
    remove_empty_folders(policy)
    console.print(f"{back:,} originals brought back, {stayed:,} stay aside", highlight=False)
    if stayed:
        console.print("what stays is named above, with the reason: mend that, then run this again", soft_wrap=True)
    if back and policy.removes:
        console.print(
            "the next run of this policy sets them aside again, unless it says originals: keep", soft_wrap=True
        )
    return 1 if stayed else 0


def joined(words: Sequence[str]) -> list[str]:
    """``--name value`` as ``--name=value``.

    >>> joined(["--runner", "DataflowRunner", "--streaming", "--region=r"])
    ['--runner=DataflowRunner', '--streaming', '--region=r']
    """
    result: list[str] = []
    for word in words:
        if not word.startswith("--") and result and "=" not in result[-1]:
            result[-1] = f"{result[-1]}={word}"
        else:
            result.append(word)
    return result


def dry_run_lines(policy: Policy, file: str, selection: Selection, now: float) -> Iterator[str]:
    """Every object by name, with what would become of it. ``file``: the policy's."""
    pending = unfinished(policy)
    if pending is not None:
        yield f"first make the {pending.count:,} shards of {pending.members:,} objects that an earlier run left unfinished"
    for candidate in selection.fresh:
        yield f"encode {candidate.found.uri} ({candidate.found.size:,} bytes) as {candidate.name}.avae"
    if policy.removes:
        for candidate in selection.fresh:
            yield f"then {policy.originals} {candidate.found.uri}, if it is verified and may go"
        yield from (_fate(candidate, policy, file, now) for candidate in selection.archived)
        due = due_for_purge(policy, normal(file), now)
        yield from due.problems
        for waiting in due.originals:
            yield f"delete for good {waiting.known.aside}, if {waiting.removal.archive} still holds it, as the policy says"
    yield from selection.problems
    for reason, count in selection.aside.items():
        yield f"leave {count:,} objects: {reason}"
    yield f"{len(selection.fresh):,} objects to encode, {selection.size:,} bytes; nothing was done"


def _fate(candidate: Candidate, policy: Policy, file: str, now: float) -> str:
    """What would become of an original whose picture is archived already."""
    assert candidate.row is not None
    reason = reason_to_keep(candidate.row, policy)
    try:
        aside = planned_removal(candidate, candidate.row, policy, normal(file), now).aside
    except ArchivaeError as error:
        reason = str(error)
    if reason:
        return f"keep {candidate.found.uri}: {reason}"
    return f"{policy.originals} {candidate.found.uri} (set aside as {aside}), once verified"


def report_lines(run: Run) -> list[str]:
    """What a run did."""
    ratio = f", ratio {run.bytes_in / run.bytes_out:.2f}" if run.bytes_out else ""
    lines = [
        f"run {run.run} of {run.policy}: {run.stage} in {run.ended - run.began:.0f} s",
        f"{run.encoded:,} encoded, {run.failed:,} failed; {run.bytes_in:,} bytes in, {run.bytes_out:,} out{ratio}",
        f"{run.verified:,} verified, {run.bad:,} not; {run.removed:,} originals set aside, {run.purged:,} deleted for good",
    ]
    lines += [f"kept {count:,} originals: {reason}" for reason, count in run.kept.items()]
    lines += [f"stays: {stay}" for stay in run.first_kept]
    if sum(run.kept.values()) > len(run.first_kept):
        lines.append(f"all that stay, and why: _archivae/runs/{run.run}-stays.jsonl")
    lines += [run.remark] if run.remark else []
    lines += [f"problem: {problem}" for problem in run.problems[:_PROBLEMS_SHOWN]]
    more = len(run.problems) - _PROBLEMS_SHOWN
    return [*lines, f"... and {more} more"] if more > 0 else lines
