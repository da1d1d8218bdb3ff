"""Samples of 16 and 32 bits to bytes without loss, in a way that a few lines of anything can undo.

Each sample is predicted from its neighbours as left + above - above left, modulo 2^bits; the differences are laid out as
planes of bytes, most significant first, and deflated (RFC 1950). Floats are taken as the integers that their bits spell.
"""

from __future__ import annotations

import zlib

import numpy as np

from archivae.errors import CorruptBitstreamError

_UNSIGNED = {1: np.uint8, 2: np.uint16, 4: np.uint32}


def pack_planes(samples: np.ndarray) -> bytes:
    """Args: samples: (H, W, C) of 1, 2 or 4 bytes each."""
    differences = samples.astype(samples.dtype, order="C").view(_UNSIGNED[samples.itemsize])  # a copy
    differences[:, 1:] -= differences[:, :-1].copy()
    differences[1:] -= differences[:-1].copy()
    big_endian = differences.astype(differences.dtype.newbyteorder(">"))
    planes = big_endian.view(np.uint8).reshape(-1, samples.itemsize).T
    return zlib.compress(np.ascontiguousarray(planes).tobytes(), 9)


def unpack_planes(data: bytes, shape: tuple[int, int, int], dtype: np.dtype) -> np.ndarray:
    """What `pack_planes` was given, read-only; CorruptBitstreamError for damage or another size than told."""
    height, width, channels = shape
    size = height * width * channels * dtype.itemsize
    unpacker = zlib.decompressobj()
    try:
        planes = unpacker.decompress(data, size + 1)
    except zlib.error as error:
        raise CorruptBitstreamError(f"deep samples are damaged: {error}") from error
    if len(planes) != size or not unpacker.eof or unpacker.unused_data:
        raise CorruptBitstreamError(f"expected deep samples of {size} bytes, found another number; the file is altered")
    split = np.frombuffer(planes, np.uint8).reshape(dtype.itemsize, -1).T
    unsigned = np.dtype(_UNSIGNED[dtype.itemsize])
    samples = np.ascontiguousarray(split).view(unsigned.newbyteorder(">")).astype(unsigned).reshape(shape)
    np.cumsum(samples, axis=0, dtype=unsigned, out=samples)
    np.cumsum(samples, axis=1, dtype=unsigned, out=samples)
    samples = samples.view(dtype)
    samples.setflags(write=False)
    return samples
