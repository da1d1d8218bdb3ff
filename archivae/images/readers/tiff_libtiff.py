"""The kinds of TIFF that libtiff decodes, through Pillow: JPEG and fax.

Of those imagecodecs passes over damage without a word. What libtiff says of one on standard error is
damage, but for its warnings of tags: its decoders warn where they fill up what is missing. What libjpeg warns of Pillow keeps
to itself: each strip or tile of JPEG is looked through as a JPEG file is.
"""

from __future__ import annotations

import io
import re
from dataclasses import replace
from functools import partial
from typing import Any

import numpy as np
from PIL import TiffImagePlugin

from archivae.errors import DamagedPictureError
from archivae.images.library_output import standard_error_lines
from archivae.images.notes import NO_NOTES, Notes, lost, said
from archivae.images.orienting import turned_upright
from archivae.images.picture import Raster, ReadOptions
from archivae.images.readers.frames import OpenFrame
from archivae.images.readers.jpeg_damage import UNCHECKED, damage_of, is_checkable
from archivae.images.readers.jpeg_segments import bare
from archivae.images.readers.jpeg_segments import layout as jpeg_layout
from archivae.images.readers.modes import load_raster
from archivae.images.readers.tiff_bands import bands
from archivae.images.readers.tiff_colours import lost_bands
from archivae.images.readers.tiff_layout import UNSIGNED, Layout
from archivae.images.readers.tiff_samples import gathered, segment_bytes
from archivae.images.readers.tiff_tags import orientation_of

_FAX, _OLD_JPEG, _JPEG = (2, 3, 4, 32771), 6, 7
_HARMLESS = re.compile(r"^_?TIFF[^:]*: Warning, ")  # of tags; decoders warn of pixels that they made up
_JPEG_BITS = 8


def is_libtiffs(layout: Layout) -> bool:
    if layout.sample_format != UNSIGNED or layout.bits > _JPEG_BITS:
        return False
    return layout.compression in (*_FAX, _OLD_JPEG, _JPEG)


def libtiff_raster(data: bytes, page: Any, layout: Layout, options: ReadOptions) -> tuple[Raster, str]:
    """One page, upright; the text says what is damaged. DamagedPictureError where anything is, unless tolerant."""
    lines: list[str] = []
    try:
        with standard_error_lines() as lines:
            raster, damage = _decoded(_at_page(data, page), page, options)
    except (DamagedPictureError, OSError, ValueError, SyntaxError) as error:
        raise DamagedPictureError(f"decoding TIFF failed: {'; '.join((str(error), *lines))}") from error
    broken = [line for line in lines if not _HARMLESS.match(line)]
    unchecked, broken_jpeg = _looked_through(data, page, options) if layout.compression == _JPEG else (NO_NOTES, "")
    damage = damage or "; ".join(broken) or broken_jpeg
    if damage and not options.tolerant:
        raise DamagedPictureError(f"decoding TIFF failed: {damage}")
    notes = Notes(changed=raster.notes.changed) + lost_bands(layout) + said(*(li for li in lines if li not in broken))
    notes += unchecked
    return replace(raster, notes=notes, approximate=layout.premultiplied, partial=bool(layout.bands)), damage


def _looked_through(data: bytes, page: Any, options: ReadOptions) -> tuple[Notes, str]:
    """What is damaged in strips and tiles of JPEG that decode all the same, and whether that could be told of each."""
    tables, unchecked = (page.jpegtables or b"\xff\xd8\xff\xd9")[:-2], NO_NOTES  # without the marker of their end

    def look(index: int) -> None:
        nonlocal unchecked
        segment = tables + segment_bytes(data, page, index).removeprefix(b"\xff\xd8")
        picture = jpeg_layout(segment)
        damage = damage_of(segment, picture)
        if damage:
            raise ValueError(damage)
        if not is_checkable(bare(segment, picture)):
            unchecked = lost(UNCHECKED)

    damage = gathered(page, look, options.tolerant)
    return unchecked, damage


def _at_page(data: bytes, page: Any) -> bytes:
    """The file with that page as its first: Pillow needs to know no other."""
    if page.index == 0:
        return data
    order = "little" if page.parent.byteorder == "<" else "big"
    at, size = (8, 8) if page.parent.is_bigtiff else (4, 4)
    return data[:at] + page.offset.to_bytes(size, order) + data[at + size :]


def _decoded(data: bytes, page: Any, options: ReadOptions) -> tuple[Raster, str]:
    return _by_bands(data, page, options) or _whole(partial(_open, data), options)


def _whole(open_frame: OpenFrame, options: ReadOptions) -> tuple[Raster, str]:
    image = open_frame()
    bits = max(image.tag_v2.get(TiffImagePlugin.BITSPERSAMPLE, (1,)))  # type: ignore[attr-defined]
    return load_raster(lambda: image, options, largest=2**bits - 1, upright=True)


def _by_bands(data: bytes, page: Any, options: ReadOptions) -> tuple[Raster, str] | None:
    """A large page, of which no more than a band is ever decoded beside the samples; None where it is to be read whole."""
    first, samples, alpha, damage = None, np.empty(0), None, ""
    size = page.imagelength, page.imagewidth
    for top, file in bands(_open(data)):
        band, broken = _whole(partial(_open, file), options)
        if first is None:
            first = band
            samples = np.empty((*size, band.samples.shape[2]), band.samples.dtype)
            alpha = None if band.alpha is None else np.empty(size, band.alpha.dtype)
        samples[top : top + len(band.samples)] = band.samples
        if alpha is not None:
            alpha[top : top + len(band.samples)] = band.alpha
        damage = damage or broken
    if first is None:
        return None
    turned = orientation_of(page)
    upright = None if alpha is None else turned_upright(alpha, turned)
    return replace(first, samples=turned_upright(samples, turned), alpha=upright), damage


def _open(data: bytes) -> TiffImagePlugin.TiffImageFile:
    return TiffImagePlugin.TiffImageFile(io.BytesIO(data))
