"""TIFF: pages, 1 to 16 bits and float, LZW, Deflate, fax, JPEG-in-TIFF, CMYK, alpha; RGB floats through tifffile."""

from __future__ import annotations

import io
from dataclasses import replace
from functools import partial

import numpy as np
from PIL import TiffImagePlugin, UnidentifiedImageError

from archivae.errors import UnsupportedPictureError
from archivae.images.metadata import read_metadata, unkept
from archivae.images.notes import lost
from archivae.images.orienting import turned_upright
from archivae.images.picture import CHANNELS, Colours, Raster, Rasters, ReadOptions
from archivae.images.readers.deep import load_deep
from archivae.images.readers.extras import import_extra
from archivae.images.readers.frames import OpenFrame, read_frames
from archivae.images.readers.modes import load_raster
from archivae.images.readers.raw import samples_in_place
from archivae.images.readers.tiff_bands import bands
from archivae.images.sizes import check_size

_NEW_SUBFILE_TYPE, _DNG_VERSION = 254, 50706  # tags
_UNSIGNED, _SIGNED, _FLOAT = 1, 2, 3  # values of the tag SampleFormat
_ORIENTATION = 0x0112
_COLOURS: dict[str, Colours] = {"RGB": "rgb", "RGBA": "rgb", "CMYK": "cmyk"}


def read_tiff(data: bytes, options: ReadOptions, max_pixels: int) -> Rasters:
    """UnsupportedPictureError for camera raw, which looks like a TIFF whose first page is a small preview."""
    if data[8:10] == b"CR":
        raise UnsupportedPictureError("expected a picture, found a camera raw file (CR2); not coded yet")
    try:
        return read_frames(data, "TIFF", options, max_pixels, _to_raster)
    except UnidentifiedImageError:
        return _through_tifffile(data, max_pixels)


def _to_raster(open_frame: OpenFrame, options: ReadOptions) -> tuple[Raster, str]:
    image = open_frame()
    assert isinstance(image, TiffImagePlugin.TiffImageFile)
    bits = int(max(image.tag_v2.get(TiffImagePlugin.BITSPERSAMPLE, (1,))))
    sample_format = image.tag_v2.get(TiffImagePlugin.SAMPLEFORMAT, (_UNSIGNED,))[0]
    _check_kind(image, bits, sample_format)
    if sample_format == _FLOAT or (sample_format == _UNSIGNED and bits <= 16):  # others' type depends on all of them
        banded = _by_bands(image, options)
        if banded is not None:
            return banded
    turned = _turned(image)
    deep = load_deep(open_frame, options) if bits == 16 and sample_format == _UNSIGNED else None
    if deep is None:
        largest = 2**bits - 1 if sample_format == _UNSIGNED else 255
        raster, damage = load_raster(open_frame, options, bits=bits, largest=largest, upright=True)
        return replace(raster, turned=turned), damage
    samples, loaded, damage = deep
    colours = _COLOURS[loaded.mode]
    count = CHANNELS[colours]
    raster = Raster(
        samples[:, :, :count],
        colours,
        largest=65535,
        alpha=samples[:, :, count] if samples.shape[2] > count else None,
        metadata=read_metadata(loaded),
        upright=True,
        turned=turned,
        notes=lost(*unkept(loaded)),
    )
    return raster, damage


def _by_bands(image: TiffImagePlugin.TiffImageFile, options: ReadOptions) -> tuple[Raster, str] | None:
    """A large page, of which no more than a band is ever decoded beside the samples; None where it is to be read whole."""
    if samples_in_place(image) is not None:
        return None
    samples, alpha, first, damage = np.empty(0), None, None, ""
    for top, data in bands(image):
        band, broken = _to_raster(partial(_open_band, data), options)
        if first is None:
            first = band
            size = image.tag_v2[TiffImagePlugin.IMAGELENGTH], image.tag_v2[TiffImagePlugin.IMAGEWIDTH]
            samples = np.empty((*size, band.samples.shape[2]), band.samples.dtype)
            alpha = None if band.alpha is None else np.empty(size, band.alpha.dtype)
        samples[top : top + len(band.samples)] = band.samples
        if alpha is not None:
            alpha[top : top + len(band.samples)] = band.alpha
        damage = damage or broken
    if first is None:
        return None
    turned = _turned(image)
    raster = replace(
        first,
        samples=turned_upright(samples, turned),
        alpha=None if alpha is None else turned_upright(alpha, turned),
        metadata=read_metadata(image),
        turned=turned,
        notes=first.notes + lost(*unkept(image)),
    )
    return raster, damage


def _open_band(data: bytes) -> TiffImagePlugin.TiffImageFile:
    return TiffImagePlugin.TiffImageFile(io.BytesIO(data))


def _check_kind(image: TiffImagePlugin.TiffImageFile, bits: int, sample_format: int) -> None:
    tags = image.tag_v2
    if sample_format == _SIGNED and bits == 8:  # Pillow would take -1 for 255
        raise UnsupportedPictureError("expected unsigned samples, found signed ones of 8 bits, which aren't coded yet")
    preview = bool(tags.get(_NEW_SUBFILE_TYPE, 0) & 1)
    if (preview and image.tell() == 0) or _DNG_VERSION in tags:
        raise UnsupportedPictureError(
            "expected a picture, found a camera raw file or a TIFF whose first picture is a preview; not coded yet"
        )


def _turned(image: TiffImagePlugin.TiffImageFile) -> int:
    """The orientation that Pillow applies by itself while it loads a TIFF, and no other file."""
    value = image.getexif().get(_ORIENTATION, 1)
    return value if value in range(1, 9) else 1


def _through_tifffile(data: bytes, max_pixels: int) -> Rasters:
    """Layouts that Pillow has no mode for, float RGB above all."""
    tifffile = import_extra("tifffile", "tiff", "a TIFF of a layout that Pillow doesn't read")
    with tifffile.TiffFile(io.BytesIO(data)) as file:
        page = file.pages[0]
        check_size(page.imagelength, page.imagewidth, max_pixels)
        if page.size > 3 * page.imagelength * page.imagewidth:  # before they are allocated
            raise UnsupportedPictureError(f"expected grey or RGB, found a TIFF of {page.shape}")
        samples = page.asarray()
        count = len(file.pages)
    samples = samples[:, :, None] if samples.ndim == 2 else samples
    if samples.ndim != 3 or samples.shape[2] not in (1, 3) or samples.dtype not in _tifffile_dtypes():
        raise UnsupportedPictureError(
            f"expected grey or RGB of 8 or 16 bits or float, found a TIFF of {samples.dtype} {samples.shape}"
        )
    if samples.dtype in (np.float16, np.float64):
        samples = samples.astype(np.float32)
    largest = 2 ** (8 * samples.itemsize) - 1 if samples.dtype.kind == "u" else 255
    raster = Raster(
        samples,
        "grey" if samples.shape[2] == 1 else "rgb",
        largest=largest,
        upright=True,
        notes=lost("tags of this TIFF"),
    )
    return Rasters(raster, count=count)


def _tifffile_dtypes() -> tuple[type, ...]:
    return np.uint8, np.uint16, np.int16, np.float16, np.float32, np.float64
