"""A decoder written from docs/format.md alone: NumPy, safetensors to open the weights, and nothing of archivae.

It is what a stranger would write to read an archive in ten years. Section numbers are those of the text.
"""

from __future__ import annotations

import hashlib
import json
import struct
from collections.abc import Callable, Iterator

import google_crc32c
import numpy as np
from safetensors import safe_open
from safetensors.numpy import load_file

from tests.bitstream.reference_rans import FLOOR, Reader, Table

ORDER = (0, 3, 1, 2)
Read = Callable[[np.ndarray], np.ndarray]


class PlainDecoder:
    def __init__(self, weights: str) -> None:
        with safe_open(weights, "numpy") as file:
            self.arch = json.loads(file.metadata()["architecture"])
        self.tensors = load_file(weights)
        self.tables = [None, *(self._table(t) for t in range(1, 64))]

    def model_id(self) -> bytes:
        """Section 8."""
        text = json.dumps(["archivae-photo-0", self.arch], sort_keys=True).encode()
        for name, array in sorted(self.tensors.items()):
            text += f"{name} {array.dtype.str} {array.shape}".encode() + array.tobytes()
        return hashlib.sha256(text).digest()[:8]

    def decode(self, data: bytes) -> np.ndarray:
        """The picture (height, width, 3) of an undamaged file of coding learned."""
        assert data[:15] == b"\x89AVAE\0\0" + self.model_id()
        chunks = _chunks(data[19:])
        height, width, coding, channels, q, side, _ = struct.unpack("<IIBBHB32s", chunks[b"HEAD"])
        assert (coding, channels) == (0, 3)
        restored = self._restore(chunks[b"TILE"], height, width, q, 64 * side)
        return self._pixels(restored, q)[:height, :width]

    def _table(self, t: int) -> Table:
        radius = int(self.tensors["tables.radius"][t])
        return radius, np.diff(self.tensors["tables.cumulative"][t, : 2 * radius + 3]).tolist()

    def _restore(self, body: bytes, height: int, width: int, q: int, side: int) -> np.ndarray:
        """Sections 2 (TILE) and 3: restored latents of the padded picture."""
        tall, wide = -(-height // 64) * 64, -(-width // 64) * 64
        boxes = [(top, left) for top in range(0, height, side) for left in range(0, width, side)]
        restored = np.zeros((self.arch["latents"], tall // 16, wide // 16), np.int64)
        at = 8 * len(boxes)
        for n, (top, left) in enumerate(boxes):
            length, crc = struct.unpack_from("<II", body, 8 * n)
            tile = restored[:, top // 16 : (top + side) // 16, left // 16 : (left + side) // 16]
            tile[:] = self._tile(body[at : at + length], crc, tile.shape, q)
            at += length
        assert at == len(body)
        return restored

    def _tile(self, stream: bytes, crc: int, shape: tuple[int, ...], q: int) -> np.ndarray:
        """Section 5."""
        reader, values = Reader(stream), list[int]()

        def read(index: np.ndarray) -> np.ndarray:
            fresh = [0 if (table := self.tables[i]) is None else reader.value(table) for i in index.ravel()]
            values.extend(fresh)
            return np.array(fresh).reshape(index.shape)

        _, h, w = shape
        hyper = self.arch["hyper"]
        level = np.full((1, h // 4, w // 4), (254 * q + 25600) // 51200)
        z, zeros = np.zeros((hyper, h // 4, w // 4), np.int64), np.zeros((2 * hyper, h // 4, w // 4), np.int64)
        for place, mean, value in self._passes("hyper_contexts", "hyper_index", q, zeros, level, read):
            z[place] = 16 * value + mean
            self.seen[place] = (z[place] // 4).clip(-128, 127)
        features = self._features(z, level)
        restored, start = np.zeros(shape, np.int64), self._integer("parameter_head", features)
        for place, mean, value in self._passes("contexts", "index_offset", q, start, features, read):
            restored[place] = 16 * value + mean
            self.seen[place] = (4 * value).clip(-128, 127)
        assert reader.state == FLOOR and not reader.words
        assert google_crc32c.value(np.array(values, "<i2").tobytes()) == crc
        return restored

    def _passes(
        self, contexts: str, rows: str, q: int, start: np.ndarray, conditions: np.ndarray, read: Read
    ) -> Iterator[tuple[tuple[slice, ...], np.ndarray, np.ndarray]]:
        """Sections 5 and 6.4: where, means and values of each phase; whoever draws them fills `seen`."""
        channels = len(start) // 2
        self.seen = np.zeros((channels, *start.shape[1:]), np.int64)
        for i in range(4):
            both = start
            if i:
                name = f"{contexts}.{i - 1}"
                both = start + self._integer(f"{name}.head", self._context(name, conditions))
            index = _table_number(both[channels:] + self._row(rows, q)[:, None, None])
            for p in range(4):
                place = np.s_[p ^ ORDER[i] :: 4, p // 2 :: 2, p % 2 :: 2]
                yield place, both[:channels][place], read(index[place])

    def _row(self, name: str, q: int) -> np.ndarray:
        rows = self.tensors[name].astype(np.int64)
        low = min(9 * q // 25600, 8)
        part = 9 * q - 25600 * low
        return (rows[low] * (25600 - part) + rows[low + 1] * part) // 25600

    def _integer(self, name: str, x: np.ndarray) -> np.ndarray:
        """Section 6.1: a pointwise or depthwise layer."""
        weight, bias, shift = (self.tensors[f"{name}.{part}"].astype(np.int64) for part in ("weight", "bias", "shift"))
        acc = np.einsum("oi,iyx->oyx", weight, x) if weight.ndim == 2 else _depthwise(x, weight)
        return (acc + bias[:, None, None]) >> shift[:, None, None]

    def _unsigned(self, name: str, x: np.ndarray) -> np.ndarray:
        return self._integer(name, x).clip(0, 255)

    def _integer_block(self, name: str, x: np.ndarray) -> np.ndarray:
        branch = self._unsigned(f"{name}.widen", self._integer(f"{name}.look", x).clip(-128, 127))
        return (x + self._integer(f"{name}.narrow", branch)).clip(0, 255)

    def _features(self, z: np.ndarray, level: np.ndarray) -> np.ndarray:
        """Section 6.2."""
        x = _shuffle(self._unsigned("hyper_decoder.enter", np.concatenate([(z // 4).clip(-128, 127), level])), 2)
        x = _shuffle(self._unsigned("hyper_decoder.up", self._integer_block("hyper_decoder.middle", x)), 2)
        return self._integer_block("hyper_decoder.full", x)

    def _context(self, name: str, conditions: np.ndarray) -> np.ndarray:
        """Section 6.3."""
        planes = np.zeros((4, *conditions.shape[1:]), np.int64)
        for p in range(4):
            planes[p, p // 2 :: 2, p % 2 :: 2] = 32
        x = self._unsigned(f"{name}.enter", np.concatenate([self.seen, conditions, planes]))
        return self._integer_block(f"{name}.far", self._integer_block(f"{name}.near", x))

    def _pixels(self, restored: np.ndarray, q: int) -> np.ndarray:
        """Section 7."""
        self.position = 9 * q / 25600
        gain = np.exp(self._between(self.tensors["decoder_gain"]))
        x = self._real("head", restored * gain[:, None, None] / 16)
        for n in range(self.arch["coarse_blocks"]):
            x = self._residual(f"coarse.{n}", x)
        x = _shuffle(self._real("up", x), 2)
        for n in range(self.arch["fine_blocks"]):
            x = self._residual(f"fine.{n}", x)
        pixels = 0.5 * _shuffle(self._real("patch", x), 8) + 0.5
        return np.rint(255 * pixels).clip(0, 255).astype(np.uint8).transpose(1, 2, 0)

    def _between(self, rows: np.ndarray) -> np.ndarray:
        """Section 7: real rows of the anchors, interpolated."""
        low = min(int(self.position), 8)
        part = self.position - low
        return (1 - part) * rows[low].astype(np.float64) + part * rows[low + 1]

    def _real(self, name: str, x: np.ndarray) -> np.ndarray:
        weight, bias = (self.tensors[f"synthesis.{name}.{part}"].astype(np.float64) for part in ("weight", "bias"))
        bias = self._between(bias) if weight.ndim == 2 else bias
        acc = np.einsum("oi,iyx->oyx", weight, x) if weight.ndim == 2 else _depthwise(x, weight[:, 0])
        return acc + bias[:, None, None]

    def _residual(self, name: str, x: np.ndarray) -> np.ndarray:
        x = x + self._real(f"{name}.leave", self._real(f"{name}.look", _leaky(self._real(f"{name}.enter", x))))
        return x + self._real(f"{name}.narrow", _leaky(self._real(f"{name}.widen", x)))


def _chunks(data: bytes) -> dict[bytes, bytes]:
    """Section 1, without its checks."""
    chunks = {}
    while data:
        tag, length = struct.unpack_from("<4sQ", data)
        chunks[tag], data = data[16 : 16 + length], data[16 + length :]
    return chunks


def _table_number(sixteenths: np.ndarray) -> np.ndarray:
    return ((sixteenths + 8) // 16).clip(0, 63)


def _leaky(x: np.ndarray) -> np.ndarray:
    return np.where(x > 0, x, 0.01 * x)


def _depthwise(x: np.ndarray, weight: np.ndarray) -> np.ndarray:
    height, width = x.shape[1:]
    padded = np.pad(x, ((0, 0), (1, 1), (1, 1)))
    parts = (weight[:, i, j, None, None] * padded[:, i : i + height, j : j + width] for i in range(3) for j in range(3))
    return sum(parts, np.zeros_like(x))


def _shuffle(x: np.ndarray, n: int) -> np.ndarray:
    channels, height, width = x.shape[0] // n**2, *x.shape[1:]
    parts = x.reshape(channels, n, n, height, width).transpose(0, 3, 1, 4, 2)
    return parts.reshape(channels, n * height, n * width)
