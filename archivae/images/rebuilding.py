"""JPEG files without loss through JPEG XL's reversible transcode: about a fifth smaller, the same bytes back.

Lossless rebuilding of JPEG: ISO/IEC 18181-1, annex on reconstruction; by libjxl through pillow-jxl-plugin (archivae[jxl]).
"""

from __future__ import annotations

import importlib
import io
from functools import lru_cache
from typing import Any

from PIL import Image

from archivae.errors import CorruptBitstreamError, PictureError, PictureTooLargeError, UnsupportedBitstreamError
from archivae.images.picture import MAX_PIXELS
from archivae.images.readers.jpeg_xl_header import size_and_bits

_EFFORT = 7


def pack_jpeg(data: bytes) -> bytes | None:
    """A JPEG XL file that rebuilds ``data``; None where there is no plugin, or it can't be done with this JPEG.

    What is returned has been rebuilt and compared.
    """
    plugin = _plugin()
    if plugin is None:
        return None
    try:
        with Image.open(io.BytesIO(data), formats=["JPEG"]) as image:
            size, mode = image.size, "L" if image.mode == "L" else "RGB"
        encoder = plugin.Encoder(
            mode=mode, lossless=True, quality=100, decoding_speed=0, effort=_EFFORT,
            use_container=True, use_original_profile=True, num_threads=0,
        )  # fmt: skip
        packed = bytes(encoder(data, *size, jpeg_encode=True))
        return packed if unpack_jpeg(packed) == data else None
    except BaseException as error:  # libjxl refuses what it can't rebuild; the plugin may panic, which is no Exception
        if isinstance(error, KeyboardInterrupt | SystemExit | MemoryError):
            raise
        return None


def unpack_jpeg(packed: bytes, max_pixels: int = MAX_PIXELS) -> bytes:
    """The JPEG file. CorruptBitstreamError for damage, UnsupportedBitstreamError where the plugin is missing.

    PictureTooLargeError for more than ``max_pixels``, looked at before anything is unpacked.
    """
    plugin = _plugin()
    if plugin is None:
        raise UnsupportedBitstreamError("the bitstream holds a JPEG packed with JPEG XL: install archivae[jxl]")
    try:
        height, width, _ = size_and_bits(packed)
    except PictureError as error:
        raise CorruptBitstreamError(f"a packed JPEG is damaged: {error}") from error
    if height * width > max_pixels:
        raise PictureTooLargeError(
            f"expected a packed JPEG of at most {max_pixels:,} pixels, found {height}x{width}: raise --max-pixels"
        )
    try:
        rebuilt, _, data, *_ = plugin.Decoder(num_threads=0)(packed)
    except Exception as error:
        raise CorruptBitstreamError(f"a packed JPEG is damaged: {error}") from error
    if not rebuilt:
        raise CorruptBitstreamError(
            "expected a JPEG XL file that rebuilds a JPEG, found a plain one; the file is altered"
        )
    return bytes(data)


@lru_cache(maxsize=1)
def _plugin() -> Any:
    try:
        return importlib.import_module("pillow_jxl")
    except ImportError:
        return None
