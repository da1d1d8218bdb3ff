"""Picture files to ``.avae`` files."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import apache_beam as beam
from apache_beam.pvalue import PCollection

from archivae.bitstream.container import QUALITY_STEP
from archivae.errors import ArchivaeError
from archivae.images import MAX_PIXELS, READ_WORDS, ReadOptions, open_picture, promised_pixels
from archivae.images.picture import Depth, Frames, KeptBytes
from archivae.models import DEFAULT_MODEL
from archivae.operations.adopt import adopt
from archivae.operations.codec import check_effort, with_effort
from archivae.operations.encode import encode_at, options_for
from archivae.operations.names import archive_name
from archivae.operations.rate import RATE_WORDS, Quality, Rate, pick_rate
from archivae.operations.restoration import Restoration
from archivae.operations.source import Encoded, Source
from archivae.stopwatch import timed
from archivae.storage import read_object
from archivae.transforms.batching import PIXELS_AHEAD, BatchingFn
from archivae.transforms.item import Item
from archivae.transforms.residency import CodecSource
from archivae.transforms.restorer_residency import RestorerSource
from archivae.transforms.restoring import Restoring

PICTURES_AHEAD = 3
"""Pictures whose pixels are decoded while a device that takes several at once works."""


@dataclass
class EncodeImages(beam.PTransform):
    """Encodes each `Item`'s picture file into an ``.avae`` file, verified by decoding it.

    ``quality`` goes from 0 to 100. In its place a target may be asked for, as in `archivae.encode`: ``target_psnr``,
    ``target_ssim``, ``target_ssimulacra2``, ``target_bpp``, ``max_bytes`` or ``lossless``. ``model`` is a shipped model's
    name or a weight file's URI; ``accelerator`` one of `archivae.models.ACCELERATORS`. ``share_model`` holds one copy of
    the model for all processes of a machine, known to them by ``tag``, which is the job's own if given none. The seven from
    ``depth`` on are `archivae.images.ReadOptions`: how pictures are read. With a ``restoration`` each picture is restored
    first. ``effort`` goes from 0 to 3: smaller files, more slowly. What fails travels on as a failed item.
    """

    quality: float | None = None
    model: str = DEFAULT_MODEL
    accelerator: str = "auto"
    share_model: bool = False
    max_pixels: int = MAX_PIXELS
    tag: str = ""
    target_psnr: float | None = None
    target_ssim: float | None = None
    target_bpp: float | None = None
    max_bytes: int | None = None
    lossless: bool = False
    depth: Depth = "8"
    frames: Frames = "first"
    strip_metadata: bool = False
    strip_gps: bool = False
    tolerant: bool = False
    keep_dicom_tags: bool = False
    keep_bytes_of: KeptBytes = "none"
    restoration: Restoration | None = None
    effort: int = 0
    target_ssimulacra2: float | None = None

    def __post_init__(self) -> None:
        super().__init__()

    def expand(self, items: PCollection[Item]) -> PCollection[Item]:
        where = (self.accelerator, self.share_model, self.tag or uuid.uuid4().hex)
        rate = pick_rate(**{word: getattr(self, word) for word in RATE_WORDS})
        check_effort(self.effort)
        options = options_for(rate, ReadOptions(**{word: getattr(self, word) for word in READ_WORDS}))
        restoring = None
        if self.restoration is not None:
            restoring = partial(
                Restoring, self.restoration, RestorerSource(self.restoration.restorers, *where), self.max_pixels
            )
        source = CodecSource(self.model, *where)
        return items | beam.ParDo(_EncodeFn(source, rate, self.max_pixels, options, restoring, self.effort))


@dataclass(frozen=True)
class _Waiting:
    item: Item
    source: Source


class _EncodeFn(BatchingFn[_Waiting]):
    step = "encode"

    def __init__(
        self,
        source: CodecSource,
        rate: Rate,
        max_pixels: int,
        options: ReadOptions,
        make_restoring: Callable[[], Restoring] | None,
        effort: int,
    ) -> None:
        self._source = source
        self._rate = rate
        self._max_pixels = max_pixels
        self._options = options
        self._make_restoring = make_restoring
        self._effort = effort

    def display_data(self) -> dict[str, Any]:
        hardware = {"accelerator": self._source.accelerator, "max_pixels": self._max_pixels}
        return {**self._rate.asked(), "effort": self._effort, "model": self._source.model, **hardware}

    def setup(self) -> None:
        self._codec = with_effort(self._source.codec(), self._effort)
        # A CPU that runs the networks has no time left for more, and their memory is better used.
        self.prepared_ahead = PICTURES_AHEAD if self._codec.batch_limit > 1 else 0
        super().setup()
        # A batch has one quality, so under a target each picture is worked on alone.
        self.batch_limit = self._codec.batch_limit if isinstance(self._rate, Quality) else 1
        self._restoring = self._make_restoring() if self._make_restoring else None

    def prepare(self, item: Item) -> tuple[Any, _Waiting, int]:
        with timed("pixels"):
            picture = open_picture(item.data, max_pixels=self._max_pixels, options=self._options)
        if self._restoring is not None:
            item, picture = self._restoring.restore(item, picture)
        height, width = picture.pixels.shape[:2]
        facts = replace(item.facts, height=height, width=width)
        waiting = _Waiting(replace(item, facts=facts), Source(picture, item.data))
        return (height, width), waiting, sum(frame.pixels.shape[0] * frame.pixels.shape[1] for frame in picture.frames)

    def weigh(self, item: Item) -> int:
        known = promised_pixels(item.data) if self._options.frames == "first" else None
        return PIXELS_AHEAD + 1 if known is None else known

    def work(self, batch: Sequence[_Waiting]) -> list[Item]:
        adopted = [self._adopted(waiting) for waiting in batch]
        left = [waiting.source for waiting, found in zip(batch, adopted, strict=True) if found is None]
        fresh = iter(encode_at(left, self._codec, self._rate) if left else ())
        return [found or self._finished(waiting, next(fresh)) for waiting, found in zip(batch, adopted, strict=True)]

    def _adopted(self, waiting: _Waiting) -> Item | None:
        # A file doesn't say how its picture was restored, nor how hard it was encoded.
        if not waiting.item.found or self._restoring is not None or self._effort:
            return None
        try:
            archived = read_object(waiting.item.found)
        except ArchivaeError:
            return None
        encoded = adopt(waiting.source, archived, self._codec, self._rate)
        return None if encoded is None else replace(self._finished(waiting, encoded), kept=True)

    def _finished(self, waiting: _Waiting, encoded: Encoded) -> Item:
        learned = encoded.coding.name == "LEARNED"
        facts = replace(
            waiting.item.facts,
            coding=encoded.coding.name.lower(),
            psnr=encoded.psnr,
            quality=encoded.quality / QUALITY_STEP,
            model=self._codec.id.hex() if learned else "",
            weights=self._source.model if learned else "",
            notes=encoded.notes,
        )
        return replace(waiting.item, target=archive_name(waiting.item.target), data=encoded.data, facts=facts)
