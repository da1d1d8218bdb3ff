"""One run of a job: check, plan, submit, watch, report."""

from __future__ import annotations

import time
import uuid
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, replace
from datetime import datetime, timezone
from typing import Protocol

import apache_beam as beam
from apache_beam.io.filesystems import FileSystems
from apache_beam.metrics import MetricsFilter
from apache_beam.options.pipeline_options import GoogleCloudOptions, PipelineOptions, StandardOptions, TestOptions
from apache_beam.runners.dataflow.dataflow_runner import DataflowRuntimeException
from apache_beam.runners.runner import PipelineResult

from archivae.errors import DestinationError, JobError, MaskError, UsageError
from archivae.models import parse_codec, pick_device
from archivae.operations.archive_rewrite import finish_rewrite
from archivae.operations.archive_verify import require_archive
from archivae.pipeline.archive_job import objects_left, plan_shards, published_before
from archivae.pipeline.dataflow.gpus import GPUS
from archivae.pipeline.dataflow.submission import DATAFLOW_RUNNERS, Asked, prepare
from archivae.pipeline.graph import LimitedJob, build
from archivae.pipeline.local_workers import watch_workers
from archivae.pipeline.options import Settings
from archivae.pipeline.progress_bar import progress_bar
from archivae.pipeline.summary import RunJob, Summary, read_summary
from archivae.storage import StoredObject, read_fragment, read_fragments, remove_stale_scratch, stat_object
from archivae.storage.archive_index import ArchiveIndex
from archivae.storage.archive_layout import index_uri, is_archive
from archivae.storage.fence import Fence
from archivae.storage.lease import leased
from archivae.storage.names import OWN_FOLDER, normal
from archivae.storage.overlap import overlap
from archivae.transforms import Job
from archivae.transforms.failures import take_mark
from archivae.transforms.masks import check_masks
from archivae.transforms.plan import list_input_parts, list_inputs, list_members, plan_here
from archivae.transforms.residency import CodecSource
from archivae.transforms.restorer_residency import RestorerSource
from archivae.transforms.write import overlap_problem

LOCAL_RUNNERS = ("DirectRunner", "FnApiRunner", "BundleBasedDirectRunner", "PrismRunner")
_IN_PROCESS = "FnApiRunner"
_INSIDE = ("is", "holds")
_REFUSED = {
    "DaskRunner": "it loses data without a word: side outputs, exception handling and file writes go missing. "
    "Use DirectRunner with --direct_num_workers, or DataflowRunner"
}


class AnyJob(RunJob, LimitedJob, Protocol):
    """What every kind of job is told."""

    @property
    def options(self) -> str: ...

    @property
    def overwrite(self) -> bool: ...


@dataclass(frozen=True)
class DryRun:
    """What a run would work on."""

    objects: int
    size: int


@dataclass(frozen=True)
class Submitted:
    """A job that goes on without us; ``job_id`` is Dataflow's, empty where a template was written instead of a job."""

    job_id: str


def run(
    argv: Sequence[str] | PipelineOptions,
    watch: bool = True,
    named: bool | None = None,
    retry_failed: bool = True,
) -> Summary | DryRun | Submitted:
    """Run one job to its end, if it is to be waited for, and say what became of it.

    ``watch`` shows a progress bar for local runners. ``named``: whether each object is meant to be what the operation
    takes; by default so where the source is an object or a list of them. ``retry_failed``: work again on what failed
    before and has not changed. Raises an ArchivaeError before anything is
    read where the options, the accelerator or the destination are wrong.
    """
    options = argv if isinstance(argv, PipelineOptions) else PipelineOptions(list(argv))
    settings = Settings.from_options(options)
    FileSystems.set_options(options)  # so that --s3_endpoint_url and its like count here as in workers
    runner = pick_runner(options)
    job = replace(make_job(settings, named=named), retry_failed=retry_failed)
    if options.view_as(TestOptions).dry_run:
        _check_source(job, settings)
        check_places(job, settings)
        check_destination(job, settings)
        sizes = [max(source.size, 0) for source in _objects(job, settings)]
        return DryRun(len(sizes), sum(sizes))
    hint = check_hardware(runner, options, settings, job.run)
    _check_source(job, settings)
    check_places(job, settings)
    with alone(options, job) as fence:
        job = replace(job, token=fence.token, inherits=fence.inherits)
        return _run_alone(options, settings, job, hint, runner in LOCAL_RUNNERS and watch)


def _run_alone(options: PipelineOptions, settings: Settings, job: Job, hint: str, watch: bool) -> Summary | Submitted:
    """Run a job whose destination is its own for so long."""
    check_destination(job, settings)
    remove_stale_scratch(job.destination, age=0)
    finish_rewrite(job.destination, job.fence)
    began = time.monotonic()
    shards = plan_shards(job, settings) if settings.archive else None
    if settings.archive and shards is None:
        done = len(ArchiveIndex(index_uri(job.destination))) if is_archive(job.destination) else 0
        return Summary(settings.operation, job.destination, (), done, time.monotonic() - began)
    before = published_before(job, shards) if shards else 0
    with watched(watch, settings.operation) as progress:
        result = submit(options, settings, replace(job, progress=progress, shards=shards), hint)
    return outcome(options, job, result, began, before)


def outcome(
    options: PipelineOptions, job: AnyJob, result: PipelineResult, began: float, before: int = 0
) -> Summary | Submitted:
    """What became of a job, or if it is not waited for that it was begun; ``before``: objects that it had not to do."""
    if not is_waited_for(options):
        return Submitted(_job_id(result))
    summary = read_summary(job, before + _skipped(result), time.monotonic() - began)
    allowed = take_mark(job.destination, job.run) if job.max_failures is not None else None
    return summary if allowed is None else replace(summary, allowed=allowed)


