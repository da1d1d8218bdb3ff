"""The ``.avae`` container: a header and chunks, each with its checksum. docs/format.md is its specification."""

from __future__ import annotations

import struct
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from enum import IntEnum
from typing import Any, NamedTuple

import google_crc32c

from archivae.errors import CorruptBitstreamError, PictureTooLargeError, UnsupportedBitstreamError

MAGIC = b"\x89AVAE"
VERSION = 0
MODEL_ID_BYTES = 8
NO_MODEL = bytes(MODEL_ID_BYTES)
QUALITY_STEP = 256
"""Quality is stored in steps of 1/256."""
QUALITY_MAX = 100
MOST_CHUNKS = 64
"""There are a dozen kinds, and none comes twice."""
MOST_TILES = 1 << 20
TILE_UNIT = 64
"""The side of a tile is stored as a multiple of this many pixels."""

_HEADER = struct.Struct("<5sH8sI")
_CHUNK = struct.Struct("<4sQI")
_PICTURE = struct.Struct("<IIBBHB32s")
_TILE = struct.Struct("<II")

PICTURE_TAG = b"HEAD"
TILES_TAG = b"TILE"
PAYLOAD_TAG = b"DATA"
EXIF_TAG, ICC_TAG, XMP_TAG, IPTC_TAG, SOURCE_ICC_TAG = b"exif", b"iccp", b"xmpp", b"iptc", b"srcp"
ALPHA_TAG, DEEP_TAG, FRAMES_TAG, REBUILT_TAG = b"ALPH", b"DEEP", b"FRAM", b"JPEG"
_OPTIONAL = {ALPHA_TAG, DEEP_TAG, FRAMES_TAG, REBUILT_TAG}
_CRITICAL = {PICTURE_TAG, TILES_TAG, PAYLOAD_TAG} | _OPTIONAL


class Coding(IntEnum):
    """How the pixels are held."""

    LEARNED = 0
    LOSSLESS = 1
    ORIGINAL = 2


class Tile(NamedTuple):
    """One independent entropy stream and the CRC-32C of the integers it decodes to."""

    stream: bytes
    integers_crc: int


