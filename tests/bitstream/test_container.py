from __future__ import annotations

import hashlib
import struct
from dataclasses import replace

import google_crc32c
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from archivae.bitstream import Bitstream, Coding, Tile, read_bitstream, tile_grid, write_bitstream
from archivae.errors import BitstreamError, CorruptBitstreamError, PictureTooLargeError, UnsupportedBitstreamError

SHA256 = hashlib.sha256(b"source").digest()
MODEL = b"\x01modelid"
HEADER_BYTES, CHUNK_HEAD_BYTES, HEAD_BYTES = 19, 16, 45

LEARNED = Bitstream(
    height=70,
    width=100,
    channels=3,
    coding=Coding.LEARNED,
    source_sha256=SHA256,
    model_id=MODEL,
    quality=60 * 256 + 7,
    tile_side=64,
    tiles=tuple(Tile(bytes([n] * (8 + 4 * n)), 0xDEADBEEF + n) for n in range(4)),
    ancillary={b"exif": b"\xff\xd8 not really", b"iccp": b""},
)
ORIGINAL = Bitstream(2, 3, 1, Coding.ORIGINAL, SHA256, payload=b"the source")


def masked_crc(data: bytes) -> int:
    crc = google_crc32c.value(data)
    return ((crc >> 15) + (crc % 2**15) * 2**17 + 0xA282EAD8) % 2**32


def chunk(tag: bytes, body: bytes, crc: int | None = None) -> bytes:
    start = struct.pack("<4sQ", tag, len(body))
    return start + struct.pack("<I", masked_crc(start + body) if crc is None else crc) + body


def header(version: int = 0, model_id: bytes = bytes(8)) -> bytes:
    start = b"\x89AVAE" + struct.pack("<H", version) + model_id
    return start + struct.pack("<I", masked_crc(start))


def head(height: int = 2, width: int = 3, coding: int = 2, channels: int = 1, quality: int = 0, side: int = 0) -> bytes:
    return chunk(b"HEAD", struct.pack("<IIBBHB32s", height, width, coding, channels, quality, side, SHA256))


tags = st.from_regex(rb"[a-z][A-Za-z]{3}", fullmatch=True)
ancillaries = st.dictionaries(tags, st.binary(max_size=40), max_size=3)
hashes = st.binary(min_size=32, max_size=32)
ids = st.binary(min_size=8, max_size=8).filter(any)


@st.composite
def bitstreams(draw: st.DrawFn) -> Bitstream:
    height, width = draw(st.integers(1, 400)), draw(st.integers(1, 400))
    coding = draw(st.sampled_from(Coding))
    rest = {"source_sha256": draw(hashes), "ancillary": draw(ancillaries), "quality": draw(st.integers(0, 25600))}
    if coding is Coding.LEARNED:
        side = 64 * draw(st.integers(1, 255))
        rows, columns = tile_grid(height, width, side)
        tile = st.builds(Tile, st.binary(max_size=12), st.integers(0, 2**32 - 1))
        tiles = draw(st.lists(tile, min_size=rows * columns, max_size=rows * columns))
        rest |= {"model_id": draw(ids), "tile_side": side, "tiles": tuple(tiles)}
    else:
        rest["payload"] = draw(st.binary(min_size=1, max_size=60))
    return Bitstream(height, width, draw(st.sampled_from([1, 3])), coding, **rest)


@settings(max_examples=100, deadline=None)
@given(bitstreams())
def test_round_trip(bitstream: Bitstream) -> None:
    data = write_bitstream(bitstream)
    assert read_bitstream(data) == bitstream
    assert write_bitstream(read_bitstream(data)) == data


def test_layout() -> None:
    assert write_bitstream(ORIGINAL) == header() + head() + chunk(b"DATA", b"the source")


def test_a_payload_costs_96_bytes() -> None:
    assert len(write_bitstream(ORIGINAL)) == 96 + len(ORIGINAL.payload)


def test_ancillary_chunks_are_sorted() -> None:
    back = replace(LEARNED, ancillary=dict(reversed(LEARNED.ancillary.items())))
    assert write_bitstream(back) == write_bitstream(LEARNED)


