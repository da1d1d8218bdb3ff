"""The pipelines, as Beam graphs: plan, read, work, write."""

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
    PlanWork,
    ReadObjects,
    RestoreImages,
    WriteImages,
)


def build(root: beam.Pipeline, settings: Settings, job: Job) -> PCollection[ManifestRow]:
    """The whole way of a collection."""
    work = {"encode": _encode, "decode": _decode, "restore": _restore}[settings.operation](settings, job)
    write = WriteImages(
        job.destination, operation=job.operation, options=job.options, run=job.run, progress=job.progress
    )
    return (
        root
        | "Plan" >> PlanWork(job)
        | "Read" >> ReadObjects(pictures_only=not job.named)
        | job.operation.title() >> work
        | "Write" >> write
    )


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
