"""TIFF and BigTIFF: pages of grey, RGB, palettes and inks, of 1 to 64 bits, in every compression that imagecodecs has."""

from __future__ import annotations

import io
from dataclasses import replace
from typing import Any

import tifffile

from archivae.errors import DamagedPictureError, UnsupportedPictureError
from archivae.images.notes import lost
from archivae.images.orienting import turned_upright
from archivae.images.picture import Raster, Rasters, ReadOptions
from archivae.images.readers.tiff_colours import raster_of
from archivae.images.readers.tiff_extents import unreferenced
from archivae.images.readers.tiff_layout import YCBCR, layout_of
from archivae.images.readers.tiff_libtiff import is_libtiffs, libtiff_raster
from archivae.images.readers.tiff_samples import stored_samples
from archivae.images.readers.tiff_tags import check_layout_tags, directory_metadata, lost_tags, orientation_of
from archivae.images.readers.tiff_ycbcr import ycbcr_raster
from archivae.images.sizes import check_size

_NEW_SUBFILE_TYPE, _DNG_VERSION = 254, 50706
_MOST_SAMPLES_A_PIXEL = 4
"""More bytes than a picture of so many samples of 8 bytes and the most pixels are never decoded."""


def read_tiff(data: bytes, options: ReadOptions, max_pixels: int) -> Rasters:
    """UnsupportedPictureError for camera raw, which looks like a TIFF whose first page is a small preview."""
    if data[8:10] == b"CR":
        raise UnsupportedPictureError("expected a picture, found a camera raw file (CR2); not coded yet")
    with tifffile.TiffFile(io.BytesIO(data)) as file:
        count = len(file.pages)
        if not count:
            raise DamagedPictureError("decoding TIFF failed: the file has no page, or is cut before its first")
        wished = range(count if options.frames == "all" else 1)
        first: Any = file.pages[0]
        check_size(first.imagelength, first.imagewidth, max_pixels, len(wished))
        read = [_read_page(data, file.pages[index], options, max_pixels) for index in wished]
    rasters = [raster for raster, _ in read]
    stray = unreferenced(data)
    if stray:
        note = lost(f"{stray:,} bytes that no TIFF tag points at")
        rasters[0] = replace(rasters[0], notes=rasters[0].notes + note)
    damage = next((broken for _, broken in read if broken), "")
    return Rasters(rasters[0], tuple(rasters[1:]), count, (0,) * len(rasters), damage=damage)


def _read_page(data: bytes, page: Any, options: ReadOptions, max_pixels: int) -> tuple[Raster, str]:
    """One page, upright; the text says what is damaged."""
    check_size(page.imagelength, page.imagewidth, max_pixels)
    _check_kind(page)
    check_layout_tags(data, page)
    layout, turn = layout_of(page), orientation_of(page)
    if is_libtiffs(layout):
        raster, damage = libtiff_raster(data, page, layout, options)
    else:
        _check_bytes(page, max_pixels)
        if layout.photometric == YCBCR:
            raster, damage = ycbcr_raster(data, page, options.tolerant)
        else:
            samples, damage = stored_samples(data, page, layout.wanted, options.tolerant)
            raster = raster_of(samples, layout, page)
        alpha = None if raster.alpha is None else turned_upright(raster.alpha, turn)
        raster = replace(raster, samples=turned_upright(raster.samples, turn), alpha=alpha)
    metadata = directory_metadata(data, page)
    notes = raster.notes + lost_tags(data, page, metadata)
    return replace(raster, metadata=metadata, notes=notes, upright=True, turned=turn), damage


def _check_kind(page: Any) -> None:
    preview = bool(page.tags.valueof(_NEW_SUBFILE_TYPE, 0) & 1)
    if (preview and page.index == 0) or _DNG_VERSION in page.tags:
        raise UnsupportedPictureError(
            "expected a picture, found a camera raw file or a TIFF whose first picture is a preview; not coded yet"
        )


def _check_bytes(page: Any, max_pixels: int) -> None:
    """Before a segment is decoded: bands multiply what the pixels alone don't tell."""
    if page.nbytes > 8 * _MOST_SAMPLES_A_PIXEL * max_pixels:
        raise UnsupportedPictureError(
            f"a TIFF of {page.samplesperpixel} samples a pixel takes {page.nbytes:,} bytes to decode: raise the limit of "
            "pixels if the file can be trusted"
        )