@pytest.mark.parametrize("bitstream", [LEARNED, ORIGINAL])
def test_every_flipped_bit_is_noticed(bitstream: Bitstream) -> None:
    data = write_bitstream(bitstream)
    for bit in range(8 * len(data)):
        damaged = bytearray(data)
        damaged[bit // 8] ^= 1 << bit % 8
        with pytest.raises(BitstreamError):
            read_bitstream(bytes(damaged))


@pytest.mark.parametrize("bitstream", [LEARNED, ORIGINAL])
def test_every_truncation_is_noticed(bitstream: Bitstream) -> None:
    data = write_bitstream(bitstream)
    for length in range(len(data)):
        with pytest.raises(CorruptBitstreamError):
            read_bitstream(data[:length])


@pytest.mark.parametrize("extra", [b"\0", bytes(16), bytes(100), chunk(b"text", b"late"), write_bitstream(ORIGINAL)])
def test_trailing_bytes_are_refused(extra: bytes) -> None:
    with pytest.raises(BitstreamError):
        read_bitstream(write_bitstream(LEARNED) + extra)


def test_an_unknown_ancillary_chunk_is_kept_and_skipped() -> None:
    data = header() + head() + chunk(b"soon", b"new") + chunk(b"DATA", b"the source")
    assert read_bitstream(data) == replace(ORIGINAL, ancillary={b"soon": b"new"})


def test_an_unknown_critical_chunk_is_refused() -> None:
    with pytest.raises(UnsupportedBitstreamError, match="critical chunk b'Soon' is unknown"):
        read_bitstream(header() + head() + chunk(b"Soon", b"new") + chunk(b"DATA", b"the source"))


@pytest.mark.parametrize("version", [1, 0xFFFF])
def test_an_unknown_version_is_refused(version: int) -> None:
    with pytest.raises(UnsupportedBitstreamError, match=f"format version {version}, this release reads 0"):
        read_bitstream(header(version) + head() + chunk(b"DATA", b"the source"))


def test_size_is_checked_before_anything_after_it_is_read() -> None:
    start = header(model_id=MODEL) + head(2**32 - 1, 2**32 - 1, coding=0, side=1)
    with pytest.raises(PictureTooLargeError, match="4294967295x4294967295 pixels, more than the 1000 allowed"):
        read_bitstream(start + b"whatever follows", max_pixels=1000)


def test_a_picture_of_just_the_allowed_size_is_read() -> None:
    data = write_bitstream(ORIGINAL)
    assert read_bitstream(data, max_pixels=6) == ORIGINAL
    with pytest.raises(PictureTooLargeError):
        read_bitstream(data, max_pixels=5)


def test_more_tiles_than_memory_are_refused_without_taking_any() -> None:
    for side, problem in (
        (2**32 - 1, "4503599627370496 tiles, more than 1048576"),
        (2**15, "a table of 262144 tiles does not fit into 16 bytes"),
    ):
        data = header(model_id=MODEL) + head(side, side, coding=0, side=1) + chunk(b"TILE", bytes(16))
        with pytest.raises(CorruptBitstreamError, match=problem):
            read_bitstream(data)


DATA = chunk(b"DATA", b"x")
TILE = chunk(b"TILE", struct.pack("<II", 1, 0) + b"x")


@pytest.mark.parametrize(
    ("data", "problem"),
    [
        (b"", "not an .avae file"),
        (b"\x89PNG\r\n\x1a\n" + bytes(40), "not an .avae file"),
        (b"\x89AVAE\0", "ends inside its header"),
        (header(), "first chunk must be HEAD"),
        (header() + DATA, "first chunk must be HEAD"),
        (header() + chunk(b"HEAD", bytes(44)) + DATA, "first chunk must be HEAD with 45 bytes"),
        (header() + head(), "cut short"),
        (header() + head() + TILE, "expected b'DATA'"),
        (header() + head() + DATA + DATA, "out of place"),
        (header() + head() + head() + DATA, "out of place"),
        (header() + head() + chunk(b"exif", b"") + chunk(b"exif", b"") + DATA, "given twice"),
        (header() + head() + chunk(b"ex1f", b"") + DATA, "four letters"),
        (header() + head() + chunk(b"\xe9xif", b"") + DATA, "four letters"),
        (header() + head() + chunk(b"DATA", b""), "payload"),
        (header() + head(height=0) + DATA, "a size of 0x3"),
        (header() + head(coding=3) + DATA, "coding 3"),
        (header() + head(channels=2) + DATA, "2 channels"),
        (header() + head(quality=25601) + DATA, "quality 25601/256"),
        (header() + head(side=1) + DATA, "tile side"),
        (header(model_id=MODEL) + head() + DATA, "model id"),
        (header() + head(coding=0, side=1) + TILE, "model id"),
        (header(model_id=MODEL) + head(coding=0) + TILE, "bytes after the last tile"),
        (header(model_id=MODEL) + head(coding=0) + chunk(b"TILE", b""), "tile side"),
        (header(model_id=MODEL) + head(coding=0, side=1) + chunk(b"TILE", struct.pack("<II", 2, 0) + b"x"), "are left"),
        (header(model_id=MODEL) + head(coding=0, side=1) + chunk(b"TILE", struct.pack("<II", 0, 0) + b"x"), "after"),
        (header() + head() + struct.pack("<4sQI", b"DATA", 2**64 - 1, 0), "18446744073709551615 bytes, 0 are left"),
    ],
)
def test_contradictions_are_named(data: bytes, problem: str) -> None:
    with pytest.raises(CorruptBitstreamError, match=problem):
        read_bitstream(data)


@settings(max_examples=200, deadline=None)
@given(st.binary(max_size=200), st.booleans())
def test_noise_is_refused(noise: bytes, past_header: bool) -> None:
    with pytest.raises(BitstreamError):
        read_bitstream((header() + head() if past_header else b"") + noise)


@pytest.mark.parametrize(
    "change",
    [
        {"height": 0},
        {"width": 2**32},
        {"channels": 4},
        {"quality": -1},
        {"source_sha256": b""},
        {"model_id": bytes(8)},
        {"tile_side": 100},
        {"tile_side": 64 * 256},
        {"tiles": LEARNED.tiles[1:]},
        {"payload": b"x"},
        {"coding": Coding.LOSSLESS},
        {"ancillary": {b"HEAD": b""}},
        {"ancillary": {b"exi": b""}},
    ],
)
def test_what_could_not_be_read_back_cannot_be_made(change: dict[str, object]) -> None:
    with pytest.raises(CorruptBitstreamError):
        replace(LEARNED, **change)


def test_files_of_two_models_differ_in_the_crc_that_object_stores_keep() -> None:
    one, other = (write_bitstream(replace(LEARNED, model_id=bytes(7) + bytes([n]))) for n in (1, 2))
    assert google_crc32c.value(one) != google_crc32c.value(other)
