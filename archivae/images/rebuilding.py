"""JPEG files without loss through JPEG XL's reversible transcode: about a fifth smaller, the same bytes back.

Lossless rebuilding of JPEG: ISO/IEC 18181-1, annex on reconstruction; by libjxl through imagecodecs.
"""

from __future__ import annotations

import imagecodecs

from archivae.errors import CorruptBitstreamError


def pack_jpeg(data: bytes) -> bytes | None:
    """A JPEG XL file that rebuilds ``data``; None where that can't be done with this JPEG.

    What is returned has been rebuilt and compared.
    """
    try:
        packed = bytes(imagecodecs.jpegxl_encode_jpeg(data))
        return packed if unpack_jpeg(packed) == data else None
    except (imagecodecs.JpegxlError, ValueError, CorruptBitstreamError):  # libjxl refuses what it can't rebuild
        return None


def unpack_jpeg(packed: bytes) -> bytes:
    """The JPEG file. CorruptBitstreamError for damage, and for a JPEG XL file that rebuilds none."""
    try:
        return bytes(imagecodecs.jpegxl_decode_jpeg(packed, numthreads=1))
    except (imagecodecs.JpegxlError, ValueError) as error:
        raise CorruptBitstreamError(f"a packed JPEG is damaged: {error}; the file is altered") from error
