"""Pictures to files that anything opens. The same picture gives the same bytes: no time or name is written."""

from __future__ import annotations

import io
import struct
import zlib
from typing import Any, Literal

import numpy as np
from PIL import Image, PngImagePlugin

from archivae.errors import UsageError
from archivae.images.deep_png import write_deep_png
from archivae.images.metadata import Metadata
from archivae.images.picture import Picture
from archivae.images.pillow import to_image, with_alpha

OutputFormat = Literal["png", "jpeg", "webp"]

ENDINGS: dict[OutputFormat, str] = {"png": ".png", "jpeg": ".jpg", "webp": ".webp"}

# The longest side each format can hold, where it is less than a picture may have.
LONGEST_SIDE: dict[str, int] = {"jpeg": 65_500, "webp": 16_383}

# What JPEG's segments of 65,533 bytes leave for each block; a profile may be spread over 255 of them.
_JPEG_LARGEST = {"EXIF": 65_533 - 6, "XMP": 65_533 - 29, "ICC profile": 255 * (65_533 - 14), "IPTC": 65_533 - 27}

# An iTXt chunk's keyword, then: not compressed, no language, no translated keyword.
_PNG_XMP_HEADER = b"XML:com.adobe.xmp\x00\x00\x00\x00\x00"
# A zTXt chunk's keyword, then: deflated.
_PNG_IPTC_HEADER = b"Raw profile type iptc\x00\x00"
_PNG_ICC_HEADER = b"ICC Profile\x00\x00"
# Photoshop's block in an APP13 segment, then its one resource: signature, number of IPTC, no name.
_JPEG_IPTC_HEADER = b"Photoshop 3.0\x008BIM\x04\x04\x00\x00"


def write_picture(picture: Picture, format: OutputFormat) -> bytes:
    """Encode a picture: PNG and WebP without loss, JPEG at quality 95 with full colour resolution (4:4:4).

    Args:
        picture: as `archivae.images.fitting.fit` made it for ``format``; WebP has no grey and stores three equal channels.
        format: png, jpeg or webp. PNG takes 16 bits; PNG and WebP take alpha and frames.

    Raises:
        UsageError: an unknown format, or a picture or metadata too large for the format.
        ValueError: pixels of another type or shape, or alpha or frames where the format has none.
    """
    writers = {"png": _write_png, "jpeg": _write_jpeg, "webp": _write_webp}
    if format not in writers:
        raise UsageError(f"expected an output format of {', '.join(writers)}, found {format!r}")
    if format == "jpeg" and (picture.alpha is not None or picture.sequence is not None):
        raise ValueError("expected a picture without alpha or frames for jpeg: fit it first")
    height, width = picture.pixels.shape[:2]
    longest = LONGEST_SIDE.get(format)
    if longest is not None and max(height, width) > longest:
        raise UsageError(
            f"expected sides of at most {longest:,} for {format}, found {width} x {height}; write png instead"
        )
    return writers[format](picture)


def _write_png(picture: Picture) -> bytes:
    metadata = picture.metadata
    if picture.deep is not None:
        return write_deep_png(_full_scale(picture), _png_chunks(metadata))
    chunks = PngImagePlugin.PngInfo()
    for name, body in _png_texts(metadata):
        chunks.add(name, body)
    options = {"exif": metadata.exif or None, "icc_profile": metadata.icc or None}
    return _save(picture, "PNG", compress_level=6, pnginfo=chunks, **options)


def _png_texts(metadata: Metadata) -> tuple[tuple[bytes, bytes], ...]:
    texts = [(b"iTXt", _PNG_XMP_HEADER + metadata.xmp)] if metadata.xmp else []
    if metadata.iptc:
        digits = metadata.iptc.hex()
        lines = "\n".join(digits[at : at + 72] for at in range(0, len(digits), 72))
        text = f"\niptc\n{len(metadata.iptc):8}\n{lines}\n".encode()
        texts.append((b"zTXt", _PNG_IPTC_HEADER + zlib.compress(text)))
    return tuple(texts)


def _png_chunks(metadata: Metadata) -> tuple[tuple[bytes, bytes], ...]:
    icc = [(b"iCCP", _PNG_ICC_HEADER + zlib.compress(metadata.icc))] if metadata.icc else []
    exif = [(b"eXIf", metadata.exif)] if metadata.exif else []
    return (*icc, *_png_texts(metadata), *exif)


def _full_scale(picture: Picture) -> np.ndarray:
    """uint16 (H, W, 1 to 4), full at 65535: PNG knows no other scale."""
    assert picture.deep is not None
    whole = picture.deep if picture.alpha is None else np.dstack([picture.deep, picture.alpha])
    if picture.largest == 65535:
        return whole
    return ((whole.astype(np.uint32) * 65535 + picture.largest // 2) // picture.largest).astype(np.uint16)


def _write_jpeg(picture: Picture) -> bytes:
    metadata = picture.metadata
    blocks = {"EXIF": metadata.exif, "XMP": metadata.xmp, "ICC profile": metadata.icc, "IPTC": metadata.iptc}
    for name, block in blocks.items():
        if len(block) > _JPEG_LARGEST[name]:
            raise UsageError(
                f"expected at most {_JPEG_LARGEST[name]:,} bytes of {name} for jpeg, found {len(block):,}; write png instead"
            )
    exif = b"Exif\x00\x00" + metadata.exif if metadata.exif else b""
    options = {"exif": exif, "xmp": metadata.xmp or None, "icc_profile": metadata.icc or None}
    return _save(picture, "JPEG", quality=95, subsampling=0, extra=_jpeg_iptc(metadata.iptc), **options)


def _jpeg_iptc(iptc: bytes) -> bytes:
    if not iptc:
        return b""
    body = _JPEG_IPTC_HEADER + struct.pack(">I", len(iptc)) + iptc + b"\x00" * (len(iptc) % 2)
    return b"\xff\xed" + struct.pack(">H", 2 + len(body)) + body


def _write_webp(picture: Picture) -> bytes:
    metadata = picture.metadata
    options = {"exif": metadata.exif, "xmp": metadata.xmp, "icc_profile": metadata.icc or None}
    return _save(picture, "WEBP", lossless=True, method=4, exact=True, **options)


def _save(picture: Picture, kind: str, **options: Any) -> bytes:
    image, *rest = [_image(frame) for frame in picture.frames]
    if picture.sequence is not None:
        modes = {frame.mode for frame in (image, *rest)}
        mode = "RGBA" if any("A" in mode for mode in modes) else "RGB" if "RGB" in modes else "L"
        image, *rest = [frame.convert(mode) for frame in (image, *rest)]
        times, loops = [*picture.sequence.milliseconds], picture.sequence.loops
        options |= {"save_all": True, "append_images": rest, "duration": times, "loop": loops}
    file = io.BytesIO()
    image.save(file, kind, **options)
    return file.getvalue()


def _image(frame: Picture) -> Image.Image:
    return to_image(frame.pixels) if frame.alpha is None else with_alpha(frame.pixels, frame.alpha)
