"""PNG files of 16 bits a sample, which Pillow writes in grey alone (PNG specification, third edition)."""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterator

import numpy as np

_SIGNATURE = b"\x89PNG\r\n\x1a\n"
_COLOUR_TYPES = {1: 0, 2: 4, 3: 2, 4: 6}  # channels -> grey, grey and alpha, RGB, RGB and alpha
_PAETH = 4
_STRIP = 256  # rows filtered at once

Chunk = tuple[bytes, bytes]


def write_deep_png(samples: np.ndarray, chunks: tuple[Chunk, ...] = ()) -> bytes:
    """Args: samples: uint16 (H, W, 1 to 4), full at 65535; chunks: names and bodies to put before the pixels."""
    height, width, channels = samples.shape
    header = struct.pack(">IIBBBBB", width, height, 16, _COLOUR_TYPES[channels], 0, 0, 0)
    deflater = zlib.compressobj(6)
    pixels = b"".join([*(deflater.compress(rows) for rows in _filtered(samples)), deflater.flush()])
    every = [(b"IHDR", header), *chunks, (b"IDAT", pixels), (b"IEND", b"")]
    return _SIGNATURE + b"".join(png_chunk(name, body) for name, body in every)


def _filtered(samples: np.ndarray) -> Iterator[bytes]:
    """Rows as differences to Paeth's guess from left, above and above left, a strip at a time."""
    step, size = 2 * samples.shape[2], 2 * samples.shape[1] * samples.shape[2]
    above = np.zeros((1, size + step), np.int16)
    for top in range(0, len(samples), _STRIP):
        plain = np.ascontiguousarray(samples[top : top + _STRIP].astype(">u2")).view(np.uint8).reshape(-1, size)
        rows = np.pad(plain.astype(np.int16), ((0, 0), (step, 0)))
        before = np.concatenate([above, rows[:-1]])
        differences = rows[:, step:] - _paeth(rows[:, :-step], before[:, step:], before[:, :-step])
        yield np.pad(differences.astype(np.uint8), ((0, 0), (1, 0)), constant_values=_PAETH).tobytes()
        above = rows[-1:]


def _paeth(left: np.ndarray, up: np.ndarray, corner: np.ndarray) -> np.ndarray:
    """The one of the three that is nearest to left + up - corner; of equals, in this order."""
    to_left, to_up, to_corner = np.abs(up - corner), np.abs(left - corner), np.abs(left + up - 2 * corner)
    up_or_corner = np.where(to_up <= to_corner, up, corner)
    return np.where((to_left <= to_up) & (to_left <= to_corner), left, up_or_corner)


def png_chunk(name: bytes, body: bytes) -> bytes:
    """A chunk with its length and checksum."""
    return struct.pack(">I", len(body)) + name + body + struct.pack(">I", zlib.crc32(name + body))
