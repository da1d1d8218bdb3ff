"""``.avae`` files to picture files."""

from __future__ import annotations

import uuid
from collections.abc import Hashable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import apache_beam as beam
from apache_beam.pvalue import PCollection

from archivae.bitstream import Bitstream, Coding, read_bitstream
from archivae.bitstream.container import QUALITY_STEP
from archivae.errors import ModelError, UnknownModelError
from archivae.images import ENDINGS, MAX_PIXELS, OutputFormat, Picture
from archivae.models import shipped_ids
from archivae.operations.codec import Codec
from archivae.operations.decode import (
    batch_key,
    decode_learned,
    notes_on_writing,
    picture_file,
    stored_picture,
    with_frames,
)
from archivae.operations.names import ARCHIVE_ENDING, decoded_name
from archivae.storage import own_path, stat_object
from archivae.storage.names import scheme_of
from archivae.transforms.batching import BatchingFn
from archivae.transforms.item import Item
from archivae.transforms.residency import CodecSource


@dataclass
class DecodeImages(beam.PTransform):
    """Decodes each `Item`'s ``.avae`` file into a picture file of ``format``.

    Models that this release does not ship are looked for in ``models``, a folder of weight files named by their ids; by
    default in the archive that the file lies in: ``_archivae/models`` in the nearest folder above it that has the model.
    ``restore_profile``: colours go back from sRGB to the source's profile, which is written along. The other fields are
    those of `EncodeImages`. What fails travels on as a failed item.
    """

    format: OutputFormat = "png"
    models: str = ""
    accelerator: str = "auto"
    share_model: bool = False
    max_pixels: int = MAX_PIXELS
    tag: str = ""
    restore_profile: bool = False

    def __post_init__(self) -> None:
        super().__init__()

    def expand(self, items: PCollection[Item]) -> PCollection[Item]:
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
        tag = settings.tag or uuid.uuid4().hex
        self._source = CodecSource("", settings.accelerator, settings.share_model, tag)
        self._max_pixels = settings.max_pixels
        self._restore_profile = settings.restore_profile

    def display_data(self) -> dict[str, Any]:
        return {"format": self._format, "accelerator": self._source.accelerator, "max_pixels": self._max_pixels}

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
            self.batch_limit = self._find_codec(stream.model_id, item.source.uri).batch_limit
            key = batch_key(stream)
        return key, _Parsed(replace(item, facts=facts), stream), stream.height * stream.width

    def work(self, batch: Sequence[_Parsed]) -> list[Item]:
        if batch[0].stream.coding is Coding.LEARNED:
            pictures = decode_learned([parsed.stream for parsed in batch], self._codecs.__getitem__)
        else:
            pictures = [stored_picture(parsed.stream) for parsed in batch]
        return [self._finished(parsed, picture) for parsed, picture in zip(batch, pictures, strict=True)]

    def _finished(self, parsed: _Parsed, first: Picture) -> Item:
        def find(model_id: bytes) -> Codec:
            return self._find_codec(model_id, parsed.item.source.uri)

        picture = with_frames(first, parsed.stream, find, self._max_pixels)
        wishes = (self._format, self._restore_profile)
        return replace(
            parsed.item,
            target=self._target(parsed.item.target),
            data=picture_file(parsed.stream, picture, *wishes),
            facts=replace(parsed.item.facts, notes=notes_on_writing(parsed.stream, picture, *wishes)),
        )

    def _target(self, name: str) -> str:
        """Planned items carry their final name; others lose ``.avae``."""
        if not name.endswith(ARCHIVE_ENDING):
            return name
        return decoded_name(name, ENDINGS[self._format])

    def _find_codec(self, model_id: bytes, archived: str) -> Codec:
        if model_id not in self._codecs:
            model = shipped_ids().get(model_id) or self._find_weights(f"{model_id.hex()}.safetensors", archived)
            codec = replace(self._source, model=model, tag=f"{self._source.tag}-{model_id.hex()}").codec()
            if codec.id != model_id:
                raise ModelError(
                    f"expected model {model_id.hex()} in {model!r}, found {codec.id.hex()}: restore the file"
                )
            self._codecs[model_id] = codec
        return self._codecs[model_id]

    def _find_weights(self, name: str, archived: str) -> str:
        """The URI of the weight file that decodes the object ``archived``."""
        folders = [self._models.rstrip("/")] if self._models else models_above(archived)
        for folder in folders:
            if stat_object(f"{folder}/{name}") is not None:
                return f"{folder}/{name}"
        raise UnknownModelError(
            f"model {name.partition('.')[0]} is neither shipped with this release nor found in {folders[-1]!r}: "
            "put it back, or decode with the release that ships it"
        )


def models_above(uri: str) -> list[str]:
    """Where an object's archive may keep its models, nearest first: beside the object and in each folder above.

    >>> models_above("gs://bucket/archive/a.jpg.avae")
    ['gs://bucket/archive/_archivae/models', 'gs://bucket/_archivae/models']
    """
    root, *parts = uri.rpartition("/")[0].split("/")
    if scheme_of(uri):  # scheme:, nothing, bucket
        root, parts = "/".join([root, *parts[:2]]), parts[2:]
    return [own_path("/".join([root, *parts[:depth]]) or "/", "models") for depth in range(len(parts), -1, -1)]
