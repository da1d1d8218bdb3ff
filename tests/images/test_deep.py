"""More than 8 bits: read whole from every layout, reduced with their error in words, packed and written without loss."""

from __future__ import annotations

import io
import struct
from typing import Any

import imagecodecs
import numpy as np
import pytest
import tifffile
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from archivae.errors import CorruptBitstreamError, DamagedPictureError, UnsupportedPictureError
from archivae.images import Metadata, Picture, ReadOptions, fit, open_picture, pack_lossless, unpack_lossless
from archivae.images.deep_png import write_deep_png
from archivae.images.depth import to_eight_bits
from archivae.images.notes import NO_NOTES, changed
from archivae.images.planes import pack_planes, unpack_planes
from archivae.images.writing import write_picture

KEEP = ReadOptions(depth="keep")
TYPES = [np.dtype(name) for name in ("uint16", "int16", "float32")]


def deep(*shape: int) -> np.ndarray:
    return np.random.default_rng(5).integers(0, 65536, shape, dtype=np.uint16)


def saved(image: np.ndarray, kind: str, **options: Any) -> bytes:
    file = io.BytesIO()
    Image.fromarray(image).save(file, kind, **options)
    return file.getvalue()


def tiff(
    samples: np.ndarray, order: str = "<", sample_format: int = 1, extra: int | None = None, ink: bool = False
) -> bytes:
    """An uncompressed TIFF of any depth and channels, which Pillow can't write."""
    height, width, channels = samples.shape
    body = samples.astype(samples.dtype.newbyteorder(order)).tobytes()
    bits, formats = [8 * samples.itemsize] * channels, [sample_format] * channels
    photometric = 5 if ink else 2 if channels > 2 else 1
    fields = [
        (256, [width]),
        (257, [height]),
        (258, bits),
        (259, [1]),
        (262, [photometric]),
        (273, [8]),
        (277, [channels]),
    ]
    fields += (
        [(278, [height]), (279, [len(body)]), (284, [1])]
        + ([(338, [extra])] if extra is not None else [])
        + [(339, formats)]
    )
    at = 8 + len(body)
    overflow, entries = b"", b""
    start = at + 2 + 12 * len(fields) + 4
    for tag, values in fields:
        packed = struct.pack(f"{order}{len(values)}I", *values)
        if len(packed) > 4:
            entries += struct.pack(f"{order}HHII", tag, 4, len(values), start + len(overflow))
            overflow += packed
        else:
            entries += struct.pack(f"{order}HHI", tag, 4, len(values)) + packed
    head = (b"II*\0" if order == "<" else b"MM\0*") + struct.pack(f"{order}I", at)
    return head + body + struct.pack(f"{order}H", len(fields)) + entries + bytes(4) + overflow


@pytest.mark.parametrize("channels", [1, 2, 3, 4])
def test_a_png_of_16_bits_comes_whole(channels: int) -> None:
    samples = deep(11, 7, channels)
    picture = open_picture(write_deep_png(samples), options=KEEP)
    colours = 1 if channels < 3 else 3
    assert picture.deep.dtype == np.uint16 and np.array_equal(picture.deep, samples[:, :, :colours])
    if channels in (2, 4):
        assert np.array_equal(picture.alpha, samples[:, :, -1])
    assert picture.notes == NO_NOTES


def test_pillow_agrees_with_our_png_of_16_bits() -> None:
    grey = deep(300, 9, 1)
    assert np.array_equal(np.asarray(Image.open(io.BytesIO(write_deep_png(grey)))), grey[:, :, 0])
    assert np.array_equal(open_picture(saved(grey[:, :, 0], "PNG"), options=KEEP).deep, grey)


@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize(("channels", "extra"), [(1, None), (3, None), (4, 2), (4, 0)])
def test_a_tiff_of_16_bits_comes_whole(channels: int, extra: int | None, order: str) -> None:
    samples = deep(9, 8, channels)
    picture = open_picture(tiff(samples, order, extra=extra), options=KEEP)
    colours = 1 if channels < 3 else 3
    assert np.array_equal(picture.deep, samples[:, :, :colours])
    assert (picture.alpha is None) == (extra != 2)


def test_a_compressed_tiff_of_16_bits_comes_whole() -> None:
    """Through libtiff, which swaps bytes on its way."""
    for order in "<>":
        samples, file = deep(30, 20, 3), io.BytesIO()
        tifffile.imwrite(file, samples, byteorder=order, compression="zlib", photometric="rgb", metadata=None)
        assert np.array_equal(open_picture(file.getvalue(), options=KEEP).deep, samples)


