"""Pictures to vectors, in Parquet."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import apache_beam as beam
import numpy as np
from apache_beam.pvalue import PCollection

from archivae.images import MAX_PIXELS
from archivae.models import DEFAULT_MODEL, ModelName
from archivae.operations.embed import Vectors, embed
from archivae.stopwatch import timed
from archivae.storage import ManifestRow
from archivae.storage.fence import Fence
from archivae.storage.vectors import part_name, write_part
from archivae.transforms.failures import Allowed
from archivae.transforms.item import Item
from archivae.transforms.model_step import ModelFn, Opened
from archivae.transforms.models import ModelSource
from archivae.transforms.write import WriteFn


@dataclass
class EmbedImages(beam.PTransform):
    """The vector of each `Item`'s picture, as its data: little-endian float32.

    ``model`` and ``weights`` are those of `archivae.models.ModelName`. What fails travels on as a failed item.
    """

    model: str = DEFAULT_MODEL
    weights: str = ""
    accelerator: str = "auto"
    max_pixels: int = MAX_PIXELS

    def __post_init__(self) -> None:
        super().__init__()

    def expand(self, items: PCollection[Item]) -> PCollection[Item]:
        source = ModelSource(ModelName(self.model, self.weights), self.accelerator)
        return items | beam.ParDo(_EmbedFn(source, self.max_pixels))


class WriteVectors(beam.PTransform):
    """Writes embedded items into Parquet files under ``destination``: PCollection of `Item` -> of `ManifestRow`.

    Each bundle becomes a file of its own, then its rows go to the manifest, as with `WriteImages`.
    """

    def __init__(
        self,
        destination: str,
        *,
        options: str = "{}",
        run: str = "",
        progress: str = "",
        fence: Fence | None = None,
        allowed: Allowed = None,
    ) -> None:
        super().__init__()
        self._words = (destination, "embed", options, run, progress, fence)
        self._allowed = allowed

    def expand(self, items: PCollection[Item]) -> PCollection[ManifestRow]:
        return items | beam.ParDo(_WriteVectorsFn(*self._words), self._allowed)


class _EmbedFn(ModelFn):
    step = "embed"

    def work(self, batch: Sequence[Opened]) -> list[Item]:
        with timed("model"):
            vectors = embed(self._model, [opened.pixels for opened in batch])
        return [
            replace(opened.item, data=vector.astype("<f4").tobytes())
            for opened, vector in zip(batch, vectors, strict=True)
        ]


class _WriteVectorsFn(WriteFn):
    """Items gather until their rows are due; then their vectors are written first."""

    ahead = 0  # they only gather: there is nothing to wait for

    def start_bundle(self) -> None:
        super().start_bundle()
        self._begin()

    def store(self, item: Item) -> Item:
        if item.status != "going":
            return item
        self._uris.append(item.source.uri)
        self._model = item.facts.model
        self._vectors.append(np.frombuffer(item.data, "<f4"))
        return replace(item, target=self._part)

    def make_durable(self) -> None:
        if self._uris:
            vectors: Vectors = np.stack(self._vectors)
            with timed("io"):
                write_part(self._destination, self._part, self._model, self._uris, vectors)
        self._begin()

    def _begin(self) -> None:
        self._part = part_name()
        self._model = ""
        self._uris: list[str] = []
        self._vectors: list[Vectors] = []
