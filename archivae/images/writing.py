"""Pixels to a file that anything opens. The same pixels and metadata give the same bytes: no time or name is written."""

from __future__ import annotations

import io
from typing import Literal

import numpy as np
from PIL import Image, PngImagePlugin

from archivae.errors import UsageError
from archivae.images.metadata import NO_METADATA, Metadata
from archivae.images.pillow import to_image

OutputFormat = Literal["png", "jpeg", "webp"]

ENDINGS: dict[OutputFormat, str] = {"png": ".png", "jpeg": ".jpg", "webp": ".webp"}

# The longest side each format can hold, where it is less than a picture may have.
LONGEST_SIDE: dict[str, int] = {"jpeg": 65_500, "webp": 16_383}

# What JPEG's segments of 65,533 bytes leave for each block; a profile may be spread over 255 of them.
_JPEG_LARGEST = {"EXIF": 65_533 - 6, "XMP": 65_533 - 29, "ICC profile": 255 * (65_533 - 14)}

# An iTXt chunk's keyword, then: not compressed, no language, no translated keyword.
_PNG_XMP_HEADER = b"XML:com.adobe.xmp\x00\x00\x00\x00\x00"


def write_picture(pixels: np.ndarray, format: OutputFormat, metadata: Metadata = NO_METADATA) -> bytes:
    """Encode a picture: PNG and WebP without loss, JPEG at quality 95 with full colour resolution (4:4:4).

    Args:
        pixels: uint8, (H, W, 1) or (H, W, 3); WebP has no grey and stores three equal channels.
        format: png, jpeg or webp.
        metadata: written along, byte for byte.

    Raises:
        UsageError: an unknown format, or a picture or metadata too large for the format.
        ValueError: ``pixels`` of another type or shape.
    """
    writers = {"png": _write_png, "jpeg": _write_jpeg, "webp": _write_webp}
    if format not in writers:
        raise UsageError(f"expected an output format of {', '.join(writers)}, found {format!r}")
    image = to_image(pixels)
    longest = LONGEST_SIDE.get(format)
    if longest is not None and max(image.size) > longest:
        width, height = image.size
        raise UsageError(
            f"expected sides of at most {longest:,} for {format}, found {width} x {height}; write png instead"
        )
    return writers[format](image, metadata)


def _write_png(image: Image.Image, metadata: Metadata) -> bytes:
    chunks = PngImagePlugin.PngInfo()
    if metadata.xmp:
        chunks.add(b"iTXt", _PNG_XMP_HEADER + metadata.xmp)
    return _save(
        image, "PNG", compress_level=6, pnginfo=chunks, exif=metadata.exif or None, icc_profile=metadata.icc or None
    )


def _write_jpeg(image: Image.Image, metadata: Metadata) -> bytes:
    blocks = {"EXIF": metadata.exif, "XMP": metadata.xmp, "ICC profile": metadata.icc}
    for name, block in blocks.items():
        if len(block) > _JPEG_LARGEST[name]:
            raise UsageError(
                f"expected at most {_JPEG_LARGEST[name]:,} bytes of {name} for jpeg, found {len(block):,}; write png instead"
            )
    exif = b"Exif\x00\x00" + metadata.exif if metadata.exif else b""
    return _save(
        image, "JPEG", quality=95, subsampling=0, exif=exif, xmp=metadata.xmp or None, icc_profile=metadata.icc or None
    )


def _write_webp(image: Image.Image, metadata: Metadata) -> bytes:
    return _save(
        image, "WEBP", lossless=True, method=4, exif=metadata.exif, xmp=metadata.xmp, icc_profile=metadata.icc or None
    )


def _save(image: Image.Image, kind: str, **options: object) -> bytes:
    file = io.BytesIO()
    image.save(file, kind, **options)
    return file.getvalue()