def test_float_and_signed_tiffs() -> None:
    floats = np.random.default_rng(1).normal(size=(6, 5, 1)).astype(np.float32)
    picture = open_picture(tiff(floats, sample_format=3), options=KEEP)
    assert np.array_equal(picture.deep, floats)
    signed = np.random.default_rng(1).integers(-32768, 32768, (6, 5, 1)).astype(np.int16)
    picture = open_picture(tiff(signed, sample_format=2), options=KEEP)
    assert picture.deep.dtype == np.int16 and np.array_equal(picture.deep, signed)
    reduced = open_picture(tiff(signed, sample_format=2))
    assert reduced.deep is None and "stretched to 0 to 255" in reduced.notes.lines()[0]


def test_float_rgb_tiffs() -> None:
    floats = np.random.default_rng(1).random((6, 5, 3)).astype(np.float32)
    assert np.array_equal(open_picture(tiff(floats, sample_format=3), options=KEEP).deep, floats)


def test_a_tiff_of_many_samples_a_pixel_is_kept_as_its_own_bytes_and_refused_before_they_are_decoded() -> None:
    file = io.BytesIO()
    tifffile.imwrite(file, np.zeros((6, 5, 7), np.float32), photometric="minisblack", planarconfig="contig")
    picture = open_picture(file.getvalue())
    assert picture.own_bytes == "must" and len(picture.notes.lost) == 6
    seven, many = (struct.pack("<HHII", 277, kind, 1, count) for kind, count in ((3, 7), (4, 65_535)))
    with pytest.raises(UnsupportedPictureError, match="65535 samples a pixel"):
        open_picture(file.getvalue().replace(seven, many), max_pixels=30)


def test_inks_of_16_bits_are_kept_as_the_files_own_bytes_alone() -> None:
    data = tiff(deep(4, 5, 4), ink=True)
    assert open_picture(data, options=KEEP).own_bytes == "must"
    assert open_picture(data).own_bytes == "may"
    with pytest.raises(UnsupportedPictureError, match="only the source's own bytes"):
        open_picture(data, options=ReadOptions(depth="keep", strip_metadata=True))


@pytest.mark.parametrize("largest", [256, 1023, 4095, 65535])
@pytest.mark.parametrize("channels", [1, 3])
def test_a_netpbm_file_of_any_maxval_comes_whole(channels: int, largest: int) -> None:
    samples = (deep(5, 6, channels).astype(int) % (largest + 1)).astype(np.uint16)
    kind = {1: b"P5", 3: b"P6"}[channels]
    data = kind + b"\n# a comment\n6 5\n%d\n" % largest + samples.astype(">u2").tobytes()
    picture = open_picture(data, options=KEEP)
    assert np.array_equal(picture.deep, samples) and picture.largest == largest
    with pytest.raises(DamagedPictureError, match="found"):
        open_picture(data[:-3])
    text = {1: b"P2", 3: b"P3"}[channels] + b" 6 5 %d " % largest + b" ".join(b"%d" % v for v in samples.ravel())
    assert np.array_equal(open_picture(text, options=KEEP).deep, samples)


def test_grey_jpeg_2000_of_16_bits_comes_whole() -> None:
    grey = deep(12, 13)
    assert np.array_equal(open_picture(saved(grey, "JPEG2000"), options=KEEP).deep[:, :, 0], grey)


def test_colour_jpeg_2000_of_12_bits_comes_whole() -> None:
    samples = deep(16, 17, 3) >> 4
    data = bytes(imagecodecs.jpeg2k_encode(samples, level=0, bitspersample=12, codecformat="jp2", reversible=True))
    picture = open_picture(data, options=KEEP)
    assert np.array_equal(picture.deep, samples) and picture.largest == 4095 and picture.own_bytes == "may"


def test_what_pillow_reduces_is_kept_as_the_files_own_bytes() -> None:
    data = bytes(imagecodecs.avif_encode(deep(16, 16, 3) >> 6, bitspersample=10))
    picture = open_picture(data, options=KEEP)
    assert picture.own_bytes == "must" and any(
        "10 bits a sample reduced to 8" in note for note in picture.notes.changed
    )


def test_the_error_of_a_reduction_is_said() -> None:
    samples = deep(64, 64, 3)
    picture = open_picture(write_deep_png(samples))
    assert picture.deep is None and np.array_equal(picture.pixels, np.rint(samples / 257).astype(np.uint8))
    (note,) = picture.notes.changed
    error = -10 * np.log10(np.square(picture.pixels / 255 - samples / 65535).mean())
    assert note == f"samples of 0 to 65535 reduced to 8 bits ({error:.1f} dB)" and 58 < error < 60


