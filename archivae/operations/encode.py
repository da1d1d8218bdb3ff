"""One picture, or a batch of one size, into ``.avae`` bytes: coded, verified, and never larger or worse than it need be."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from PIL import Image

from archivae.bitstream import Bitstream, Coding, Tile, read_bitstream, write_bitstream
from archivae.bitstream.container import EXIF_TAG, ICC_TAG, QUALITY_MAX, QUALITY_STEP, XMP_TAG
from archivae.errors import CorruptBitstreamError, UsageError, VerificationError
from archivae.images import MAX_PIXELS, Metadata, Picture, open_picture, pack_lossless
from archivae.models import DEFAULT_MODEL
from archivae.models.photo.codec import TILE_SIDE
from archivae.operations.codec import Codec, Pixels, named_codec
from archivae.operations.colour import from_rgb, to_rgb
from archivae.operations.decode import stored_picture
from archivae.operations.quality import psnr
from archivae.stopwatch import timed

DEFAULT_QUALITY = 60.0
SMALL_PIXELS = 64 * 64
"""Below this many pixels lossless coding is always tried."""
FEW_COLOURS = 256
"""With at most this many colours lossless coding is always tried."""
PSNR_FLOOR = 15.0
"""A learned file that decodes to less than this, in dB, does not count as the picture."""


@dataclass(frozen=True)
class Source:
    """A picture to encode: ``data`` is its file, empty where there is none (an array)."""

    picture: Picture
    data: bytes

    @property
    def sha256(self) -> bytes:
        """Of the file; where there is none, of the pixels."""
        return hashlib.sha256(self.data or self.picture.pixels.tobytes()).digest()


@dataclass(frozen=True)
class Encoded:
    """An ``.avae`` file and what is to be said of it. ``psnr`` in dB, infinite where nothing was lost."""

    data: bytes
    coding: Coding
    psnr: float
    notes: tuple[str, ...]


def encode(
    image: np.ndarray | Image.Image,
    *,
    quality: float = DEFAULT_QUALITY,
    model: str = DEFAULT_MODEL,
    fallbacks: bool = True,
    accelerator: str = "auto",
) -> bytes:
    """One picture into ``.avae`` bytes.

    Args:
        image: (H, W), (H, W, 1) or (H, W, 3) uint8, or a Pillow image of mode L or RGB.
        quality: 0 to 100.
        model: a shipped model's name, or a ``.safetensors`` file.
        fallbacks: store losslessly what the codec would make larger.
        accelerator: ``auto``, ``cpu``, ``cuda``.

    Raises:
        UsageError: an image or quality that is none.
    """
    picture = Picture(_check_pixels(_as_array(image)), "array", Metadata(), ())
    source = Source(picture, b"")
    (encoded,) = encode_pictures([source], named_codec(model, accelerator), fixed_quality(quality), fallbacks)
    return encoded.data


def encode_file(data: bytes, codec: Codec, quality: float, *, max_pixels: int = MAX_PIXELS) -> Encoded:
    """One picture file into an ``.avae`` file, metadata included. Raises what `open_picture` raises."""
    (encoded,) = encode_pictures(
        [Source(open_picture(data, max_pixels=max_pixels), data)], codec, fixed_quality(quality)
    )
    return encoded


def fixed_quality(quality: float) -> int:
    """Quality in steps of 1/256. UsageError unless within 0 to 100.

    >>> fixed_quality(50)
    12800
    """
    if not 0 <= quality <= QUALITY_MAX:
        raise UsageError(f"quality goes from 0 to {QUALITY_MAX}, found {quality}")
    return round(quality * QUALITY_STEP)


def encode_pictures(sources: Sequence[Source], codec: Codec, quality: int, fallbacks: bool = True) -> list[Encoded]:
    """Pictures of one size into verified ``.avae`` files; ``quality`` in steps of 1/256."""
    rgb = [to_rgb(source.picture.pixels) for source in sources]
    with timed("model"):
        tiles = codec.encode(rgb, quality)
    learned = [_learned(source, t, codec.id, quality) for source, t in zip(sources, tiles, strict=True)]
    return [
        _keep_best(source, data, decoded) if fallbacks else Encoded(data, Coding.LEARNED, decoded, source.picture.notes)
        for source, data, decoded in zip(sources, learned, _verify(sources, learned, codec), strict=True)
    ]


def _learned(source: Source, tiles: Sequence[Tile], model_id: bytes, quality: int) -> bytes:
    learned = {"model_id": model_id, "quality": quality, "tile_side": TILE_SIDE, "tiles": tuple(tiles)}
    return _write(source, Coding.LEARNED, **learned)


def _write(source: Source, coding: Coding, **fields: Any) -> bytes:
    height, width, channels = source.picture.pixels.shape
    # An original carries its metadata within its own bytes.
    ancillary = {} if coding is Coding.ORIGINAL else _ancillary(source.picture.metadata)
    return write_bitstream(Bitstream(height, width, channels, coding, source.sha256, ancillary=ancillary, **fields))


def _ancillary(metadata: Metadata) -> dict[bytes, bytes]:
    parts = {EXIF_TAG: metadata.exif, ICC_TAG: metadata.icc, XMP_TAG: metadata.xmp}
    return {tag: data for tag, data in parts.items() if data}


def _verify(sources: Sequence[Source], files: Sequence[bytes], codec: Codec) -> list[float]:
    """Decode what was written and compare: PSNR of each, in dB. VerificationError where it does not decode."""
    streams = [read_bitstream(data) for data in files]
    first = streams[0]
    try:
        with timed("model"):
            decoded = codec.decode(
                [s.tiles for s in streams], first.height, first.width, first.quality, first.tile_side
            )
    except CorruptBitstreamError as error:
        raise VerificationError(f"what was just encoded does not decode: {error}") from error
    return [
        psnr(source.picture.pixels, from_rgb(rgb, source.picture.pixels.shape[2]))
        for source, rgb in zip(sources, decoded, strict=True)
    ]


def _keep_best(source: Source, learned: bytes, decoded_psnr: float) -> Encoded:
    """The learned file, or what is smaller and loses nothing: lossless coding or the source's own bytes."""
    notes = source.picture.notes
    worst_size = math.inf if decoded_psnr < PSNR_FLOOR else len(learned)
    best = Encoded(learned, Coding.LEARNED, decoded_psnr, notes)
    if worst_size < math.inf and not _fallback_may_win(source, len(learned)):
        return best
    lossless = _write(source, Coding.LOSSLESS, payload=pack_lossless(source.picture.pixels))
    if len(lossless) <= worst_size:
        best = Encoded(lossless, Coding.LOSSLESS, math.inf, (*notes, "stored losslessly: smaller so"))
    if source.data:
        original = _write(source, Coding.ORIGINAL, payload=source.data)
        if len(original) < min(len(best.data), worst_size):
            best = Encoded(original, Coding.ORIGINAL, math.inf, (*notes, "source's own bytes stored: smaller so"))
    _verify_kept(source, best)
    return best


