"""One run of generate, embed or transform: check, plan, submit, watch, report."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import Any

import apache_beam as beam
from apache_beam.io.filesystems import FileSystems
from apache_beam.options.pipeline_options import PipelineOptions, TestOptions

from archivae.errors import UsageError
from archivae.images import OutputFormat, open_picture
from archivae.models import RunningModel
from archivae.operations.generate import Between, Order, Pixels, Samples
from archivae.operations.latent_ops import Along, LatentOp, direction_between, parse_latent_ops
from archivae.pipeline.family_options import FamilySettings, pick_order
from archivae.pipeline.graph import hinted, may_fail, unless_stopped, write_images
from archivae.pipeline.options import ArchivaeOptions, max_failures
from archivae.pipeline.run import (
    LOCAL_RUNNERS,
    AnyJob,
    DryRun,
    Submitted,
    alone,
    check_earlier,
    check_hardware,
    is_waited_for,
    new_run,
    outcome,
    pick_runner,
    run_graph,
    watched,
)
from archivae.pipeline.summary import Summary
from archivae.storage import list_source, read_object, remove_stale_scratch, stat_object
from archivae.storage.fence import Fence
from archivae.storage.vectors import SUFFIX, check_whole, list_vectors, parts_folder, read_embeddings, write_whole
from archivae.transforms import Job, PlanWork, ReadObjects
from archivae.transforms.embed import EmbedImages, WriteVectors
from archivae.transforms.failures import Allowed
from archivae.transforms.generate import GenerateImages, GenerationJob, PlanChunks
from archivae.transforms.models import ModelSource
from archivae.transforms.plan import list_input_parts, plan_here
from archivae.transforms.transform import TransformImages
from archivae.transforms.write import overlap_problem

BuildGraph = Callable[[beam.Pipeline], object]


@dataclass(frozen=True)
class _Prepared:
    """A job and its graph, given the file that workers tally in, the accelerator of the step with the model and the token of
    the job's lease.

    ``outstanding``: how many objects and bytes it has yet to work on. ``file``: what its vectors are gathered in at the
    end, those of the model ``model_id``; empty where they stay in parts.
    """

    job: AnyJob
    graph: Callable[[str, str, str], BuildGraph]
    outstanding: Callable[[], DryRun]
    file: str = ""
    model_id: str = ""
    overwrite_foreign: bool = False


def run_family(options: PipelineOptions, watch: bool = True) -> Summary | DryRun | Submitted:
    """Run one job to its end, if it is to be waited for, and say what became of it: `archivae.pipeline.run.run`.

    Raises an ArchivaeError before any work where the options, the model or the destination are wrong.
    """
    own = options.view_as(ArchivaeOptions)
    settings = FamilySettings.from_options(own)
    FileSystems.set_options(options)
    runner, run = pick_runner(options), new_run()
    dry = options.view_as(TestOptions).dry_run
    hint = "" if dry else check_hardware(runner, options, settings, run)
    prepared = {"generate": _generate, "embed": _embed, "transform": _transform}[settings.operation](settings, own, run)
    _check_places(settings)
    if prepared.file:
        check_whole(prepared.file, settings.overwrite_foreign)
    if dry:
        check_earlier(prepared.job)
        return prepared.outstanding()
    if prepared.file and not is_waited_for(options):
        raise UsageError(
            f"{prepared.file} is written when all its parts are there, and this job is not waited for: "
            f"name a folder, without {SUFFIX}, or wait"
        )
    with alone(options, prepared.job) as fence:
        return _run_alone(options, prepared, hint, runner in LOCAL_RUNNERS and watch, fence)


def _check_places(settings: FamilySettings) -> None:
    problem = overlap_problem(settings.operation, settings.source, settings.destination)
    if problem is not None:
        raise problem


def _run_alone(
    options: PipelineOptions, prepared: _Prepared, hint: str, watch: bool, fence: Fence
) -> Summary | Submitted:
    """Run a job whose destination is its own for so long."""
    job = prepared.job
    check_earlier(job)
    remove_stale_scratch(job.destination, age=0)
    began = time.monotonic()
    with watched(watch, job.operation) as progress:
        result = run_graph(options, prepared.graph(progress, hint, fence.token))
    found = outcome(options, job, result, began)
    if prepared.file:
        fence.check()
        _gather(prepared, fence)
    return replace(found, file=prepared.file) if isinstance(found, Summary) else found


def _gather(prepared: _Prepared, fence: Fence) -> None:
    """All parts as one file; none where no picture could be embedded."""
    if list_vectors(prepared.job.destination):
        embeddings = read_embeddings(prepared.job.destination, prepared.model_id)
        write_whole(prepared.file, embeddings, prepared.overwrite_foreign, fence)


def _model_here(settings: FamilySettings) -> RunningModel:
    """The model as the one who starts the job has it: on the CPU, for there may be no device like the workers'."""
    return ModelSource(settings.model, "cpu").running()


