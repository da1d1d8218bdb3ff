"""The command ``archivae status JOB``: how far a Dataflow job is and, once it is over, the table of a local run."""

from __future__ import annotations

import argparse
import time
from typing import Any

from archivae.pipeline.dataflow.service import ENDPOINT, RunningJob, look_up
from archivae.pipeline.showing import Console
from archivae.pipeline.summary import print_summary, read_run

_EVERY = 30.0  # seconds between two looks
_SHOWN = ("done", "skipped", "failed", "not_a_picture")
_BYTES_IN, _BYTES_OUT = "read_bytes_in", "write_bytes_out"
_PIXELS = "_pixels"  # of whichever step has the model


def add_parser(commands: Any) -> None:
    """``archivae status JOB``."""
    parser = commands.add_parser("status", help="how far a Dataflow job is")
    parser.add_argument("job", help="the job's id, as printed when it was submitted")
    parser.add_argument("--project", required=True)
    parser.add_argument("--region", required=True)
    parser.add_argument("--dataflow_endpoint", default=ENDPOINT, help=argparse.SUPPRESS)
    parser.add_argument("--watch", action="store_true", help="look again every half a minute until the job is over")
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Print the state and the counters; the exit code: 0, or 1 where objects or the job failed."""
    console = Console()
    while True:
        job = look_up(arguments.job, arguments.project, arguments.region, arguments.dataflow_endpoint)
        console.print(progress_line(job), markup=False, highlight=False, soft_wrap=True)
        if job.is_over or not arguments.watch:
            return _finish(console, job)
        time.sleep(_EVERY)


def progress_line(job: RunningJob) -> str:
    """One line: state, objects by what became of them, bytes."""
    counts = ", ".join(f"{job.counters[name]:,} {name.replace('_', ' ')}" for name in _SHOWN if name in job.counters)
    figures = [job.state.lower(), counts or "nothing counted yet"]
    if _BYTES_OUT in job.counters:
        figures.append(f"{job.counters.get(_BYTES_IN, 0):,} bytes in, {job.counters[_BYTES_OUT]:,} out")
    pixels = sum(count for name, count in job.counters.items() if name.endswith(_PIXELS))
    if pixels:
        figures.append(f"{pixels / 1e6:,.0f} megapixels")
    return f"{job.name or job.id}: {'; '.join(figures)}"


def _finish(console: Console, job: RunningJob) -> int:
    if job.is_over and job.destination and job.run:
        print_summary(console, read_run(job.destination, job.run, job.counters.get("skipped", 0)))
    return 1 if job.counters.get("failed") or job.state in ("FAILED", "CANCELLED") else 0
