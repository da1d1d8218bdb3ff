"""Large TIFFs a band of strips or tiles at a time, so that beside the samples Pillow never holds a picture of its own.

Strips and tiles are compressed each by itself. A band's bytes under a directory that says how high it is are a TIFF file
(TIFF 6.0, sections 2 and 15): whatever is known of reading TIFFs holds for bands, too.
"""

from __future__ import annotations

import io
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import accumulate
from typing import Any

from PIL import TiffImagePlugin
from PIL.TiffImagePlugin import (
    BITSPERSAMPLE,
    COLORMAP,
    COMPRESSION,
    EXTRASAMPLES,
    FILLORDER,
    IMAGELENGTH,
    IMAGEWIDTH,
    JPEGTABLES,
    PHOTOMETRIC_INTERPRETATION,
    PLANAR_CONFIGURATION,
    PREDICTOR,
    ROWSPERSTRIP,
    SAMPLEFORMAT,
    SAMPLESPERPIXEL,
    STRIPBYTECOUNTS,
    STRIPOFFSETS,
    TILEBYTECOUNTS,
    TILELENGTH,
    TILEOFFSETS,
    TILEWIDTH,
    YCBCRSUBSAMPLING,
)

BAND_PIXELS = 4_000_000
"""A band is as many rows of strips or tiles as keep within this, but one at least."""

_T4_OPTIONS, _T6_OPTIONS, _YCBCR_COEFFICIENTS, _YCBCR_POSITIONING, _REFERENCE = 292, 293, 529, 531, 532
_DECODING = (
    IMAGEWIDTH, BITSPERSAMPLE, COMPRESSION, PHOTOMETRIC_INTERPRETATION, FILLORDER, SAMPLESPERPIXEL, ROWSPERSTRIP,
    PLANAR_CONFIGURATION, _T4_OPTIONS, _T6_OPTIONS, PREDICTOR, COLORMAP, TILEWIDTH, TILELENGTH, EXTRASAMPLES, SAMPLEFORMAT,
    JPEGTABLES, _YCBCR_COEFFICIENTS, YCBCRSUBSAMPLING, _YCBCR_POSITIONING, _REFERENCE,
)  # fmt: skip
# Old-style JPEG keeps its tables elsewhere in the file; of what isn't here nobody knows.
_SELF_CONTAINED = (1, 3, 4, 5, 7, 8, 32773, 32946, 50000)
_LONG, _LONG8 = 4, 16


@dataclass(frozen=True)
class _Grid:
    """How a picture is cut: ``across`` segments of ``rows`` rows beside each other; where each begins and its bytes."""

    rows: int
    across: int
    offsets: tuple[int, ...]
    counts: tuple[int, ...]


def bands(image: TiffImagePlugin.TiffImageFile) -> Iterator[tuple[int, bytes]]:
    """The first row and the file of each band of an opened page; nothing where it is small, or of planes.

    Orientation and metadata are not in them.
    """
    grid = _grid(image)
    if grid is None:
        return
    assert isinstance(image.fp, io.BytesIO)
    data = memoryview(image.fp.getvalue())  # the very bytes that it was opened from
    tags = image.tag_v2
    height, high = tags[IMAGELENGTH], max(1, BAND_PIXELS // (tags[IMAGEWIDTH] * grid.rows))
    total = len(grid.offsets) // grid.across
    if high >= total:
        return
    for first in range(0, total, high):
        members = slice(first * grid.across, (first + high) * grid.across)
        places = zip(grid.offsets[members], grid.counts[members], strict=True)
        segments = [data[offset : offset + count] for offset, count in places]
        rows = min((first + high) * grid.rows, height) - first * grid.rows
        yield first * grid.rows, _file(tags, segments, rows)


def _grid(image: TiffImagePlugin.TiffImageFile) -> _Grid | None:
    """None where bands can't be cut out."""
    tags = image.tag_v2
    if tags.get(PLANAR_CONFIGURATION, 1) != 1 or tags.get(COMPRESSION, 1) not in _SELF_CONTAINED:
        return None
    tiled = TILEOFFSETS in tags
    rows = tags.get(TILELENGTH) if tiled else tags.get(ROWSPERSTRIP, tags[IMAGELENGTH])
    wide = tags.get(TILEWIDTH) if tiled else tags[IMAGEWIDTH]
    offsets, counts = (tags.get(tag) for tag in _places(tiled))
    if not rows or not wide or not offsets or not counts:
        return None
    rows, across = min(rows, tags[IMAGELENGTH]), -(-tags[IMAGEWIDTH] // wide)
    whole = len(offsets) == len(counts) == across * -(-tags[IMAGELENGTH] // rows)
    assert isinstance(image.fp, io.BytesIO)
    apart = sum(counts) <= len(image.fp.getvalue())  # or a few bytes might claim to be millions of segments
    return _Grid(rows, across, offsets, counts) if whole and apart else None


def _places(tiled: bool) -> tuple[int, int]:
    return (TILEOFFSETS, TILEBYTECOUNTS) if tiled else (STRIPOFFSETS, STRIPBYTECOUNTS)


def _file(tags: Any, segments: list[memoryview], rows: int) -> bytes:
    """``segments`` as a TIFF file of so many ``rows``."""
    directory = TiffImagePlugin.ImageFileDirectory_v2(prefix=tags.prefix)
    for tag in _DECODING:
        if tag in tags:
            kind = tags.tagtype[tag]
            directory.tagtype[tag] = _LONG if kind == _LONG8 else kind
            directory[tag] = tags[tag]
    tiled = TILELENGTH in tags
    offsets, counts = _places(tiled)
    directory.tagtype |= dict.fromkeys((IMAGELENGTH, offsets, counts), _LONG)
    directory[IMAGELENGTH] = rows
    sizes = tuple(len(segment) for segment in segments)
    directory[counts] = sizes
    starts = [0, *accumulate(sizes[:-1])]
    directory[offsets] = tuple(starts)
    file = io.BytesIO()
    end = directory.save(file)
    if tiled:  # Pillow moves strips' offsets behind the directory by itself
        directory[offsets] = tuple(end + start for start in starts)
        file = io.BytesIO()
        directory.save(file)
    return b"".join([file.getvalue(), *segments])
