"""One run of generate, embed or transform: check, plan, submit, watch, report."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import Any

import apache_beam as beam
from apache_beam.options.pipeline_options import PipelineOptions, TestOptions

from archivae.errors import UsageError
from archivae.images import OutputFormat, open_picture
from archivae.models import RunningModel
from archivae.operations.generate import Between, Order, Pixels, Samples
from archivae.operations.latent_ops import Along, LatentOp, direction_between, parse_latent_ops
from archivae.pipeline.family_options import FamilySettings, pick_order
from archivae.pipeline.options import ArchivaeOptions
from archivae.pipeline.run import (
    LOCAL_RUNNERS,
    AnyJob,
    DryRun,
    check_destination,
    new_run,
    pick_runner,
    run_graph,
    watched,
)
from archivae.pipeline.summary import Summary, read_summary
from archivae.storage import list_source, read_object, remove_stale_scratch, stat_object
from archivae.transforms import Job, PlanWork, ReadObjects, WriteImages
from archivae.transforms.embed import EmbedImages, WriteVectors
from archivae.transforms.generate import GenerateImages, GenerationJob, PlanChunks
from archivae.transforms.models import ModelSource
from archivae.transforms.plan import list_inputs, plan_here
from archivae.transforms.transform import TransformImages

BuildGraph = Callable[[beam.Pipeline], object]


@dataclass(frozen=True)
class _Prepared:
    """A job and, given the file that workers tally in, its graph; how many objects and bytes it has yet to work on."""

    job: AnyJob
    run: str
    graph: Callable[[str], BuildGraph]
    outstanding: Callable[[], DryRun]

    @property
    def destination(self) -> str:
        return self.job.destination


def run_family(options: PipelineOptions, watch: bool = True) -> Summary | DryRun:
    """Run one job to its end and say what became of it, as `archivae.pipeline.run.run` does.

    Raises an ArchivaeError before any work where the options, the model or the destination are wrong.
    """
    own = options.view_as(ArchivaeOptions)
    settings = FamilySettings.from_options(own)
    runner = pick_runner(options)
    prepared = {"generate": _generate, "embed": _embed, "transform": _transform}[settings.operation](settings, own)
    check_destination(prepared.job)
    if options.view_as(TestOptions).dry_run:
        return prepared.outstanding()
    remove_stale_scratch(prepared.destination)
    began = time.monotonic()
    with watched(runner in LOCAL_RUNNERS and watch, settings.operation) as progress:
        skipped = run_graph(options, prepared.graph(progress))
    return read_summary(prepared, skipped, time.monotonic() - began, settings.operation)


def _generate(settings: FamilySettings, own: Any) -> _Prepared:
    order = pick_order(own)
    source = ModelSource(settings.model, settings.accelerator) if order.needs_model else None
    model_id = "" if source is None else _checked(source.running(), order).id
    asked = order.asked() | ({"shards": True} if own.shards else {})
    picture_format: OutputFormat = settings.format  # type: ignore[assignment]
    options = settings.canonical(model_id, asked)
    job = GenerationJob(
        order, source, settings.destination, options, new_run(), picture_format, own.shards, settings.overwrite
    )

    def graph(progress: str) -> BuildGraph:
        told = replace(job, progress=progress)
        write = WriteImages(job.destination, operation="generate", options=job.options, run=job.run, progress=progress)
        return lambda root: root | "Plan" >> PlanChunks(told) | "Generate" >> GenerateImages(told) | "Write" >> write

    return _Prepared(job, job.run, graph, lambda: DryRun(order.count, 0))


def _checked(model: RunningModel, order: Order) -> RunningModel:
    """The model, if it can make what is ordered: an error now, not in a worker."""
    if isinstance(order, Samples):
        model.sampler()
        model.label(order.label)
    if isinstance(order, Between):
        model.autoencoder()
    return model


def _embed(settings: FamilySettings, own: Any) -> _Prepared:
    model = ModelSource(settings.model, settings.accelerator).running()
    model.describer()
    job = _collection_job(settings, model.id, None)
    work = EmbedImages(settings.model.model, settings.model.weights, settings.accelerator, settings.max_pixels)

    def graph(progress: str) -> BuildGraph:
        told = replace(job, progress=progress)
        write = WriteVectors(job.destination, options=job.options, run=job.run, progress=progress)
        return lambda root: (
            root
            | "Plan" >> PlanWork(told)
            | "Read" >> ReadObjects(pictures_only=not job.named)
            | "Embed" >> work
            | "Write" >> write
        )

    return _Prepared(job, job.run, graph, lambda: _outstanding(job))


def _transform(settings: FamilySettings, own: Any) -> _Prepared:
    model = ModelSource(settings.model, settings.accelerator).running()
    model.autoencoder()
    ops = _latent_ops(own, model, settings.max_pixels)
    job = _collection_job(settings, model.id, [op.asked() for op in ops])
    picture_format: OutputFormat = settings.format  # type: ignore[assignment]
    work = TransformImages(
        settings.model.model, ops, settings.model.weights, picture_format, settings.accelerator, settings.max_pixels
    )

    def graph(progress: str) -> BuildGraph:
        told = replace(job, progress=progress)
        write = WriteImages(job.destination, operation="transform", options=job.options, run=job.run, progress=progress)
        return lambda root: (
            root
            | "Plan" >> PlanWork(told)
            | "Read" >> ReadObjects(pictures_only=not job.named)
            | "Transform" >> work
            | "Write" >> write
        )

    return _Prepared(job, job.run, graph, lambda: _outstanding(job))


def _collection_job(settings: FamilySettings, model_id: str, asked: Any) -> Job:
    job = Job(
        operation=settings.operation,
        source=settings.source,
        destination=settings.destination,
        options=settings.canonical(model_id, asked),
        run=new_run(),
        format=settings.format,
        overwrite=settings.overwrite,
        named=stat_object(settings.source) is not None,
    )
    next(list_inputs(job), None)  # a source that holds nothing is an error now, not in a worker
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
