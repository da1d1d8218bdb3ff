"""Pictures to files that anything opens. The same picture gives the same bytes: no time or name is written."""

from __future__ import annotations

import io
import struct
import zlib
from typing import Any, Literal

import numpy as np
from PIL import Image, PngImagePlugin

from archivae.errors import UsageError
from archivae.images.deep_png import png_chunk, write_deep_png
from archivae.images.extended_xmp import segments
from archivae.images.metadata import Metadata
from archivae.images.picture import Picture
from archivae.images.pillow import to_image, with_alpha
from archivae.images.resolution import dots_per_metre, exif_resolution, jfif_density

OutputFormat = Literal["png", "jpeg", "webp"]

ENDINGS: dict[OutputFormat, str] = {"png": ".png", "jpeg": ".jpg", "webp": ".webp"}

# The longest side each format can hold, where it is less than a picture may have.
LONGEST_SIDE: dict[str, int] = {"jpeg": 65_500, "webp": 16_383}

# What JPEG's segments of 65,533 bytes leave for a block; a profile may be spread over 255 of them.
JPEG_LARGEST = {"exif": 65_533 - 6, "icc": 255 * (65_533 - 14), "iptc": 65_533 - 27}
"""By the fields of `Metadata`; XMP goes on in an extension."""

# An iTXt chunk's keyword, then: not compressed, no language, no translated keyword.
_PNG_XMP_HEADER = b"XML:com.adobe.xmp\x00\x00\x00\x00\x00"
_PNG_HEADER = 33  # bytes of the signature and IHDR
# A zTXt chunk's keyword, then: deflated.
_PNG_IPTC_HEADER = b"Raw profile type iptc\x00\x00"
_PNG_ICC_HEADER = b"ICC Profile\x00\x00"
# Photoshop's block in an APP13 segment, then its one resource: signature, number of IPTC, no name.
_APP1, _APP13 = 0xE1, 0xED
_JFIF_DENSITY = 13  # where its unit stands: the marker of the start, marker and length, "JFIF", zero, version
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
    file = _save(picture, "PNG", compress_level=6, pnginfo=chunks, **options)
    added = b"".join(png_chunk(name, body) for name, body in _png_density(metadata))
    return file[:_PNG_HEADER] + added + file[_PNG_HEADER:]


def _png_density(metadata: Metadata) -> tuple[tuple[bytes, bytes], ...]:
    """The chunk of the density that EXIF tells."""
    told = exif_resolution(metadata.exif)
    dots = None if told is None else dots_per_metre(told)
    return () if dots is None else ((b"pHYs", struct.pack(">IIB", *dots)),)


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
    return (*_png_density(metadata), *icc, *_png_texts(metadata), *exif)


def _full_scale(picture: Picture) -> np.ndarray:
    """uint16 (H, W, 1 to 4), full at 65535: PNG knows no other scale."""
    assert picture.deep is not None
    whole = picture.deep if picture.alpha is None else np.dstack([picture.deep, picture.alpha])
    if picture.largest == 65535:
        return whole
    return ((whole.astype(np.uint32) * 65535 + picture.largest // 2) // picture.largest).astype(np.uint16)


def _write_jpeg(picture: Picture) -> bytes:
    metadata = picture.metadata
    for name, most in JPEG_LARGEST.items():
        size = len(getattr(metadata, name))
        if size > most:
            raise UsageError(
                f"{size:,} bytes of {name.upper()} are more than the {most:,} of a jpeg; write png instead"
            )
    exif = b"Exif\x00\x00" + metadata.exif if metadata.exif else b""
    xmp = [_jpeg_segment(_APP1, body) for body in segments(metadata.xmp)] if metadata.xmp else []
    extra = b"".join([*xmp, _jpeg_iptc(metadata.iptc)])
    options = {"exif": exif, "icc_profile": metadata.icc or None, "extra": extra}
    return _with_density(_save(picture, "JPEG", quality=95, subsampling=0, **options), metadata)


def _with_density(jpeg: bytes, metadata: Metadata) -> bytes:
    """The density that EXIF tells put into the JFIF segment, which comes first."""
    told = exif_resolution(metadata.exif)
    density = None if told is None else jfif_density(told)
    if density is None:
        return jpeg
    return jpeg[:_JFIF_DENSITY] + density + jpeg[_JFIF_DENSITY + len(density) :]


def _jpeg_segment(marker: int, body: bytes) -> bytes:
    return struct.pack(">BBH", 0xFF, marker, 2 + len(body)) + body


def _jpeg_iptc(iptc: bytes) -> bytes:
    if not iptc:
        return b""
    body = _JPEG_IPTC_HEADER + struct.pack(">I", len(iptc)) + iptc + b"\x00" * (len(iptc) % 2)
    return _jpeg_segment(_APP13, body)


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
