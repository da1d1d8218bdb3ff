"""Pictures to other pictures, by a change of their latents."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import apache_beam as beam
from apache_beam.pvalue import PCollection

from archivae.images import ENDINGS, MAX_PIXELS, OutputFormat
from archivae.models import ModelName
from archivae.operations.files import pixels_file
from archivae.operations.latent_ops import LatentOp, transform
from archivae.operations.names import decoded_name
from archivae.stopwatch import timed
from archivae.transforms.item import Item
from archivae.transforms.model_step import ModelFn, Opened
from archivae.transforms.models import ModelSource


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


class _TransformFn(ModelFn):
    step = "transform"

    def __init__(self, settings: TransformImages) -> None:
        source = ModelSource(ModelName(settings.model, settings.weights), settings.accelerator)
        super().__init__(source, settings.max_pixels)
        self._ops = settings.ops
        self._format = settings.format

    def work(self, batch: Sequence[Opened]) -> list[Item]:
        with timed("model"):
            changed = transform(self._model, [opened.pixels for opened in batch], self._ops)
        return [
            replace(opened.item, target=self._target(opened.item), data=pixels_file(pixels, self._format))
            for opened, pixels in zip(batch, changed, strict=True)
        ]

    def _target(self, item: Item) -> str:
        """Planned items carry their final name; others get the ending of the format."""
        ending = ENDINGS[self._format]
        return item.target if item.target.endswith(ending) else decoded_name(item.target, ending)
