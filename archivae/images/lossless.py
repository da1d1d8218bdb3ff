"""Pixels to bytes without loss, for what the learned codec makes larger: one byte that names the codec, then its file."""

from __future__ import annotations

import io
from enum import IntEnum

import numpy as np
from PIL import Image

from archivae.errors import CorruptBitstreamError
from archivae.images.pillow import pillow_errors_as, to_image, to_pixels
from archivae.images.planes import pack_planes, unpack_planes
from archivae.images.writing import LONGEST_SIDE

DEEP_TYPES = (np.dtype(np.uint16), np.dtype(np.int16), np.dtype(np.float32))
EIGHT_BITS = np.dtype(np.uint8)

# Up to here both codecs are tried; beyond, PNG takes seconds and WebP is nearly always the smaller.
_BOTH_UP_TO_PIXELS = 4_000_000


class LosslessCodec(IntEnum):
    """The first byte of a lossless payload. Numbers are part of the file format: never reused."""

    PNG = 0
    WEBP = 1
    PLANES = 2


def pack_lossless(pixels: np.ndarray) -> bytes:
    """The codec's number and a PNG or WebP file: the smaller of the two for pictures up to 4 megapixels.

    Args:
        pixels: uint8, (H, W, 1) or (H, W, 3), ValueError for anything else; or uint16, int16, float32, which have a codec
            of their own.
    """
    if pixels.dtype in DEEP_TYPES:
        return bytes([LosslessCodec.PLANES]) + pack_planes(pixels)
    image = to_image(pixels)
    if max(image.size) > LONGEST_SIDE["webp"]:
        return _pack_png(image)
    webp = _pack_webp(image)
    if image.width * image.height > _BOTH_UP_TO_PIXELS:
        return webp
    return min(_pack_png(image), webp, key=len)


def unpack_lossless(data: bytes, *, height: int, width: int, channels: int, dtype: np.dtype = EIGHT_BITS) -> np.ndarray:
    """The pixels that ``pack_lossless`` was given: (height, width, channels) of ``dtype``, read-only.

    Raises:
        CorruptBitstreamError: an unknown codec, a damaged payload, or a picture of another size or kind than told; the size
            is checked before anything is decoded.
    """
    codec = _codec(data)
    if (codec is LosslessCodec.PLANES) != (dtype != EIGHT_BITS):
        raise CorruptBitstreamError(f"expected samples of {dtype}, found codec {codec.name}; the file is altered")
    if codec is LosslessCodec.PLANES:
        return unpack_planes(data[1:], (height, width, channels), dtype)
    with pillow_errors_as(CorruptBitstreamError, f"decoding a lossless {codec.name} payload"):
        image = _open(data[1:], codec)
        _check(image, codec, (width, height), channels)
        if codec is LosslessCodec.PNG:
            _open(data[1:], codec).verify()  # loading alone doesn't look at the checksums
        pixels = to_pixels(image)
    if pixels.shape[2] == channels:
        return pixels
    if (pixels != pixels[:, :, :1]).any():
        raise CorruptBitstreamError("expected a grey picture, found colours in its WebP payload; the file is altered")
    grey = np.ascontiguousarray(pixels[:, :, :1])
    grey.setflags(write=False)
    return grey


def _pack_png(image: Image.Image) -> bytes:
    return _pack(LosslessCodec.PNG, image, compress_level=9)


def _pack_webp(image: Image.Image) -> bytes:
    return _pack(LosslessCodec.WEBP, image, lossless=True, method=4, exact=True)


def _pack(codec: LosslessCodec, image: Image.Image, **options: int) -> bytes:
    file = io.BytesIO()
    image.save(file, codec.name, **options)
    return bytes([codec]) + file.getvalue()


def _codec(data: bytes) -> LosslessCodec:
    try:
        return LosslessCodec(data[0])
    except (IndexError, ValueError) as error:
        found = f"byte {data[0]}" if data else "nothing"
        raise CorruptBitstreamError(
            f"expected a lossless codec of 0 (PNG), 1 (WebP) or 2 (planes), found {found}"
        ) from error


def _open(payload: bytes, codec: LosslessCodec) -> Image.Image:
    return Image.open(io.BytesIO(payload), formats=[codec.name])


def _check(image: Image.Image, codec: LosslessCodec, size: tuple[int, int], channels: int) -> None:
    mode = "L" if codec is LosslessCodec.PNG and channels == 1 else "RGB"
    frames = getattr(image, "n_frames", 1)
    if (image.size, image.mode, frames) != (size, mode, 1):
        raise CorruptBitstreamError(
            f"expected one {mode} picture of {size[0]} x {size[1]}, found {frames} of mode {image.mode} and "
            f"{image.width} x {image.height}; the file is altered"
        )
