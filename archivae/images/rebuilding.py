"""JPEG files without loss through JPEG XL's reversible transcode: about a fifth smaller, the same bytes back.

Lossless rebuilding of JPEG: ISO/IEC 18181-1, annex on reconstruction; by libjxl through imagecodecs.
"""

from __future__ import annotations

import imagecodecs

from archivae.errors import CorruptBitstreamError, PictureError, PictureTooLargeError
from archivae.images.picture import MAX_PIXELS
from archivae.images.readers.libjxl import jpeg_xl_header


def pack_jpeg(data: bytes) -> bytes | None:
    """A JPEG XL file that rebuilds ``data``; None where that can't be done with this JPEG.

    What is returned has been rebuilt and compared.
    """
    try:
        packed = bytes(imagecodecs.jpegxl_encode_jpeg(data))
        return packed if unpack_jpeg(packed) == data else None
    except (imagecodecs.JpegxlError, ValueError, CorruptBitstreamError, PictureTooLargeError):
        return None  # libjxl refuses what it can't rebuild


def unpack_jpeg(packed: bytes, max_pixels: int = MAX_PIXELS) -> bytes:
    """The JPEG file. CorruptBitstreamError for damage, and for a JPEG XL file that rebuilds none.

    PictureTooLargeError for more than ``max_pixels``, looked at before anything is unpacked.
    """
    try:
        header = jpeg_xl_header(packed)
    except PictureError as error:
        raise CorruptBitstreamError(f"a packed JPEG is damaged: {error}") from error
    if header.height * header.width > max_pixels:
        raise PictureTooLargeError(
            f"expected a packed JPEG of at most {max_pixels:,} pixels, found {header.height}x{header.width}: "
            "raise --max-pixels"
        )
    try:
        return bytes(imagecodecs.jpegxl_decode_jpeg(packed, numthreads=1))
    except (imagecodecs.JpegxlError, ValueError) as error:
        raise CorruptBitstreamError(f"a packed JPEG is damaged: {error}; the file is altered") from error