def new_run() -> str:
    """The id of a new run."""
    return f"{datetime.now(timezone.utc):%Y%m%dT%H%M%SZ}-{uuid.uuid4().hex[:8]}"


def _objects(job: Job, settings: Settings) -> Iterator[StoredObject]:
    """What a run would work on."""
    if settings.operation == "verify":
        return list_members(normal(job.source))
    if settings.archive:
        return objects_left(job, settings)
    return (item.source for item in plan_here(job) if item.status == "going")


def make_job(settings: Settings, named: bool | None = None) -> Job:
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
        run=new_run(),
        format=settings.format,
        overwrite=settings.overwrite,
        named=stat_object(settings.source) is not None if named is None else named,
        masks="" if wanted is None else wanted.masks,
        overwrite_foreign=settings.overwrite_foreign,
        max_failures=settings.max_failures,
    )


def submit(options: PipelineOptions, settings: Settings, job: Job, hint: str = "") -> PipelineResult:
    """Build the graph of ``settings`` and run it: `run_graph`."""
    return run_graph(options, lambda root: build(root, settings, job, hint))


def run_graph(options: PipelineOptions, build_graph: Callable[[beam.Pipeline], object]) -> PipelineResult:
    """Build a graph and run it on the runner that ``options`` name, to its end if it is waited for."""
    try:
        pipeline = beam.Pipeline(options=options)
    except ValueError as error:  # Beam's own check of the options
        raise UsageError(f"the runner refuses the options: {error}") from error
    build_graph(pipeline)
    watch_workers()
    try:
        result = pipeline.run()
        if is_waited_for(options):
            result.wait_until_finish()
    except (RuntimeError, DataflowRuntimeException) as error:
        raise JobError(
            f"the job failed: {_reason(error)}. Mend that and run it again: what is done is skipped"
        ) from error
    return result


def _check_source(job: Job, settings: Settings) -> None:
    """What is wrong with the source is an error now, not in a worker: that it holds nothing, above all."""
    if settings.operation == "verify":
        require_archive(normal(job.source))
    elif not settings.notifications:
        next(list_input_parts(job), None)
        if settings.restoration:
            _check_restorable(job)


def _check_restorable(job: Job) -> None:
    """A source without masks, or with nothing else."""
    first = next(list_inputs(job), None)
    if job.masks and first is None:
        raise MaskError(f"expected pictures in {job.source!r}, found masks alone by {job.masks!r}: narrow --masks")
    if job.masks and first is not None:
        check_masks(job.masks, first)


def check_places(job: Job, settings: Settings) -> None:
    """DestinationError if what the job writes could be taken for its source, or be written over that."""
    if settings.operation == "verify":
        return
    problem = overlap_problem(job.operation, job.source, job.destination)
    if problem is not None:
        raise problem
    if (
        job.operation == "encode"
        and overlap(job.source, f"{normal(job.destination).rstrip('/')}/{OWN_FOLDER}") in _INSIDE
    ):
        raise DestinationError(
            f"{job.source} lies in ArchiVAE's own folder of {job.destination}: choose another source"
        )


def check_destination(job: Job, settings: Settings) -> None:
    """DestinationError if an earlier run filled the destination with other options, unless the job overwrites.

    Of an archive of shards each round has its own options.
    """
    if settings.operation == "verify":
        return
    if not settings.archive and is_archive(job.destination):
        raise DestinationError(f"{job.destination} is an archive of shards: choose another destination, or append")
    if not settings.append:
        check_earlier(job)


def check_earlier(job: AnyJob) -> None:
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


def alone(options: PipelineOptions, job: AnyJob) -> AbstractContextManager[Fence]:
    """Have the destination for this job alone, if it is waited for. DestinationError if another works on it."""
    return leased(job.destination, job.run) if is_waited_for(options) else nullcontext(Fence(job.destination))


def _reason(error: Exception) -> str:
    """Of Dataflow all that it says; elsewhere Beam puts a worker's whole traceback into the message, its last line tells."""
    text = str(error).strip()
    return " ".join(text.split()) if isinstance(error, DataflowRuntimeException) else text.rpartition("\n")[2]


def is_waited_for(options: PipelineOptions) -> bool:
    """Not so for a template, which is only written, and where Beam was told not to wait."""
    template = options.view_as(GoogleCloudOptions).template_location
    return not (template or options.view_as(StandardOptions).no_wait_until_finish)


def _job_id(result: PipelineResult) -> str:
    """Dataflow's; other runners' results, and a template's, have none."""
    return str(getattr(result, "job_id", str)()) if getattr(result, "has_job", False) else ""


def _skipped(result: PipelineResult) -> int:
    """How many objects were done before."""
    found = result.metrics().query(MetricsFilter().with_name("skipped"))["counters"]
    return sum(int(count.result) for count in found)


def check_hardware(runner: str, options: PipelineOptions, settings: Asked, run: str) -> str:
    """Settle what the job runs on; the resource hint for the step with the model. Errors before anything is read."""
    if runner in DATAFLOW_RUNNERS:
        return prepare(options, settings, run).hint
    if runner in LOCAL_RUNNERS:
        if settings.accelerator in GPUS:
            raise UsageError(f"--accelerator {settings.accelerator} is Dataflow's; here a GPU is --accelerator cuda")
        pick_device(settings.accelerator)
    return ""


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
