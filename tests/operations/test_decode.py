from __future__ import annotations

import struct
from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import archivae
from archivae.bitstream import Bitstream, Coding, read_bitstream, write_bitstream
from archivae.bitstream.container import checksum
from archivae.errors import (
    ArchivaeError,
    CorruptBitstreamError,
    PictureTooLargeError,
    UnknownModelError,
    UnsupportedBitstreamError,
)
from archivae.operations.decode import decode_learned, decode_stream, picture_file
from archivae.operations.encode import encode_file
from tests.samples import MODEL, file_of, photo, photo_file, pixels_of, small_codec, stark_jpeg, two_colours


def decode(data: bytes, **options: int) -> np.ndarray:
    return archivae.decode(data, model=MODEL, accelerator="cpu", **options)


def learned() -> bytes:
    return encode_file(photo_file(), small_codec(), 60).data


def lossless() -> bytes:
    return encode_file(file_of(two_colours(), "BMP"), small_codec(), 60).data


def original() -> bytes:
    return encode_file(stark_jpeg(), small_codec(), 60).data


CODINGS = {Coding.LEARNED: learned, Coding.LOSSLESS: lossless, Coding.ORIGINAL: original}
every_coding = pytest.mark.parametrize("make", CODINGS.values(), ids=[coding.name for coding in CODINGS])


@pytest.mark.parametrize("coding", CODINGS)
def test_the_samples_are_what_they_claim(coding: Coding) -> None:
    assert read_bitstream(CODINGS[coding]()).coding is coding


@every_coding
def test_any_flipped_bit_is_an_error(make: Callable[[], bytes]) -> None:
    data = make()
    assert decode(data).size
    # Every bit of the header and the chunks' heads; of the rest, one bit a byte.
    flips = [8 * byte + bit for byte in range(min(120, len(data))) for bit in range(8)]
    flips += [8 * byte + byte % 8 for byte in range(120, len(data))]
    for flip in flips:
        damaged = bytearray(data)
        damaged[flip // 8] ^= 1 << flip % 8
        with pytest.raises(ArchivaeError):
            decode(bytes(damaged))


@every_coding
def test_any_cut_is_an_error(make: Callable[[], bytes]) -> None:
    data = make()
    for length in range(len(data)):
        with pytest.raises(ArchivaeError):
            decode(data[:length])


@every_coding
def test_bytes_after_the_end_are_an_error(make: Callable[[], bytes]) -> None:
    with pytest.raises(ArchivaeError):
        decode(make() + b"\0")


@settings(max_examples=60, deadline=None)
@given(draw=st.data())
def test_damage_under_valid_chunk_checksums_is_noticed(draw: st.DataObject) -> None:
    """What only the checksum of the integers can see: an entropy stream altered with its chunk's checksum mended."""
    stream = read_bitstream(learned())
    (tile,) = stream.tiles
    altered = bytearray(tile.stream)
    altered[draw.draw(st.integers(0, len(altered) - 1))] ^= 1 << draw.draw(st.integers(0, 7))
    fields = {name: getattr(stream, name) for name in stream.__dataclass_fields__}
    forged = Bitstream(**{**fields, "tiles": (tile._replace(stream=bytes(altered)),)})
    with pytest.raises(CorruptBitstreamError):
        decode(write_bitstream(forged))


def test_a_stored_original_is_checked_against_its_sha256() -> None:
    source = file_of(photo(), "BMP")
    forged = Bitstream(64, 64, 3, Coding.ORIGINAL, bytes(32), payload=source)
    with pytest.raises(CorruptBitstreamError, match="SHA-256"):
        decode(write_bitstream(forged))


def test_a_stored_original_of_another_size_is_refused() -> None:
    stream = read_bitstream(original())
    for size in ((96, 127, 3), (97, 128, 3), (96, 128, 1), (128, 96, 3)):
        forged = Bitstream(*size, Coding.ORIGINAL, stream.source_sha256, payload=stream.payload)
        with pytest.raises(ArchivaeError):
            decode(write_bitstream(forged))


def test_too_many_pixels_are_refused_before_anything_is_allocated() -> None:
    data = learned()
    assert decode(data, max_pixels=64 * 64).shape == (64, 64, 3)
    with pytest.raises(PictureTooLargeError, match="64x64"):
        decode(data, max_pixels=64 * 64 - 1)


def test_a_header_of_many_pixels_costs_nothing() -> None:
    head = bytearray(learned())
    start = 19 + 16  # header, chunk head
    struct.pack_into("<II", head, start, 2**32 - 1, 2**32 - 1)
    struct.pack_into("<I", head, start - 4, checksum(bytes(head[19 : 19 + 12]), bytes(head[start : start + 45])))
    with pytest.raises(PictureTooLargeError):
        archivae.decode(bytes(head))


@pytest.mark.parametrize("data", [b"", b"\x89", b"\x89AVAE", b"\x89PNG\r\n\x1a\n", b"hello", bytes(500)])
def test_what_is_no_bitstream_is_refused(data: bytes) -> None:
    with pytest.raises(CorruptBitstreamError):
        archivae.decode(data)


def test_another_version_is_refused() -> None:
    data = bytearray(learned())
    struct.pack_into("<H", data, 5, 99)
    struct.pack_into("<I", data, 15, checksum(bytes(data[:15])))
    with pytest.raises(UnsupportedBitstreamError, match="version 99"):
        decode(bytes(data))


def with_model(data: bytes, model_id: bytes) -> bytes:
    stream = read_bitstream(data)
    fields = {name: getattr(stream, name) for name in stream.__dataclass_fields__}
    return write_bitstream(Bitstream(**{**fields, "model_id": model_id}))


def test_an_unknown_model_is_named() -> None:
    with pytest.raises(UnknownModelError, match=b"other id".hex()):
        archivae.decode(with_model(learned(), b"other id"), accelerator="cpu")


def test_a_given_model_must_be_the_right_one() -> None:
    with pytest.raises(UnknownModelError, match=b"other id".hex()):
        decode(with_model(learned(), b"other id"))


def test_pictures_decoded_together_are_those_decoded_alone() -> None:
    streams = [read_bitstream(encode_file(photo_file(64, 96, seed), small_codec(), 60).data) for seed in range(3)]
    together = decode_learned(streams, lambda _: small_codec())
    for stream, picture in zip(streams, together, strict=True):
        assert np.array_equal(picture.pixels, decode_stream(stream, lambda _: small_codec()).pixels)


def test_an_original_in_the_format_asked_for_comes_back_byte_for_byte() -> None:
    source = stark_jpeg()
    stream = read_bitstream(encode_file(source, small_codec(), 60).data)
    picture = decode_stream(stream, lambda _: small_codec())
    assert picture_file(stream, picture, "jpeg") == source
    assert np.array_equal(pixels_of(picture_file(stream, picture, "png")), pixels_of(source))
