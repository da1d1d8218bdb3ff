"""JPEG XL: 8 to 16 bits and float, alpha, animations, profiles and the metadata in its boxes, by libjxl in imagecodecs."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass

import imagecodecs
import numpy as np

from archivae.errors import DamagedPictureError, UnsupportedPictureError
from archivae.images.metadata import Metadata
from archivae.images.notes import NO_NOTES, Notes, changed, lost
from archivae.images.picture import Colours, Raster, Rasters, ReadOptions
from archivae.images.readers.libjxl import JpegXlHeader, jpeg_xl_header
from archivae.images.sizes import check_size

_SRGB, _LINEAR = 1, 8  # primaries and a transfer of ITU-T H.273
_STRUCTURAL = (b"JXL ", b"ftyp", b"jxlc", b"jxlp", b"jxll", b"jxli")
_JPEG_DATA = b"jbrd"
_NAMES = {_JPEG_DATA: "the data that rebuild the JPEG it was made of"}


def read_jpeg_xl(data: bytes, options: ReadOptions, max_pixels: int) -> Rasters:
    """libjxl turns pictures upright. DamagedPictureError for any damage: nothing is decoded of half a file."""
    header = jpeg_xl_header(data)
    count = len(header.milliseconds)
    wished = count if options.frames == "all" else 1
    check_size(header.height, header.width, max_pixels, wished)
    boxed = _boxed(data)
    try:
        frames = imagecodecs.jpegxl_decode(data, 0 if wished == 1 else None)
    except imagecodecs.JpegxlError as error:
        raise DamagedPictureError(f"decoding JPEG XL failed: {error}") from error
    shape = (wished, header.height, header.width, -1)
    rasters = [_raster(frame, header, boxed) for frame in np.reshape(frames, shape)]
    times = header.milliseconds if wished > 1 else (0,)
    return Rasters(rasters[0], tuple(rasters[1:]), count, times, header.loops)


def _raster(samples: np.ndarray, header: JpegXlHeader, boxed: _Boxed) -> Raster:
    """(H, W, C) as libjxl gives it, alpha last."""
    channels = 1 if header.grey else 3
    colours: Colours = "grey" if header.grey else "rgb"
    if samples.shape[2] not in (channels, channels + 1):
        raise UnsupportedPictureError(f"a JPEG XL of {samples.shape[2]} channels, which isn't coded yet: convert it")
    if samples.dtype == np.float16:
        samples = samples.astype(np.float32)
    return Raster(
        samples[:, :, :channels],
        colours,
        largest=2**header.bits - 1 if samples.dtype.kind == "u" else 255,
        linear=header.transfer == _LINEAR and samples.itemsize > 1 and (header.grey or header.primaries == _SRGB),
        alpha=samples[:, :, channels] if header.alpha and samples.shape[2] > channels else None,
        metadata=Metadata(boxed.exif, header.icc, boxed.xmp),
        upright=True,
        turned=header.orientation,
        approximate=header.premultiplied or header.bits > 8 * samples.itemsize,
        partial=header.extra_channels > header.alpha,
        notes=boxed.notes + _notes(header),
    )


def _notes(header: JpegXlHeader) -> Notes:
    others = header.extra_channels - header.alpha
    notes = lost(f"{others} extra channels, which are no colour and no alpha") if others else NO_NOTES
    if header.preview:
        notes += lost("preview picture")
    if header.premultiplied:
        notes += changed("colours divided by the alpha that they were multiplied by")
    return notes


@dataclass(frozen=True)
class _Boxed:
    """What a container holds beside the codestream."""

    exif: bytes
    xmp: bytes
    notes: Notes


def _boxed(data: bytes) -> _Boxed:
    """The first EXIF and XMP are carried, all other boxes that are no part of the codestream are lost."""
    found: dict[bytes, bytes] = {}
    names = []
    for name, body in boxes(data):
        if name == b"brob":
            name, body = body[:4], bytes(imagecodecs.brotli_decode(body[4:]))
        if name in (b"Exif", b"xml ") and name not in found:
            found[name] = body
        elif name not in _STRUCTURAL:
            names.append(_NAMES.get(name, f"box {name.decode('latin-1')!r}"))
    exif = found.get(b"Exif", b"")
    start = 4 + int.from_bytes(exif[:4], "big")  # where the TIFF header is told to begin
    return _Boxed(exif[start:], found.get(b"xml ", b""), lost(*names))


def boxes(data: bytes) -> Iterator[tuple[bytes, bytes]]:
    """Names and bodies of a container's boxes; none of a bare codestream."""
    at = 0 if data[4:8] == b"JXL " else len(data)
    while at + 8 <= len(data):
        size, name = struct.unpack_from(">I4s", data, at)
        head = 8
        if size == 1 and at + 16 <= len(data):
            (size,) = struct.unpack_from(">Q", data, at + 8)
            head = 16
        end = at + size if size else len(data)
        yield name, data[at + head : end]
        at = max(end, at + 8)
