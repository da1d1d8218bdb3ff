"""``.avae`` files to picture files."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from dataclasses import dataclass, replace

import apache_beam as beam

from archivae.bitstream import Bitstream, Coding, read_bitstream
from archivae.bitstream.container import QUALITY_STEP
from archivae.errors import UnknownModelError
from archivae.images import ENDINGS, MAX_PIXELS, OutputFormat
from archivae.models import shipped_ids
from archivae.operations.codec import Codec
from archivae.operations.decode import batch_key, decode_learned, picture_file, stored_picture
from archivae.storage import stat_object
from archivae.operations.names import ARCHIVE_ENDING, decoded_name
from archivae.transforms.batching import BatchingFn
from archivae.transforms.item import Item
from archivae.transforms.residency import CodecSource


@dataclass
class DecodeImages(beam.PTransform):
    """Decodes each `Item`'s ``.avae`` file into a picture file of ``format``.

    ``models`` is a folder of weight files named by their ids, such as an archive's ``_archivae/models``: where models
    are looked up that this release does not ship. What fails travels on as a failed item.
    """

    format: OutputFormat = "png"
    models: str = ""
    accelerator: str = "auto"
    share_model: bool = False
    max_pixels: int = MAX_PIXELS
    tag: str = ""

    def __post_init__(self) -> None:
        super().__init__()

    def expand(self, items: beam.PCollection[Item]) -> beam.PCollection[Item]:
        return items | beam.ParDo(_DecodeFn(self))


@dataclass(frozen=True)
class _Parsed:
    item: Item
    stream: Bitstream


class _DecodeFn(BatchingFn[_Parsed]):
    step = "decode"

    def __init__(self, settings: DecodeImages) -> None:
        self._format = settings.format
        self._models = settings.models
        self._source = CodecSource("", settings.accelerator, settings.share_model, settings.tag)
        self._max_pixels = settings.max_pixels

    def setup(self) -> None:
        super().setup()
        self._codecs: dict[bytes, Codec] = {}

    def prepare(self, item: Item) -> tuple[Hashable, _Parsed, int]:
        stream = read_bitstream(item.data, max_pixels=self._max_pixels)
        facts = replace(
            item.facts,
            height=stream.height,
            width=stream.width,
            coding=stream.coding.name.lower(),
            quality=stream.quality / QUALITY_STEP,
            model=stream.model_id.hex() if stream.coding is Coding.LEARNED else "",
        )
        key: Hashable = stream.coding
        if stream.coding is Coding.LEARNED:
            self.batch_limit = self._find_codec(stream.model_id).batch_limit
            key = batch_key(stream)
        return key, _Parsed(replace(item, facts=facts), stream), stream.height * stream.width

    def work(self, batch: Sequence[_Parsed]) -> list[Item]:
        if batch[0].stream.coding is Coding.LEARNED:
            pictures = decode_learned([parsed.stream for parsed in batch], self._find_codec)
        else:
            pictures = [stored_picture(parsed.stream) for parsed in batch]
        return [
            replace(
                parsed.item,
                target=self._target(parsed.item.target),
                data=picture_file(parsed.stream, picture, self._format),
                facts=replace(parsed.item.facts, notes=picture.notes),
            )
            for parsed, picture in zip(batch, pictures, strict=True)
        ]

    def _target(self, name: str) -> str:
        """Planned items carry their final name; others lose ``.avae``."""
        if not name.endswith(ARCHIVE_ENDING):
            return name
        return decoded_name(name, ENDINGS[self._format])

    def _find_codec(self, model_id: bytes) -> Codec:
        if model_id not in self._codecs:
            self._codecs[model_id] = self._model_source(model_id).codec()
        return self._codecs[model_id]

    def _model_source(self, model_id: bytes) -> CodecSource:
        tag = f"{self._source.tag}-{model_id.hex()}"
        shipped = shipped_ids().get(model_id)
        if shipped:
            return replace(self._source, model=shipped, tag=tag)
        uri = f"{self._models.rstrip('/')}/{model_id.hex()}.safetensors"
        if not self._models or stat_object(uri) is None:
            raise UnknownModelError(
                f"model {model_id.hex()} is not shipped with this release, nor found as {uri!r}: "
                "name the folder that holds it, _archivae/models in the archive it belongs to"
            )
        return replace(self._source, model=uri, tag=tag)
