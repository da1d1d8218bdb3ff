"""What steps that put pixels through a model share."""

from __future__ import annotations

from collections.abc import Hashable
from dataclasses import dataclass, replace

from archivae.images import open_picture
from archivae.models.running import Pixels, check_picture
from archivae.stopwatch import timed
from archivae.transforms.batching import BatchingFn
from archivae.transforms.item import Item
from archivae.transforms.models import ModelSource


@dataclass(frozen=True)
class Opened:
    """An item, and the pixels of its picture."""

    item: Item
    pixels: Pixels


class ModelFn(BatchingFn[Opened]):
    """Batches of pictures of one size for the model of ``source``, which is loaded once."""

    batch_limit = 64

    def __init__(self, source: ModelSource, max_pixels: int) -> None:
        self._source = source
        self._max_pixels = max_pixels

    def setup(self) -> None:
        super().setup()
        self._model = self._source.running()

    def prepare(self, item: Item) -> tuple[Hashable, Opened, int]:
        with timed("pixels"):
            pixels = open_picture(item.data, max_pixels=self._max_pixels).pixels
        check_picture(self._model.form, pixels, self._model.name)
        height, width, _ = pixels.shape
        item = replace(item, facts=replace(item.facts, height=height, width=width, model=self._model.id))
        return pixels.shape, Opened(item, pixels), height * width
