"""A TIFF page's samples as they are stored, decoded a strip or tile at a time by tifffile and imagecodecs.

Beside the samples that are wanted no more than one segment is ever held. A segment that is missing, cut short or fails to
decode is damage, never zeros.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

from archivae.errors import DamagedPictureError, UnsupportedPictureError

_UNCOMPRESSED = 1
_PLANES = 2


def stored_samples(data: bytes, page: Any, wanted: list[int], tolerant: bool) -> tuple[np.ndarray, str]:
    """(H, W, len(wanted)) of the page's type in native byte order, and what is damaged; a view of ``data`` where it can be.

    Raises:
        UnsupportedPictureError: a compression, or a combination of tags, that isn't decoded.
        DamagedPictureError: damage, unless ``tolerant``; then what is missing is 0.
    """
    _check_supported(page)
    lying = _in_place(data, page, wanted)
    if lying is not None:
        return lying, ""
    samples = np.zeros((page.imagelength, page.imagewidth, len(wanted)), page.dtype.newbyteorder("="))
    return samples, gathered(page, lambda index: _place(samples, data, page, index, wanted), tolerant)


def gathered(page: Any, place: Callable[[int], None], tolerant: bool) -> str:
    """Call ``place`` with the number of each strip or tile; the text says what is damaged.

    DamagedPictureError for what it raises, unless ``tolerant``.
    """
    damage = ""
    for index in range(_segments(page)):
        try:
            place(index)
        except (MemoryError, UnsupportedPictureError):
            raise
        except Exception as error:  # codecs raise what they like
            damage = damage or f"{'tile' if page.is_tiled else 'strip'} {index}: {error}"
            if not tolerant:
                raise DamagedPictureError(f"decoding TIFF failed: {damage}") from error
    return damage


class Place(NamedTuple):
    """Where a strip or tile lies: in which plane, its first row and column, and its rows and columns in the picture.

    ``height`` and ``width`` are those that it is stored with.
    """

    plane: int
    top: int
    left: int
    rows: int
    columns: int
    height: int
    width: int


def place_of(page: Any, index: int) -> Place:
    high, wide = _segment_size(page)
    across = math.ceil(page.imagewidth / wide)
    plane, number = divmod(index, across * math.ceil(page.imagelength / high))
    top, left = number // across * high, number % across * wide
    rows, columns = min(high, page.imagelength - top), min(wide, page.imagewidth - left)
    return Place(plane, top, left, rows, columns, high if page.is_tiled else rows, wide)


def _check_supported(page: Any) -> None:
    try:
        page.decode(None, 0)  # an empty segment: tells by an error what tifffile can't decode at all
    except (ValueError, NotImplementedError, KeyError) as error:
        raise UnsupportedPictureError(f"a TIFF that isn't decoded: {error}; convert it or keep it aside") from error


def _segment_size(page: Any) -> tuple[int, int]:
    return (page.tilelength, page.tilewidth) if page.is_tiled else (page.rowsperstrip, page.imagewidth)


def _segments(page: Any) -> int:
    high, wide = _segment_size(page)
    planes = page.samplesperpixel if page.planarconfig == _PLANES else 1
    return planes * math.ceil(page.imagelength / high) * math.ceil(page.imagewidth / wide)


def _place(samples: np.ndarray, data: bytes, page: Any, index: int, wanted: list[int]) -> None:
    """Decode one segment into its place."""
    place, planar = place_of(page, index), page.planarconfig == _PLANES and page.samplesperpixel > 1
    if planar and place.plane not in wanted:
        return
    coded = segment_bytes(data, page, index)
    segment = page.decode(coded, index, jpegtables=page.jpegtables, jpegheader=page.jpegheader)[0][0]
    if segment.shape[0] < place.rows or segment.shape[1] < place.columns:
        raise ValueError(f"{segment.shape[1]} x {segment.shape[0]} pixels instead of {place.columns} x {place.rows}")
    target = samples[place.top : place.top + place.rows, place.left : place.left + place.columns]
    if planar:
        target[:, :, wanted.index(place.plane)] = segment[: place.rows, : place.columns, 0]
    else:
        target[:] = segment[: place.rows, : place.columns, wanted]


def segment_bytes(data: bytes, page: Any, index: int) -> bytes:
    """One strip or tile as it is stored. ValueError where it isn't there, or not whole."""
    if index >= len(page.dataoffsets) or index >= len(page.databytecounts):
        raise ValueError("the file does not say where it lies")
    offset, count = page.dataoffsets[index], page.databytecounts[index]
    if not count:
        raise ValueError("it is empty")
    if offset + count > len(data):
        raise ValueError(f"it ends {offset + count - len(data):,} bytes after the file")
    return data[offset : offset + count]


def _in_place(data: bytes, page: Any, wanted: list[int]) -> np.ndarray | None:
    """Uncompressed samples where they lie in the file, read-only; None where they are scattered or laid out otherwise."""
    height, width, dtype = page.imagelength, page.imagewidth, np.dtype(page.parent.byteorder + page.dtype.char)
    plain = page.compression == _UNCOMPRESSED and page.predictor == 1 and page.fillorder == 1 and not page.is_tiled
    whole = wanted == list(range(page.samplesperpixel)) and (page.planarconfig != _PLANES or len(wanted) == 1)
    if not (page.dataoffsets and plain and whole and dtype.isnative and page.bitspersample == 8 * dtype.itemsize):
        return None
    row = width * len(wanted) * dtype.itemsize
    starts = [page.dataoffsets[0] + top * row for top in range(0, height, page.rowsperstrip)]
    sizes = [min(page.rowsperstrip, height - top) * row for top in range(0, height, page.rowsperstrip)]
    if list(page.dataoffsets) != starts or starts[0] + height * row > len(data):
        return None
    if any(told < size for told, size in zip(page.databytecounts, sizes, strict=True)):
        return None
    return np.ndarray((height, width, len(wanted)), dtype, data, starts[0])
