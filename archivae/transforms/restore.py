"""Picture files to restored picture files."""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import apache_beam as beam
from apache_beam.pvalue import PCollection

from archivae.images import ENDINGS, MAX_PIXELS, OutputFormat, Picture, ReadOptions, fit, open_picture, write_picture
from archivae.operations.names import decoded_name
from archivae.operations.restoration import AUTO, Restoration
from archivae.stopwatch import timed
from archivae.transforms.batching import BatchingFn
from archivae.transforms.item import Item
from archivae.transforms.restorer_residency import RestorerSource
from archivae.transforms.restoring import Restoring

AS_STORED = ReadOptions(exact=True)
"""Colours and depth stay as they are: a restorer takes 16 bits, and a profile goes along untouched."""


@dataclass
class RestoreImages(beam.PTransform):
    """Restores each `Item`'s picture file into one of ``format``.

    The first six fields are those of `archivae.operations.restoration.Restoration`, the last four those of `EncodeImages`.
    What was done to a picture is in its facts: tasks and strengths. What fails travels on as a failed item.
    """

    task: str = AUTO
    strength: float | None = None
    masks: str = ""
    mask_colour: str = ""
    restorers: str = ""
    passes: int = 1
    format: OutputFormat = "png"
    accelerator: str = "auto"
    share_model: bool = False
    max_pixels: int = MAX_PIXELS
    tag: str = ""

    def __post_init__(self) -> None:
        super().__init__()

    def expand(self, items: PCollection[Item]) -> PCollection[Item]:
        restoration = Restoration(self.task, self.strength, self.masks, self.mask_colour, self.restorers, self.passes)
        source = RestorerSource(self.restorers, self.accelerator, self.share_model, self.tag or uuid.uuid4().hex)
        return items | beam.ParDo(_RestoreFn(restoration, source, self.format, self.max_pixels))


@dataclass(frozen=True)
class _Opened:
    item: Item
    picture: Picture


class _RestoreFn(BatchingFn[_Opened]):
    """Pictures are restored one by one, in tiles: then what becomes of one never depends on its neighbours."""

    step = "restore"

    def __init__(self, restoration: Restoration, source: RestorerSource, format: OutputFormat, max_pixels: int) -> None:
        self._restoration = restoration
        self._source = source
        self._format = format
        self._max_pixels = max_pixels

    def display_data(self) -> dict[str, Any]:
        return {**self._restoration.asked(), "format": self._format, "accelerator": self._source.accelerator}

    def setup(self) -> None:
        super().setup()
        self._restoring = Restoring(self._restoration, self._source, self._max_pixels)

    def prepare(self, item: Item) -> tuple[Any, _Opened, int]:
        with timed("pixels"):
            picture = open_picture(item.data, max_pixels=self._max_pixels, options=AS_STORED)
        height, width = picture.pixels.shape[:2]
        facts = replace(item.facts, height=height, width=width)
        return (height, width), _Opened(replace(item, facts=facts), picture), height * width

    def work(self, batch: Sequence[_Opened]) -> list[Item]:
        return [self._finished(*self._restoring.restore(opened.item, opened.picture)) for opened in batch]

    def _finished(self, item: Item, picture: Picture) -> Item:
        with timed("pixels"):
            fitted = fit(picture, self._format)
            data = write_picture(fitted, self._format)
        facts = replace(item.facts, notes=fitted.notes)
        return replace(item, target=self._target(item), data=data, facts=facts)

    def _target(self, item: Item) -> str:
        """Planned items carry their final name; others have their source's."""
        if item.target != item.source.name:
            return item.target
        return decoded_name(item.target, ENDINGS[self._format])
