"""IDX files, as MNIST comes in: a big-endian header and then samples, row-major (LeCun, yann.lecun.com/exdb/mnist).

0000  two zero bytes
0002  the type of a sample, 8: uint8
0003  the number of dimensions d
0004  d sizes, uint32 each, then the samples
"""

from __future__ import annotations

import math
import struct
import zlib

import numpy as np
import numpy.typing as npt

from archivae.errors import DamagedPictureError, UnsupportedPictureError

UINT8 = 8
MOST_BYTES = 1 << 32
"""No more is unpacked: a compressed file may promise anything."""
_GZIP = b"\x1f\x8b"


def is_idx(data: bytes) -> bool:
    """Whether ``data``, compressed or not, begins as an IDX file of bytes."""
    return _start(data)[:3] == bytes((0, 0, UINT8))


def parse_idx(data: bytes) -> npt.NDArray[np.uint8]:
    """The array of an IDX file, gzip-compressed or not, in its own shape.

    Raises UnsupportedPictureError for samples other than uint8, DamagedPictureError for anything else that is wrong.
    """
    data = _unpacked(data)
    if len(data) < 4 or data[:2] != b"\0\0":
        raise DamagedPictureError(f"expected an IDX file, which begins with two zero bytes, found {data[:4]!r}")
    kind, dimensions = data[2], data[3]
    if kind != UINT8:
        raise UnsupportedPictureError(f"expected an IDX file of type {UINT8}, uint8, found type {kind}: convert it")
    start = 4 + 4 * dimensions
    if not dimensions or len(data) < start:
        raise DamagedPictureError(f"expected an IDX header of {dimensions} sizes, found a file of {len(data)} bytes")
    shape = struct.unpack_from(f">{dimensions}I", data, 4)
    if len(data) - start != math.prod(shape):
        raise DamagedPictureError(f"expected {math.prod(shape)} samples, as {shape} says, found {len(data) - start}")
    return np.frombuffer(data, np.uint8, offset=start).reshape(shape)


def _start(data: bytes) -> bytes:
    if data[:2] != _GZIP:
        return data[:4]
    try:
        return zlib.decompressobj(wbits=31).decompress(data, 4)
    except zlib.error:
        return b""


def _unpacked(data: bytes) -> bytes:
    if data[:2] != _GZIP:
        return data
    try:
        stream = zlib.decompressobj(wbits=31)
        unpacked = stream.decompress(data, MOST_BYTES)
    except zlib.error as error:
        raise DamagedPictureError(f"expected a gzip-compressed IDX file, found a damaged one: {error}") from error
    if not stream.eof:
        raise DamagedPictureError(
            f"expected an IDX file of at most {MOST_BYTES} bytes, found a longer one, or one cut short"
        )
    return unpacked