def test_8_bits_in_16_are_reduced_without_loss() -> None:
    eight = np.random.default_rng(0).integers(0, 256, (9, 9, 3)).astype(np.uint16)
    picture = open_picture(write_deep_png(eight * 257))
    assert np.array_equal(picture.pixels, eight)
    assert picture.notes == changed("samples of 0 to 65535 reduced to 8 bits (without loss)")


def test_what_is_no_number_is_said() -> None:
    floats = np.array([[[0.5], [np.nan], [np.inf], [1.0]]], np.float32)
    pixels, notes = to_eight_bits(floats, 255)
    assert pixels.ravel().tolist() == [128, 0, 0, 255]
    assert notes[0] == "2 samples are no numbers, taken as 0"


def test_linear_light_gets_the_curve() -> None:
    pixels, notes = to_eight_bits(np.array([[[0.0], [0.2158605], [1.0], [7.0]]], np.float32), 255, linear=True)
    assert pixels.ravel().tolist() == [0, 128, 255, 255]
    assert notes == ("linear light reduced to 8 bits of sRGB, 25.00% of the samples clipped",)


@settings(max_examples=80, deadline=None)
@given(
    height=st.integers(1, 20),
    width=st.integers(1, 20),
    channels=st.sampled_from([1, 3]),
    dtype=st.sampled_from(TYPES),
    seed=st.integers(0, 99),
)
def test_planes_round_trip(height: int, width: int, channels: int, dtype: np.dtype, seed: int) -> None:
    """Any bits: among floats also those that are no numbers."""
    raw = np.random.default_rng(seed).bytes(height * width * channels * dtype.itemsize)
    samples = np.frombuffer(raw, dtype).reshape(height, width, channels)
    back = unpack_lossless(pack_lossless(samples), height=height, width=width, channels=channels, dtype=dtype)
    assert back.dtype == dtype and back.tobytes() == raw and not back.flags.writeable


def test_smooth_planes_are_small() -> None:
    y, x = np.mgrid[:100, :100]
    samples = (200 * x + 300 * y).astype(np.uint16)[:, :, None]
    assert len(pack_planes(samples)) < samples.nbytes / 50


@settings(max_examples=80, deadline=None)
@given(place=st.floats(0, 1, exclude_max=True), flip=st.integers(1, 255), cut=st.booleans())
def test_damaged_planes_are_corrupt(place: float, flip: int, cut: bool) -> None:
    data = bytearray(pack_planes(deep(6, 7, 3)))
    at = int(place * len(data))
    if cut:
        del data[at:]
    else:
        data[at] ^= flip
    with pytest.raises(CorruptBitstreamError):
        unpack_planes(bytes(data), (6, 7, 3), np.dtype(np.uint16))


def test_planes_of_another_size_are_corrupt() -> None:
    data = pack_planes(deep(6, 7, 3))
    for shape in ((6, 7, 1), (7, 7, 3), (1, 1, 1)):
        with pytest.raises(CorruptBitstreamError, match="another number"):
            unpack_planes(data, shape, np.dtype(np.uint16))
    for dtype in (np.dtype(np.uint8), np.dtype(np.uint16)):
        with pytest.raises(CorruptBitstreamError):
            packed = pack_lossless(deep(6, 7, 3) if dtype == np.uint8 else np.zeros((6, 7, 3), np.uint8))
            unpack_lossless(packed, height=6, width=7, channels=3, dtype=dtype)


def test_a_deep_picture_is_written_whole_as_png_and_reduced_elsewhere() -> None:
    samples, alpha = deep(9, 10, 3), deep(9, 10)
    metadata = Metadata(b"MM\0*\0\0\0\x08\0\0\0\0\0\0", b"\0" * 128 + b"profile", b"<x/>", b"\x1c\x02\0\0\0")
    picture = Picture((samples >> 8).astype(np.uint8), "x", metadata, NO_NOTES, alpha=alpha, deep=samples)
    back = open_picture(write_picture(fit(picture, "png"), "png"), options=KEEP)
    assert np.array_equal(back.deep, samples) and np.array_equal(back.alpha, alpha) and back.metadata == metadata
    for format in ("jpeg", "webp"):
        fitted = fit(picture, format)
        assert fitted.deep is None and "16-bit samples written as 8 bits" in fitted.notes.changed[0]
        assert open_picture(write_picture(fitted, format)).pixels.shape == (9, 10, 3)


def test_samples_of_12_bits_are_written_at_full_scale() -> None:
    samples = (deep(4, 4, 1) % 4096).astype(np.uint16)
    picture = Picture((samples >> 4).astype(np.uint8), "x", Metadata(), NO_NOTES, deep=samples, largest=4095)
    back = open_picture(write_picture(picture, "png"), options=KEEP).deep
    assert np.array_equal(np.rint(back.astype(float) * 4095 / 65535), samples)
