"""The pipelines, as Beam graphs: plan, read, work, write, and for an archive of shards: pack."""

from __future__ import annotations

from dataclasses import asdict

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


def build(root: beam.Pipeline, settings: Settings, job: Job, hint: str = "") -> PCollection[ManifestRow]:
    """The whole way of a collection. ``hint``: the accelerator that the step with the model needs, empty for none."""
    if settings.operation == "verify":
        return _build_verify(root, settings, job, hint)
    work = hinted({"encode": _encode, "decode": _decode, "restore": _restore}[settings.operation](settings, job), hint)
    planned = root | "Plan" >> _plan(settings, job)
    write = WriteImages(
        job.destination, operation=job.operation, options=job.options, run=job.run, progress=job.progress
    )
    rows = (
        planned | "Read" >> ReadObjects(pictures_only=not job.named) | job.operation.title() >> work | "Write" >> write
    )
    if job.shards is not None:
        _ = (planned, rows) | "Pack" >> PackShards(job)
    return rows


def hinted(work: beam.PTransform, hint: str) -> beam.PTransform:
    """``work`` with the accelerator that it needs, if it needs one."""
    return work.with_resource_hints(accelerator=hint) if hint else work


def _build_verify(root: beam.Pipeline, settings: Settings, job: Job, hint: str) -> PCollection[ManifestRow]:
    work = hinted(VerifyPictures(job, settings.accelerator), hint)
    checks, unread = root | "Plan" >> PlanChecks(job, settings.share, settings.against)
    found = (checks | "Verify" >> work, root | "Whole" >> VerifyWhole(job), unread)
    return found | beam.Flatten() | "Record" >> RecordRows(job.destination, run=job.run, step=job.operation)


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
