"""Files gone wrong: small ones of every coding, mutated, with checksums that are right again so that they get past these."""

from __future__ import annotations

import io
import struct
from collections.abc import Callable, Iterator
from functools import cache
from random import Random

import numpy as np
from PIL import Image

from archivae.bitstream.container import checksum
from archivae.images import ReadOptions
from archivae.operations.encode import encode_file
from archivae.operations.rate import Lossless
from tests.samples import file_of, photo, photo_file, small_codec, stark_jpeg, two_colours

HEADER = 19  # magic, version, model id, CRC
CHUNK = struct.Struct("<4sQI")
_EDGES = (0, 1, 2, 0x7F, 0x80, 0xFF, 0xFFFF, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFF, 1 << 40, (1 << 63) - 1, (1 << 64) - 1)


@cache
def seeds() -> dict[str, bytes]:
    """Whole ``.avae`` files by what is in them."""
    codec = small_codec()
    rgba = np.dstack([photo(), np.arange(64 * 64, dtype=np.uint8).reshape(64, 64)])
    files = {
        "learned": encode_file(photo_file(), codec, 60).data,
        "learned grey": encode_file(file_of(photo()[:, :, :1]), codec, 60).data,
        "learned alpha": encode_file(file_of(rgba), codec, 60).data,
        "lossless": encode_file(file_of(two_colours()), codec, Lossless()).data,
        "original": encode_file(stark_jpeg(), codec, 60).data,
        "deep": encode_file(_deep_png(), codec, 60, options=ReadOptions(depth="keep")).data,
    }
    return files | {"frames": _frames()}


def _deep_png() -> bytes:
    samples = (photo()[:, :, 0].astype(np.uint16) << 8) + 7
    return file_of(samples)


def _frames() -> bytes:
    file = io.BytesIO()
    pages = [Image.fromarray(photo(seed=seed)) for seed in range(3)]
    pages[0].save(file, "PNG", save_all=True, append_images=pages[1:], duration=40)
    return encode_file(file.getvalue(), small_codec(), 60, options=ReadOptions(frames="all")).data


def resealed(data: bytes) -> bytes:
    """``data`` with the checksums of its header and chunks put right, as far as chunks can be told."""
    if len(data) < HEADER:
        return data
    parts = [data[: HEADER - 4], struct.pack("<I", checksum(data[: HEADER - 4]))]
    at = HEADER
    while at + CHUNK.size <= len(data):
        tag, length, _ = CHUNK.unpack_from(data, at)
        body = data[at + CHUNK.size : at + CHUNK.size + length]
        start = struct.pack("<4sQ", tag, length)
        parts += [start, struct.pack("<I", checksum(start, body)), body]
        at += CHUNK.size + len(body)
    return b"".join([*parts, data[at:]])


def mutant(data: bytes, random: Random) -> bytes:
    """``data`` with one to four things changed, and checksums that are right."""
    return resealed(_changed(data, random))


def scarred(data: bytes, random: Random) -> bytes:
    """``data`` with things changed and nothing put right."""
    return _changed(data, random)


def _changed(data: bytes, random: Random) -> bytes:
    for _ in range(random.randint(1, 4)):
        data = random.choice(_CHANGES)(data, random)
    return data


def _byte(data: bytes, random: Random) -> bytes:
    at = random.randrange(max(len(data), 1))
    return data[:at] + bytes([random.randrange(256)]) + data[at + 1 :]


def _number(data: bytes, random: Random) -> bytes:
    """A whole number somewhere, set to one that is at the edge of something."""
    width = random.choice((1, 2, 4, 8))
    at = random.randrange(max(len(data), 1))
    value = random.choice(_EDGES) & ((1 << 8 * width) - 1)
    return data[:at] + value.to_bytes(width, "little") + data[at + width :]


def _head_field(data: bytes, random: Random) -> bytes:
    """A field of the picture's header: size, coding, channels, quality, tile side."""
    at, width = random.choice(((0, 4), (4, 4), (8, 1), (9, 1), (10, 2), (12, 1)))
    at += HEADER + CHUNK.size
    value = random.choice((*_EDGES, random.randrange(1 << 16))) & ((1 << 8 * width) - 1)
    return data[:at] + value.to_bytes(width, "little") + data[at + width :]


def _cut(data: bytes, random: Random) -> bytes:
    """Bytes gone from somewhere, and from the length of the chunk that they lay in."""
    chunks = list(chunks_of(data))
    if not chunks:
        return data[: random.randrange(len(data) + 1)]
    at, tag, body = random.choice(chunks)
    start = random.randrange(len(body) + 1)
    left = body[:start] + body[start + random.randrange(1, 64) :]
    return data[:at] + CHUNK.pack(tag, len(left), 0) + left + data[at + CHUNK.size + len(body) :]


def _shuffle(data: bytes, random: Random) -> bytes:
    """A chunk twice, gone, or in another's place or under another's name."""
    chunks = [(tag, body) for _, tag, body in chunks_of(data)]
    if len(chunks) < 2:
        return data
    one, other = random.randrange(len(chunks)), random.randrange(len(chunks))
    kind = random.randrange(4)
    if kind == 0:
        chunks.insert(other, chunks[one])
    elif kind == 1:
        del chunks[one]
    elif kind == 2:
        chunks[one], chunks[other] = chunks[other], chunks[one]
    else:
        chunks[one] = (random.choice(_TAGS), chunks[one][1])
    return data[:HEADER] + b"".join(CHUNK.pack(tag, len(body), 0) + body for tag, body in chunks)


_TAGS = (b"HEAD", b"TILE", b"DATA", b"ALPH", b"DEEP", b"FRAM", b"JPEG", b"exif", b"iccp", b"xmpp", b"iptc", b"srcp")
_CHANGES: tuple[Callable[[bytes, Random], bytes], ...] = (_byte, _number, _head_field, _cut, _shuffle)


def chunks_of(data: bytes) -> Iterator[tuple[int, bytes, bytes]]:
    """Where each chunk begins, its tag and its body, as far as they can be told."""
    at = HEADER
    while at + CHUNK.size <= len(data):
        tag, length, _ = CHUNK.unpack_from(data, at)
        body = data[at + CHUNK.size : at + CHUNK.size + length]
        yield at, tag, body
        at += CHUNK.size + len(body)