@dataclass(frozen=True)
class Bitstream:
    """What an ``.avae`` file holds.

    ``quality`` is in steps of 1/256; ``tile_side`` in pixels; ``tiles`` run row by row (learned coding only);
    ``payload`` holds the bytes of the other codings; ``ancillary`` maps four-letter tags to bytes; ``optional`` does so
    for critical chunks that not every file has: ALPHA_TAG, DEEP_TAG, FRAMES_TAG, REBUILT_TAG.
    """

    height: int
    width: int
    channels: int
    coding: Coding
    source_sha256: bytes
    model_id: bytes = NO_MODEL
    quality: int = 0
    tile_side: int = 0
    tiles: tuple[Tile, ...] = ()
    payload: bytes = b""
    ancillary: dict[bytes, bytes] = field(default_factory=dict)
    optional: dict[bytes, bytes] = field(default_factory=dict)

    def __post_init__(self) -> None:
        check(0 < self.height < 2**32 and 0 < self.width < 2**32, f"a size of {self.height}x{self.width}")
        check(self.channels in (1, 3), f"{self.channels} channels, expected 1 or 3")
        check(
            0 <= self.quality <= QUALITY_MAX * QUALITY_STEP,
            f"quality {self.quality}/256 is not within 0 to {QUALITY_MAX}",
        )
        check(len(self.source_sha256) == 32 and len(self.model_id) == MODEL_ID_BYTES, "a hash of the wrong length")
        learned = self.coding is Coding.LEARNED
        check(learned == (self.model_id != NO_MODEL), "a model id that does not fit the coding")
        check(learned == (self.tile_side > 0), "a tile side that does not fit the coding")
        check(self.tile_side % TILE_UNIT == 0 and self.tile_side // TILE_UNIT < 256, f"a tile side of {self.tile_side}")
        rows, columns = tile_grid(self.height, self.width, self.tile_side) if learned else (0, 0)
        check(len(self.tiles) == rows * columns, f"{len(self.tiles)} tiles where {rows}x{columns} are needed")
        check(learned == (self.payload == b""), "a payload that does not fit the coding")
        check(all(map(_is_ancillary, self.ancillary)), f"tags of ancillary chunks, found {list(self.ancillary)}")
        check(self.optional.keys() <= _OPTIONAL, f"tags of optional critical chunks, found {list(self.optional)}")
        check(self.coding is Coding.ORIGINAL or REBUILT_TAG not in self.optional, "a rebuilt JPEG that is no original")
        check(self.coding is not Coding.ORIGINAL or ALPHA_TAG not in self.optional, "alpha beside an original")
        check(self.coding is not Coding.LEARNED or DEEP_TAG not in self.optional, "deep samples in a learned picture")


def checksum(start: bytes, body: bytes = b"") -> int:
    """CRC-32C of ``start`` and ``body``, masked: rotated right by 15 bits, plus 0xA282EAD8 (as in LevelDB's log format).

    Bytes that end in their own CRC all have one and the same CRC. Unmasked, the files of two models could not be told
    apart by the CRC-32C that object stores keep of them.
    """
    crc = google_crc32c.extend(google_crc32c.value(start), body)
    return ((crc >> 15 | crc << 17) + 0xA282EAD8) & 0xFFFFFFFF


def check(good: bool, problem: str) -> None:
    """Raise CorruptBitstreamError naming ``problem`` unless ``good``."""
    if not good:
        raise CorruptBitstreamError(f"the bitstream contradicts itself: {problem}")


def tile_grid(height: int, width: int, side: int) -> tuple[int, int]:
    """Rows and columns of tiles that cover a picture; those at the right and bottom may be smaller."""
    return -(-height // side), -(-width // side)


def write_bitstream(b: Bitstream) -> bytes:
    """Serialise. A pure function of ``b``: no time, host or run id goes in."""
    parts = [_header(b.model_id)]
    picture = _PICTURE.pack(
        b.height, b.width, b.coding, b.channels, b.quality, b.tile_side // TILE_UNIT, b.source_sha256
    )
    parts.append(_chunk(PICTURE_TAG, picture))
    between = b.optional | b.ancillary
    parts += [_chunk(tag, between[tag]) for tag in sorted(between)]
    if b.coding is Coding.LEARNED:
        parts.append(_chunk(TILES_TAG, _pack_tiles(b.tiles)))
    else:
        parts.append(_chunk(PAYLOAD_TAG, b.payload))
    return b"".join(parts)


def read_bitstream(data: bytes, *, max_pixels: int | None = None) -> Bitstream:
    """Parse and check every checksum.

    Raises UnsupportedBitstreamError for another version or an unknown critical chunk, PictureTooLargeError when the
    size is over ``max_pixels`` (checked before anything is allocated), CorruptBitstreamError for anything else wrong.
    """
    model_id = _read_header(data)
    chunks = _read_chunks(data, _HEADER.size)
    height, width, coding, channels, quality, tile_units, sha256 = _read_picture(next(chunks, None))
    if max_pixels is not None and height * width > max_pixels:
        raise PictureTooLargeError(
            f"the bitstream holds {height}x{width} pixels, more than the {max_pixels} allowed: raise --max-pixels"
        )
    check(coding in list(Coding), f"coding {coding}")
    learned = coding == Coding.LEARNED
    between, body = _split_chunks(chunks, TILES_TAG if learned else PAYLOAD_TAG)
    rows, columns = tile_grid(height, width, tile_units * TILE_UNIT) if learned and tile_units else (0, 0)
    return Bitstream(
        height=height,
        width=width,
        channels=channels,
        coding=Coding(coding),
        source_sha256=sha256,
        model_id=model_id,
        quality=quality,
        tile_side=tile_units * TILE_UNIT,
        tiles=_unpack_tiles(body, rows * columns) if learned else (),
        payload=b"" if learned else body,
        ancillary={tag: chunk for tag, chunk in between.items() if tag not in _OPTIONAL},
        optional={tag: chunk for tag, chunk in between.items() if tag in _OPTIONAL},
    )


def _is_ancillary(tag: bytes) -> bool:
    return len(tag) == 4 and tag.isalpha() and tag[:1].islower()


def _header(model_id: bytes) -> bytes:
    start = _HEADER.pack(MAGIC, VERSION, model_id, 0)[:-4]
    return start + struct.pack("<I", checksum(start))


def _read_header(data: bytes) -> bytes:
    if data[: len(MAGIC)] != MAGIC:
        raise CorruptBitstreamError(f"not an .avae file: it starts with {data[:5]!r}, expected {MAGIC!r}")
    if len(data) < _HEADER.size:
        raise CorruptBitstreamError(f"the file ends inside its header, after {len(data)} bytes")
    _, version, model_id, crc = _HEADER.unpack_from(data)
    if crc != checksum(data[: _HEADER.size - 4]):
        raise CorruptBitstreamError("the header's checksum is wrong: the file is damaged")
    if version != VERSION:
        raise UnsupportedBitstreamError(
            f"the file has format version {version}, this release reads {VERSION}: install a release that reads it"
        )
    return bytes(model_id)


def _chunk(tag: bytes, body: bytes) -> bytes:
    start = _CHUNK.pack(tag, len(body), 0)[:-4]
    return start + struct.pack("<I", checksum(start, body)) + body


def _read_chunks(data: bytes, at: int) -> Iterator[tuple[bytes, bytes]]:
    """Tags and bodies, one at a time, each checked: what comes later costs nothing until it is asked for."""
    count = 0
    while at < len(data):
        if len(data) - at < _CHUNK.size:
            raise CorruptBitstreamError(f"the file ends inside a chunk's head, at byte {len(data)}")
        tag, length, crc = _CHUNK.unpack_from(data, at)
        start, at = data[at : at + _CHUNK.size - 4], at + _CHUNK.size
        if length > len(data) - at:
            raise CorruptBitstreamError(f"chunk {tag!r} should have {length} bytes, {len(data) - at} are left")
        body = data[at : at + length]
        if crc != checksum(start, body):
            raise CorruptBitstreamError(f"the checksum of chunk {tag!r} is wrong: the file is damaged")
        count += 1
        check(count <= MOST_CHUNKS, f"more than {MOST_CHUNKS} chunks")
        if tag not in _CRITICAL and not _is_ancillary(tag):
            check(tag.isalpha(), f"a chunk's tag is four letters, found {tag!r}")
            raise UnsupportedBitstreamError(f"critical chunk {tag!r} is unknown to this release: install a newer one")
        yield tag, body
        at += length


def _read_picture(chunk: tuple[bytes, bytes] | None) -> tuple[Any, ...]:
    """The fields of the first chunk, which must be HEAD."""
    if chunk is None or chunk[0] != PICTURE_TAG or len(chunk[1]) != _PICTURE.size:
        raise CorruptBitstreamError(f"the first chunk must be HEAD with {_PICTURE.size} bytes: the file is damaged")
    return _PICTURE.unpack(chunk[1])


def _split_chunks(chunks: Iterator[tuple[bytes, bytes]], wanted: bytes) -> tuple[dict[bytes, bytes], bytes]:
    """The optional and ancillary chunks, and the body of the last chunk, which must be ``wanted``."""
    *middle, (last_tag, last) = [*chunks] or [(b"", b"")]
    check(last_tag == wanted, f"the last chunk is {last_tag!r}, expected {wanted!r}: the file may be cut short")
    check(all(tag in _OPTIONAL or tag not in _CRITICAL for tag, _ in middle), "a critical chunk out of place")
    check(len({tag for tag, _ in middle}) == len(middle), "a chunk given twice")
    return dict(middle), last


def _pack_tiles(tiles: Sequence[Tile]) -> bytes:
    table = b"".join(_TILE.pack(len(t.stream), t.integers_crc) for t in tiles)
    return table + b"".join(t.stream for t in tiles)


def _unpack_tiles(body: bytes, count: int) -> tuple[Tile, ...]:
    check(count <= MOST_TILES, f"{count} tiles, more than {MOST_TILES}")
    at = count * _TILE.size
    check(at <= len(body), f"a table of {count} tiles does not fit into {len(body)} bytes")
    tiles: list[Tile] = []
    for length, crc in _TILE.iter_unpack(body[:at]):
        check(length <= len(body) - at, f"tile {len(tiles)} should have {length} bytes, {len(body) - at} are left")
        tiles.append(Tile(body[at : at + length], crc))
        at += length
    check(at == len(body), f"{len(body) - at} bytes after the last tile")
    return tuple(tiles)