def _generate(settings: FamilySettings, own: Any, run: str) -> _Prepared:
    order = pick_order(own)
    source = ModelSource(settings.model, settings.accelerator) if order.needs_model else None
    model_id = _checked(_model_here(settings), order).id if order.needs_model else ""
    asked = order.asked() | ({"shards": True} if own.shards else {})
    picture_format: OutputFormat = settings.format  # type: ignore[assignment]
    options = settings.canonical(model_id, asked)
    job = GenerationJob(
        order,
        source,
        settings.destination,
        options,
        run,
        picture_format,
        own.shards,
        settings.overwrite,
        overwrite_foreign=settings.overwrite_foreign,
        max_failures=max_failures(own),
    )

    def graph(progress: str, hint: str, token: str) -> BuildGraph:
        told = replace(job, progress=progress, token=token)
        allowed = None if job.max_failures is None else job.max_failures.of(job.objects_in_all)
        work = hinted(GenerateImages(told), hint)

        def build(root: beam.Pipeline) -> object:
            chunks = unless_stopped(root | "Plan" >> PlanChunks(told), told)
            return chunks | "Generate" >> work | "Write" >> write_images(told, allowed)

        return build

    return _Prepared(job, graph, lambda: DryRun(order.count, 0))


def _checked(model: RunningModel, order: Order) -> RunningModel:
    """The model, if it can make what is ordered: an error now, not in a worker."""
    if isinstance(order, Samples):
        model.sampler()
        model.label(order.label)
    if isinstance(order, Between):
        model.autoencoder()
    return model


def _embed(settings: FamilySettings, own: Any, run: str) -> _Prepared:
    model = _model_here(settings)
    model.describer()
    work = EmbedImages(settings.model.model, settings.model.weights, settings.accelerator, settings.max_pixels)
    file = settings.destination if settings.destination.endswith(SUFFIX) else ""
    settings = replace(settings, destination=parts_folder(file)) if file else settings
    prepared = _over_pictures(_collection_job(settings, own, model.id, None, run), work, _write_vectors)
    return replace(prepared, file=file, model_id=model.id, overwrite_foreign=settings.overwrite_foreign)


def _transform(settings: FamilySettings, own: Any, run: str) -> _Prepared:
    model = _model_here(settings)
    model.autoencoder()
    ops = _latent_ops(own, model, settings.max_pixels)
    picture_format: OutputFormat = settings.format  # type: ignore[assignment]
    work = TransformImages(
        settings.model.model, ops, settings.model.weights, picture_format, settings.accelerator, settings.max_pixels
    )
    job = _collection_job(settings, own, model.id, [op.asked() for op in ops], run)
    return _over_pictures(job, work, write_images)


def _over_pictures(job: Job, work: beam.PTransform, write: Callable[[Job, Allowed], beam.PTransform]) -> _Prepared:
    """The job that reads pictures, works on each and writes what comes of it."""

    def graph(progress: str, hint: str, token: str) -> BuildGraph:
        told = replace(job, progress=progress, token=token)

        def build(root: beam.Pipeline) -> object:
            planned = root | "Plan" >> PlanWork(told)
            read = unless_stopped(planned, told) | "Read" >> ReadObjects(pictures_only=not told.named)
            worked_on = read | told.operation.title() >> hinted(work, hint)
            return worked_on | "Write" >> write(told, may_fail(planned, told))

        return build

    return _Prepared(job, graph, lambda: _outstanding(job))


def _write_vectors(job: Job, allowed: Allowed) -> WriteVectors:
    words = {"options": job.options, "run": job.run, "progress": job.progress}
    return WriteVectors(job.destination, **words, fence=job.fence, allowed=allowed)


def _collection_job(settings: FamilySettings, own: Any, model_id: str, asked: Any, run: str) -> Job:
    job = Job(
        operation=settings.operation,
        source=settings.source,
        destination=settings.destination,
        options=settings.canonical(model_id, asked),
        run=run,
        format=settings.format,
        overwrite=settings.overwrite,
        named=stat_object(settings.source) is not None,
        overwrite_foreign=settings.overwrite_foreign,
        max_failures=max_failures(own),
    )
    next(list_input_parts(job), None)  # a source that holds nothing is an error now, not in a worker
    return job


def _outstanding(job: Job) -> DryRun:
    sizes = [max(item.source.size, 0) for item in plan_here(job) if item.status == "going"]
    return DryRun(len(sizes), sum(sizes))


def _latent_ops(own: Any, model: RunningModel, max_pixels: int) -> list[LatentOp]:
    ops: list[LatentOp] = parse_latent_ops(own.latent_op) if own.latent_op else []
    if own.toward:
        without, having = (list(_pictures(folder, max_pixels)) for folder in own.toward)
        ops.append(Along(direction_between(model, without, having), own.amount))
    if not ops:
        raise UsageError("expected --latent-op or --toward, found neither: say what to do to the latents")
    return ops


def _pictures(folder: str, max_pixels: int) -> Iterator[Pixels]:
    for entry in list_source(folder):
        yield open_picture(read_object(entry.uri), max_pixels=max_pixels).pixels
