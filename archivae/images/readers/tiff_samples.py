"""A TIFF page's samples as they are stored, decoded a strip or tile at a time by tifffile and imagecodecs.

Beside the samples that are wanted no more than one segment is ever held. A segment that is missing, cut short or fails to
decode is damage, never zeros.
"""

from __future__ import annotations

import math
from typing import Any

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
    damage = ""
    for index in range(_segments(page)):
        try:
            _place(samples, data, page, index, wanted)
        except MemoryError:
            raise
        except Exception as error:  # codecs raise what they like
            damage = damage or f"{'tile' if page.is_tiled else 'strip'} {index}: {error}"
            if not tolerant:
                raise DamagedPictureError(f"decoding TIFF failed: {damage}") from error
    return samples, damage


def _check_supported(page: Any) -> None:
    try:
        page.decode(None, 0)  # an empty segment: tells by an error what tifffile can't decode at all
    except (ValueError, NotImplementedError, KeyError) as error:
        raise UnsupportedPictureError(f"a TIFF that isn't decoded: {error}; convert it or keep it aside") from error


def _segments(page: Any) -> int:
    high = page.tilelength if page.is_tiled else page.rowsperstrip
    wide = page.tilewidth if page.is_tiled else page.imagewidth
    planes = page.samplesperpixel if page.planarconfig == _PLANES else 1
    return planes * math.ceil(page.imagelength / high) * math.ceil(page.imagewidth / wide)


def _place(samples: np.ndarray, data: bytes, page: Any, index: int, wanted: list[int]) -> None:
    """Decode one segment into its place."""
    height, width = samples.shape[:2]
    (plane, _, top, left, _), shape = page.decode(None, index)[1:]
    planar = page.planarconfig == _PLANES and page.samplesperpixel > 1
    if planar and plane not in wanted:
        return
    rows, columns = min(shape[1], height - top), min(shape[2], width - left)
    segment = page.decode(_bytes(data, page, index), index, jpegtables=page.jpegtables, jpegheader=page.jpegheader)[0][
        0
    ]
    if segment.shape[0] < rows or segment.shape[1] < columns:
        raise ValueError(f"{segment.shape[1]} x {segment.shape[0]} pixels instead of {columns} x {rows}")
    place = samples[top : top + rows, left : left + columns]
    if planar:
        place[:, :, wanted.index(plane)] = segment[:rows, :columns, 0]
    else:
        place[:] = segment[:rows, :columns, wanted]


def _bytes(data: bytes, page: Any, index: int) -> bytes:
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
