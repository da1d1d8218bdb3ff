"""How large a picture is meant to be comes back, whatever format told it and whatever format is written."""

from __future__ import annotations

import io
import struct
from fractions import Fraction

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import ExifTags, Image

from archivae.images import fit, open_picture
from archivae.images.resolution import Resolution, exif_resolution, per_metre, resolution, with_resolution
from archivae.images.writing import OutputFormat, write_picture
from tests.kinds import chunk, jpeg, pixels, png_with, saved, sideways
from tests.samples import file_of

DPI = (300, 200)


def with_exif() -> bytes:
    exif = Image.Exif()
    exif[ExifTags.Base.XResolution], exif[ExifTags.Base.YResolution] = 300.0, 200.0
    exif[ExifTags.Base.ResolutionUnit] = 2
    return exif.tobytes()


SOURCES = {
    "JFIF": lambda: jpeg(dpi=DPI),
    "PNG": lambda: file_of(pixels(), dpi=DPI),
    "BMP": lambda: file_of(pixels(), "BMP", dpi=DPI),
    "TIFF": lambda: file_of(pixels(), "TIFF", dpi=DPI),
    "EXIF in WebP": lambda: file_of(pixels(), "WEBP", exif=with_exif()),
    "EXIF in JPEG": lambda: jpeg(exif=with_exif()),
    "JFIF beside EXIF": lambda: jpeg(dpi=DPI, exif=b"Exif\0\0" + sideways(1)),
}


@pytest.mark.parametrize("source", SOURCES)
@pytest.mark.parametrize("format", ["png", "jpeg", "webp"])
def test_it_comes_back(source: str, format: OutputFormat) -> None:
    picture = open_picture(SOURCES[source]())
    assert picture.notes.lost == ()
    back = open_picture(write_picture(fit(picture, format), format))
    assert back.notes.lost == ()
    found = exif_resolution(back.metadata.exif)
    assert found is not None and found.agrees(Resolution(Fraction(300), Fraction(200), "inch"))
    if format != "webp":  # which tells it in EXIF alone
        told = Image.open(io.BytesIO(write_picture(fit(picture, format), format))).info["dpi"]
        assert told == pytest.approx(DPI, abs=0.02)


def test_a_png_gets_its_very_dots_back() -> None:
    for body in (struct.pack(">IIB", 11811, 2834, 1), struct.pack(">IIB", 3, 2, 0)):
        picture = open_picture(png_with(chunk(b"pHYs", body)))
        assert chunk(b"pHYs", body) in write_picture(fit(picture, "png"), "png")


def test_square_pixels_of_no_size_are_what_any_picture_has() -> None:
    assert open_picture(png_with(chunk(b"pHYs", struct.pack(">IIB", 1, 1, 0)))).metadata.exif == b""
    assert open_picture(jpeg()).metadata.exif == b""
    assert resolution(0, 5, "inch") is None


def test_one_that_differs_from_exif_is_named() -> None:
    picture = open_picture(jpeg(dpi=(72, 72), exif=with_exif()))
    assert picture.notes.lost == ("JFIF density of 72 dots an inch, where 300 x 200 dots an inch is kept",)
    assert "PNG density of 71.9836 dots an inch" not in str(picture.notes)
    close = open_picture(png_with(chunk(b"pHYs", struct.pack(">IIB", 11811, 7874, 1)), exif=with_exif()))
    assert close.notes.lost == ()


@settings(max_examples=100, deadline=None)
@given(across=st.integers(1, 2**31 - 1), down=st.integers(1, 2**31 - 1), orientation=st.integers(1, 8))
def test_any_resolution_goes_into_exif_and_leaves_the_rest(across: int, down: int, orientation: int) -> None:
    told = per_metre(across, down)
    assert told is not None
    for exif in (b"", sideways(orientation), sideways(orientation) + b"odd"):
        block = with_resolution(exif, told)
        found = exif_resolution(block)
        assert found is not None and found.agrees(told)
        assert block[8 : len(exif)] == exif[8:] and with_resolution(block, told) == block
    read = Image.Exif()
    read.load(with_resolution(sideways(orientation), told))
    assert read[ExifTags.Base.Orientation] == orientation and read[ExifTags.Base.Make] == "Cam"
    assert read.get_ifd(ExifTags.IFD.IFD1)[ExifTags.Base.JpegIFOffset]


@settings(max_examples=60, deadline=None)
@given(exif=st.binary(max_size=60))
def test_a_damaged_block_stays_as_it_is_or_says_it(exif: bytes) -> None:
    told = Resolution(Fraction(300), Fraction(300), "inch")
    for block in (exif, b"II*\0" + exif, b"MM\0*\0\0\0\x08" + exif):
        assert with_resolution(block, told) == block or exif_resolution(with_resolution(block, told)) is not None


def test_a_resolution_that_no_block_can_be_told_is_lost() -> None:
    picture = open_picture(jpeg(dpi=(300, 300), exif=b"Exif\0\0no block"))
    assert picture.notes.lost == ("resolution of 300 dots an inch",)


def test_a_bitmap_of_pillows_has_one() -> None:
    assert exif_resolution(open_picture(saved(Image.fromarray(pixels()), "BMP")).metadata.exif) is not None


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "TIFF", "WEBP"])
@pytest.mark.parametrize("told", [1, 2, 3, 4, 5, 6, 7, 8])
def test_it_turns_with_the_picture(kind: str, told: int) -> None:
    exif = Image.Exif()
    exif[ExifTags.Base.Orientation], exif[ExifTags.Base.ResolutionUnit] = told, 2
    exif[ExifTags.Base.XResolution], exif[ExifTags.Base.YResolution] = 300.0, 200.0
    data = file_of(pixels(), kind, exif=exif) if kind == "WEBP" else file_of(pixels(), kind, exif=exif, dpi=DPI)
    picture = open_picture(data)
    found = exif_resolution(picture.metadata.exif)
    assert found is not None and picture.notes.lost == ()
    assert (found.across, found.down) == ((300, 200) if told < 5 else (200, 300))
    assert picture.pixels.shape[:2] == (pixels().shape[:2] if told < 5 else pixels().shape[1::-1])
