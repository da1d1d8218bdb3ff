"""The pipelines, as Beam graphs: plan, read, work, write, and for an archive of shards: pack."""

from __future__ import annotations

from dataclasses import asdict
from typing import Protocol, TypeVar

import apache_beam as beam
from apache_beam.pvalue import PCollection

from archivae.images import OutputFormat
from archivae.pipeline.options import Settings
from archivae.storage import ManifestRow
from archivae.transforms import (
    DecodeImages,
    EncodeImages,
    Item,
    Job,
    PackShards,
    PlanChecks,
    PlanMembers,
    PlanWork,
    ReadNotifications,
    ReadObjects,
    RecordRows,
    RestoreImages,
    VerifyPictures,
    VerifyWhole,
    WriteImages,
)
from archivae.transforms.failures import Allowed, MaxFailures, UnlessStopped
from archivae.transforms.generate import GenerationJob

T = TypeVar("T")


class LimitedJob(Protocol):
    """Where a run writes, and how much of it may fail."""

    @property
    def destination(self) -> str: ...

    @property
    def run(self) -> str: ...

    @property
    def max_failures(self) -> MaxFailures | None: ...


def build(root: beam.Pipeline, settings: Settings, job: Job, hint: str = "") -> PCollection[ManifestRow]:
    """The whole way of a collection. ``hint``: the accelerator that the step with the model needs, empty for none."""
    if settings.operation == "verify":
        return _build_verify(root, settings, job, hint)
    work = hinted({"encode": _encode, "decode": _decode, "restore": _restore}[settings.operation](settings, job), hint)
    planned = root | "Plan" >> _plan(settings, job)
    allowed = may_fail(planned, job)
    rows = (
        unless_stopped(planned, job)
        | "Read" >> ReadObjects(pictures_only=not job.named)
        | job.operation.title() >> work
        | "Write" >> write_images(job, allowed)
    )
    if job.shards is not None:
        _ = (planned, rows) | "Pack" >> PackShards(job)
    return rows


def unless_stopped(planned: PCollection[T], job: LimitedJob) -> PCollection[T]:
    """What is to be worked on until too much of a job has failed: all that is planned, where there is no limit."""
    if job.max_failures is None:
        return planned
    return planned | "Unless stopped" >> UnlessStopped(job.destination, job.run)


def may_fail(planned: PCollection[T], job: LimitedJob) -> Allowed:
    """How much of what is planned may fail."""
    return None if job.max_failures is None else job.max_failures.allowed(planned)


def write_images(job: Job | GenerationJob, allowed: Allowed) -> WriteImages:
    """The step that writes what a job makes."""
    return WriteImages(
        job.destination,
        operation=job.operation,
        options=job.options,
        run=job.run,
        progress=job.progress,
        fence=job.fence,
        overwrite_foreign=job.overwrite_foreign,
        allowed=allowed,
    )


def hinted(work: beam.PTransform, hint: str) -> beam.PTransform:
    """``work`` with the accelerator that it needs, if it needs one."""
    return work.with_resource_hints(accelerator=hint) if hint else work


def _build_verify(root: beam.Pipeline, settings: Settings, job: Job, hint: str) -> PCollection[ManifestRow]:
    work = hinted(VerifyPictures(job, settings.accelerator), hint)
    checks, unread = root | "Plan" >> PlanChecks(job, settings.share, settings.against)
    found = (unless_stopped(checks, job) | "Verify" >> work, root | "Whole" >> VerifyWhole(job), unread)
    record = RecordRows(
        job.destination, run=job.run, step=job.operation, fence=job.fence, allowed=may_fail(checks, job)
    )
    return found | beam.Flatten() | "Record" >> record


def _plan(settings: Settings, job: Job) -> beam.PTransform[beam.Pipeline, Item]:
    if settings.notifications:
        return ReadNotifications(settings.notifications, job)
    return PlanWork(job) if job.shards is None else PlanMembers(job)


def _encode(settings: Settings, job: Job) -> beam.PTransform[Item, Item]:
    return EncodeImages(
        **settings.rate.asked(),
        **settings.reading.asked(),
        model=settings.model,
        accelerator=settings.accelerator,
        share_model=settings.share_model,
        max_pixels=settings.max_pixels,
        tag=job.run,
        restoration=settings.restoration,
        effort=settings.effort,
    )


def _decode(settings: Settings, job: Job) -> beam.PTransform[Item, Item]:
    picture_format: OutputFormat = settings.format  # type: ignore[assignment]
    return DecodeImages(
        picture_format,
        accelerator=settings.accelerator,
        share_model=settings.share_model,
        max_pixels=settings.max_pixels,
        tag=job.run,
        restore_profile=settings.restore_profile,
    )


def _restore(settings: Settings, job: Job) -> beam.PTransform[Item, Item]:
    assert settings.restoration is not None
    picture_format: OutputFormat = settings.format  # type: ignore[assignment]
    return RestoreImages(
        **asdict(settings.restoration),
        format=picture_format,
        accelerator=settings.accelerator,
        share_model=settings.share_model,
        max_pixels=settings.max_pixels,
        tag=job.run,
    )