def _fallback_may_win(source: Source, learned_size: int) -> bool:
    pixels = source.picture.pixels
    small = pixels.shape[0] * pixels.shape[1] < SMALL_PIXELS
    return small or (source.data != b"" and 2 * learned_size > len(source.data)) or _few_colours(pixels)


def _few_colours(pixels: Pixels) -> bool:
    flat = pixels.reshape(-1, pixels.shape[2])
    # A coarse sample settles most photographs at once.
    sample = np.unique(flat[:: max(1, len(flat) // 4096)], axis=0)
    return len(sample) <= FEW_COLOURS and len(np.unique(flat, axis=0)) <= FEW_COLOURS


def _verify_kept(source: Source, kept: Encoded) -> None:
    """A fallback is read back too before it counts."""
    if kept.coding is Coding.LEARNED:
        return
    stream = read_bitstream(kept.data)
    whole = stream.payload == source.data if kept.coding is Coding.ORIGINAL else None
    if whole is None:
        whole = np.array_equal(stored_picture(stream).pixels, source.picture.pixels)
    if not whole:
        raise VerificationError(f"what was just stored ({kept.coding.name.lower()}) does not read back as it was")


def _as_array(image: np.ndarray | Image.Image) -> np.ndarray:
    if isinstance(image, Image.Image) and image.mode not in ("L", "RGB"):
        raise UsageError(f'expected a Pillow image of mode L or RGB, found {image.mode}: call .convert("RGB") first')
    return np.asarray(image)


def _check_pixels(pixels: np.ndarray) -> Pixels:
    if pixels.ndim == 2:
        pixels = pixels[:, :, None]
    if pixels.dtype != np.uint8 or pixels.ndim != 3 or pixels.shape[2] not in (1, 3) or pixels.size == 0:
        raise UsageError(
            f"expected a picture as (H, W), (H, W, 1) or (H, W, 3) uint8, found {pixels.dtype} {pixels.shape}: "
            "convert it first"
        )
    return pixels
