"""One run of a job: check, plan, submit, watch, report."""

from __future__ import annotations

import time
import uuid
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from datetime import datetime, timezone
from typing import Protocol

import apache_beam as beam
from apache_beam.metrics import MetricsFilter
from apache_beam.options.pipeline_options import PipelineOptions, StandardOptions, TestOptions

from archivae.errors import DestinationError, JobError, MaskError, UsageError
from archivae.models import parse_codec, pick_device
from archivae.pipeline.graph import build
from archivae.pipeline.options import Settings
from archivae.pipeline.progress_bar import progress_bar
from archivae.pipeline.summary import Summary, read_summary
from archivae.storage import read_fragment, read_fragments, remove_stale_scratch, stat_object
from archivae.storage.names import normal
from archivae.transforms import Job
from archivae.transforms.masks import check_masks
from archivae.transforms.plan import list_inputs, plan_here
from archivae.transforms.residency import CodecSource
from archivae.transforms.restorer_residency import RestorerSource

LOCAL_RUNNERS = ("DirectRunner", "FnApiRunner", "BundleBasedDirectRunner", "PrismRunner")
_IN_PROCESS = "FnApiRunner"
_REFUSED = {
    "DaskRunner": "it loses data without a word: side outputs, exception handling and file writes go missing. "
    "Use DirectRunner with --direct_num_workers, or DataflowRunner"
}


class AnyJob(Protocol):
    """What every kind of job is told."""

    @property
    def destination(self) -> str: ...

    @property
    def options(self) -> str: ...

    @property
    def overwrite(self) -> bool: ...


@dataclass(frozen=True)
class DryRun:
    """What a run would work on."""

    objects: int
    size: int


def run(argv: Sequence[str] | PipelineOptions, watch: bool = True) -> Summary | DryRun:
    """Run one job to its end and say what became of it. ``watch`` shows a progress bar for local runners.

    Raises an ArchivaeError before anything is read where the options, the accelerator or the destination are wrong.
    """
    options = argv if isinstance(argv, PipelineOptions) else PipelineOptions(list(argv))
    settings = Settings.from_options(options)
    runner = pick_runner(options)
    job = make_job(settings)
    if options.view_as(TestOptions).dry_run:
        check_source(job)
        check_destination(job)
        sizes = [max(item.source.size, 0) for item in plan_here(job) if item.status == "going"]
        return DryRun(len(sizes), sum(sizes))
    if runner in LOCAL_RUNNERS:
        pick_device(settings.accelerator)
    check_source(job)
    check_destination(job)
    remove_stale_scratch(job.destination)
    began = time.monotonic()
    with watched(runner in LOCAL_RUNNERS and watch, settings.operation) as progress:
        skipped = submit(options, settings, make_job(settings, job.run, progress))
    return read_summary(job, skipped, time.monotonic() - began, settings.operation)


def new_run() -> str:
    """The id of a new run."""
    return f"{datetime.now(timezone.utc):%Y%m%dT%H%M%SZ}-{uuid.uuid4().hex[:8]}"


def make_job(settings: Settings, run: str = "", progress: str = "") -> Job:
    """What the workers are told."""
    model_id, restorer_ids, wanted = "", {}, settings.restoration
    if settings.operation == "encode":
        model_id = parse_codec(CodecSource(settings.model).weight_file()).model_id().hex()
    if wanted is not None:
        restorer_ids = {task: RestorerSource(wanted.restorers).model_id(task) for task in wanted.tasks}
    return Job(
        operation=settings.operation,
        source=settings.source,
        destination=settings.destination,
        options=settings.canonical(model_id, restorer_ids),
        run=run or new_run(),
        format=settings.format,
        overwrite=settings.overwrite,
        progress=progress,
        named=stat_object(settings.source) is not None,
        masks="" if wanted is None else wanted.masks,
    )


def submit(options: PipelineOptions, settings: Settings, job: Job) -> int:
    """Build the graph of ``settings`` and run it: `run_graph`."""
    return run_graph(options, lambda root: build(root, settings, job))


def run_graph(options: PipelineOptions, build_graph: Callable[[beam.Pipeline], object]) -> int:
    """Build a graph and run it to its end on the runner that ``options`` name; how many objects were done before."""
    pipeline = beam.Pipeline(options=options)
    build_graph(pipeline)
    try:
        result = pipeline.run()
        result.wait_until_finish()
    except RuntimeError as error:  # what Beam makes of an exception in a worker, the whole traceback in its message
        last = str(error).strip().rpartition("\n")[2]
        raise JobError(f"the job failed: {last}. Mend that and run it again: what is done is skipped") from error
    found = result.metrics().query(MetricsFilter().with_name("skipped"))["counters"]
    return sum(int(count.result) for count in found)


def check_source(job: Job) -> None:
    """A source that holds nothing, or no masks, or is the destination of a restore: an error now, not in a worker."""
    first = next(list_inputs(job), None)
    if job.masks and first is None:
        raise MaskError(f"expected pictures in {job.source!r}, found masks alone by {job.masks!r}: narrow --masks")
    if first is None:
        return
    if job.operation == "restore" and first.uri == f"{normal(job.destination).rstrip('/')}/{first.name}":
        raise DestinationError(
            f"{job.destination} is the source itself, whose pictures would be lost: choose another destination"
        )
    if job.masks:
        check_masks(job.masks, first)


def check_destination(job: AnyJob) -> None:
    """DestinationError if an earlier run filled the destination with other options, unless the job overwrites."""
    fragments = read_fragments(job.destination)
    if job.overwrite or not fragments:
        return
    (earlier, *_) = read_fragment(fragments[-1])
    if earlier.options != job.options:
        raise DestinationError(
            f"{job.destination} was filled with {earlier.options}, this run would use {job.options}: "
            "choose another destination, the same options, or --overwrite"
        )


def pick_runner(options: PipelineOptions) -> str:
    standard = options.view_as(StandardOptions)
    runner = (standard.runner or "DirectRunner").rpartition(".")[2]
    if runner in _REFUSED:
        raise UsageError(f"--runner {runner} is refused: {_REFUSED[runner]}")
    if runner == "DirectRunner":
        # The engine behind DirectRunner, named outright: DirectRunner would first try to download another.
        standard.runner = _IN_PROCESS
    return runner


def watched(wanted: bool, operation: str) -> AbstractContextManager[str]:
    return progress_bar(operation) if wanted else nullcontext("")
