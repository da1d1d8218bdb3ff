"""Pictures to other pictures, by a change of their latents."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from dataclasses import dataclass, replace

import apache_beam as beam
from apache_beam.pvalue import PCollection

from archivae.images import ENDINGS, MAX_PIXELS, OutputFormat, open_picture
from archivae.models import ModelName
from archivae.models.running import check_picture
from archivae.operations.files import pixels_file
from archivae.operations.latent_ops import LatentOp, Pixels, transform
from archivae.operations.names import decoded_name
from archivae.stopwatch import timed
from archivae.transforms.batching import BatchingFn
from archivae.transforms.item import Item
from archivae.transforms.models import ModelSource

BATCH = 64


@dataclass
class TransformImages(beam.PTransform):
    """Encodes each `Item`'s picture, changes its latents by ``ops``, decodes, and writes a file of ``format``.

    ``model`` and ``weights`` are those of `archivae.models.ModelName`. What fails travels on as a failed item.
    """

    model: str
    ops: Sequence[LatentOp]
    weights: str = ""
    format: OutputFormat = "png"
    accelerator: str = "auto"
    max_pixels: int = MAX_PIXELS

    def __post_init__(self) -> None:
        super().__init__()

    def expand(self, items: PCollection[Item]) -> PCollection[Item]:
        return items | beam.ParDo(_TransformFn(self))


@dataclass(frozen=True)
class _Waiting:
    item: Item
    pixels: Pixels


class _TransformFn(BatchingFn[_Waiting]):
    step = "transform"
    batch_limit = BATCH

    def __init__(self, settings: TransformImages) -> None:
        self._source = ModelSource(ModelName(settings.model, settings.weights), settings.accelerator)
        self._ops = settings.ops
        self._format = settings.format
        self._max_pixels = settings.max_pixels

    def setup(self) -> None:
        super().setup()
        self._model = self._source.running()

    def prepare(self, item: Item) -> tuple[Hashable, _Waiting, int]:
        with timed("pixels"):
            pixels = open_picture(item.data, max_pixels=self._max_pixels).pixels
        check_picture(self._model.form, pixels, self._model.name)
        height, width, _ = pixels.shape
        item = replace(item, facts=replace(item.facts, height=height, width=width, model=self._model.id))
        return pixels.shape, _Waiting(item, pixels), height * width

    def work(self, batch: Sequence[_Waiting]) -> list[Item]:
        with timed("model"):
            changed = transform(self._model, [waiting.pixels for waiting in batch], self._ops)
        return [
            replace(waiting.item, target=self._target(waiting.item), data=pixels_file(pixels, self._format))
            for waiting, pixels in zip(batch, changed, strict=True)
        ]

    def _target(self, item: Item) -> str:
        """Planned items carry their final name; others get the ending of the format."""
        ending = ENDINGS[self._format]
        return item.target if item.target.endswith(ending) else decoded_name(item.target, ending)
