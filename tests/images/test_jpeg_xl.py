"""JPEG XL through imagecodecs: samples, frames, boxes, limits, damage, and JPEGs that it rebuilds."""

from __future__ import annotations

import io
import struct
from pathlib import Path

import imagecodecs
import numpy as np
import pytest
from PIL import ExifTags, Image

from archivae.errors import CorruptBitstreamError, DamagedPictureError, PictureTooLargeError
from archivae.images import ReadOptions, open_picture, pack_jpeg, unpack_jpeg
from archivae.images.readers.jpeg_xl import boxes
from archivae.images.readers.libjxl import jpeg_xl_header
from tests.samples import file_of, photo

START = b"\x00\x00\x00\x0cJXL \r\n\x87\n\x00\x00\x00\x14ftypjxl \x00\x00\x00\x00jxl "
KEEP = ReadOptions(depth="keep")
PACKED_BEFORE = Path(__file__).with_name("packed_by_pillow_jxl.jxl")
"""A JPEG, sideways and grey, that pillow-jxl-plugin 1.3.8 packed for an archive."""


def box(name: bytes, body: bytes) -> bytes:
    return struct.pack(">I", 8 + len(body)) + name + body


def coded(samples: np.ndarray, **options: int) -> bytes:
    return bytes(imagecodecs.jpegxl_encode(samples, lossless=True, **options))


def container(*others: bytes, samples: np.ndarray | None = None) -> bytes:
    pixels = photo(20, 30) if samples is None else samples
    return START + b"".join(others) + box(b"jxlc", coded(pixels, usecontainer=False))


def exif(orientation: int) -> bytes:
    written = Image.Exif()
    written[ExifTags.Base.Make], written[ExifTags.Base.Orientation] = "Maker", orientation
    return written.tobytes().removeprefix(b"Exif\0\0")


@pytest.mark.parametrize("size", [(1, 1), (8, 8), (24, 32), (257, 8), (3, 5000)])
def test_the_size_is_judged_before_a_pixel_is_decoded(size: tuple[int, int], monkeypatch: pytest.MonkeyPatch) -> None:
    data = coded(np.zeros((*size, 3), np.uint8))
    header = jpeg_xl_header(data)
    assert (header.height, header.width, header.bits, header.is_float) == (*size, 8, False)
    monkeypatch.delattr(imagecodecs, "jpegxl_decode")
    with pytest.raises(PictureTooLargeError):
        open_picture(data, max_pixels=size[0] * size[1] - 1)


@pytest.mark.parametrize("bits", [8, 10, 16])
@pytest.mark.parametrize("channels", [1, 2, 3, 4])
def test_samples_come_back(bits: int, channels: int) -> None:
    generator = np.random.default_rng(bits)
    samples = generator.integers(0, 2**bits, (20, 30, channels)).astype(np.uint8 if bits == 8 else np.uint16)
    picture = open_picture(coded(samples, bitspersample=bits), options=KEEP)
    plain = picture.pixels if picture.deep is None else picture.deep
    whole = plain if picture.alpha is None else np.dstack([plain, picture.alpha])
    assert np.array_equal(whole, samples) and picture.format == "jpeg xl" and picture.notes.lines() == ()
    assert picture.deep is None or picture.largest == 2**bits - 1


def test_frames_are_noted_or_all_read_with_their_times() -> None:
    frames = np.stack([photo(20, 30, seed) for seed in range(3)])
    data = coded(frames)
    first = open_picture(data)
    assert first.notes.lost == ("3 frames, only the first is kept",) and np.array_equal(first.pixels, frames[0])
    assert open_picture(data, options=ReadOptions(exact=True)).own_bytes == "must"
    every = open_picture(data, options=ReadOptions(frames="all"))
    assert all(np.array_equal(frame.pixels, meant) for frame, meant in zip(every.frames, frames, strict=True))
    assert every.sequence is not None and len(every.sequence.milliseconds) == 3 and every.notes.lost == ()


def test_metadata_in_boxes_is_carried_and_other_boxes_are_lost() -> None:
    packed = box(b"brob", b"xml " + bytes(imagecodecs.brotli_encode(b"<x:xmpmeta/>")))
    data = container(box(b"Exif", bytes(4) + exif(6)), packed, box(b"jumb", b"who made it"), box(b"xml ", b"<more/>"))
    picture = open_picture(data)
    assert picture.pixels.shape == (20, 30, 3)  # it lies as its codestream says, whatever its EXIF
    assert picture.metadata.exif == exif(1) and picture.metadata.xmp == b"<x:xmpmeta/>"
    assert picture.notes.lost == ("box 'jumb'", "box 'xml '")


def test_linear_light_is_given_its_curve_and_remembered() -> None:
    light = np.linspace(0, 1, 300, dtype=np.float32).reshape(20, 15)
    picture = open_picture(coded(light))
    assert picture.notes.changed == ("linear light reduced to 8 bits of sRGB",) and picture.metadata.source_icc
    assert abs(int(picture.pixels[10, 0, 0]) - 188) < 2  # half the light
    kept = open_picture(coded(light), options=KEEP)
    assert np.array_equal(kept.deep[:, :, 0], light) and kept.metadata.icc == picture.metadata.source_icc


@pytest.mark.parametrize("kept", [2, 5, 0.3, 0.9])
def test_a_part_is_damaged(kept: float) -> None:
    data = coded(np.random.default_rng(0).integers(0, 256, (64, 64, 3), np.uint8))
    with pytest.raises(DamagedPictureError):
        open_picture(data[: int(kept * len(data)) if kept < 1 else int(kept)])


def test_a_container_without_a_codestream_is_damaged() -> None:
    with pytest.raises(DamagedPictureError):
        open_picture(START)
    assert [name for name, _ in boxes(START + b"\0\0\0\0free")] == [b"JXL ", b"ftyp", b"free"]
    assert list(boxes(START + b"\0\0\0\x01wide" + (2**60).to_bytes(8, "big")))[2][1] == b""


def test_a_jpeg_is_rebuilt_and_what_was_packed_before_still_is() -> None:
    for data in (file_of(photo(40, 50), "JPEG"), file_of(photo(40, 50)[:, :, :1], "JPEG", progressive=True)):
        packed = pack_jpeg(data)
        assert packed is not None and unpack_jpeg(packed) == data
        with pytest.raises(CorruptBitstreamError, match="damaged"):
            unpack_jpeg(packed[:-9])
    with Image.open(io.BytesIO(unpack_jpeg(PACKED_BEFORE.read_bytes()))) as image:
        assert (image.size, image.mode, image.getexif()[ExifTags.Base.Orientation]) == ((32, 24), "L", 6)
    assert pack_jpeg(file_of(photo(16, 16))) is None  # a PNG
    with pytest.raises(CorruptBitstreamError):
        unpack_jpeg(coded(photo(16, 16)))
