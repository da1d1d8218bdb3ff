"""A policy where no process stays to verify: the Flex Template, whose launcher only submits a job.

Such a run encodes what the policy selects. It keeps originals: taking them away needs a process that sees the job's end,
which is `archivae archive` on any machine or in a Cloud Run job.
"""

from __future__ import annotations

import time
from collections.abc import Sequence

from archivae.errors import UsageError
from archivae.pipeline.archiving.archived import unfinished, writing_options
from archivae.pipeline.archiving.ledger import uri_of
from archivae.pipeline.archiving.policy import read_policy
from archivae.pipeline.archiving.run import job_words, new_id
from archivae.pipeline.archiving.selection import select
from archivae.storage import scratch_of
from archivae.storage.uri_lists import write_uri_list

_WORD = "--policy="


def names_policy(words: Sequence[str]) -> bool:
    """Whether pipeline options ask for a policy in place of an operation, input and output."""
    return any(word.startswith(_WORD) for word in words)


def selected_job(words: Sequence[str]) -> list[str]:
    """``words`` with what ``--policy=URI`` selects now as the input; none where there is nothing to do.

    Where an earlier job left shards unmade, these come first: the next launch goes on.

    UsageError for a policy that takes originals away, or beside another input.
    """
    (uri,) = (word.removeprefix(_WORD) for word in words if word.startswith(_WORD))
    others = [word for word in words if not word.startswith(_WORD)]
    for word in others:
        if word.partition("=")[0] in ("--operation", "--input", "--output"):
            raise UsageError(f"{word.partition('=')[0]} is the policy's to say; leave it out")
    policy = read_policy(uri)
    if policy.removes:
        raise UsageError(
            f"originals: {policy.originals} can't be done by a launched template, which does not see its job's end: "
            "run archivae archive on a machine or in a Cloud Run job"
        )
    writing_options(policy)
    pending = unfinished(policy)
    if pending is not None:
        return [*job_words(policy, pending.source), *others]
    now = time.time()
    selection = select(policy, now)
    if not selection.fresh:
        return []
    source = uri_of(policy.destination, f"{new_id(now)}.parquet")
    write_uri_list(source, {c.found.uri: c.name for c in selection.fresh}, scratch_of(policy.destination))
    return [*job_words(policy, source), *others]
