"""Metadata kept, stripped of everything or of the place, and written again; and what truncated files still give."""

from __future__ import annotations

import io
import struct
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import ExifTags, Image, PngImagePlugin

from archivae.errors import DamagedPictureError
from archivae.images import Metadata, Picture, ReadOptions, fit, open_picture
from archivae.images.notes import NO_NOTES, changed, lost
from archivae.images.stripping import without_place
from archivae.images.writing import OutputFormat, write_picture

IPTC = b"\x1c\x02\x05\x00\x05title\x1c\x02\x19\x00\x03sea"
XMP = (
    b'<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:Description dc:title="sea" exif:GPSLatitude="43,41.2N"\n'
    b" exif:GPSLongitude='7,15E'><exif:GPSAltitude>12/1</exif:GPSAltitude><exif:GPSMapDatum/>"
    b"<exif:Flash>1</exif:Flash></rdf:Description></x:xmpmeta>"
)


def noise(*shape: int) -> np.ndarray:
    return np.random.default_rng(7).integers(0, 256, shape, dtype=np.uint8)


def saved(image: np.ndarray, kind: str, **options: Any) -> bytes:
    file = io.BytesIO()
    Image.fromarray(image).save(file, kind, **options)
    return file.getvalue()


def exif_with_place() -> bytes:
    exif = Image.Exif()
    exif[ExifTags.Base.Make] = "Maker of cameras"
    exif.get_ifd(ExifTags.IFD.Exif)[ExifTags.Base.UserComment] = b"ASCII\x00\x00\x00kept as it was"
    place = exif.get_ifd(ExifTags.IFD.GPSInfo)
    place[ExifTags.GPS.GPSLatitudeRef] = "N"
    place[ExifTags.GPS.GPSLatitude] = (43.0, 41.0, 12.345)
    place[ExifTags.GPS.GPSProcessingMethod] = b"ASCII\x00\x00\x00by a satellite"
    return exif.tobytes().removeprefix(b"Exif\x00\x00")


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP"])
def test_the_place_goes_and_the_rest_stays(kind: str) -> None:
    data = saved(noise(8, 8, 3), kind, exif=b"Exif\0\0" + exif_with_place(), xmp=XMP)
    kept, stripped = open_picture(data).metadata, open_picture(data, options=ReadOptions(strip_gps=True)).metadata
    assert b"by a satellite" in kept.exif and len(stripped.exif) == len(kept.exif)
    exif = Image.Exif()
    exif.load(stripped.exif)
    assert exif[ExifTags.Base.Make] == "Maker of cameras" and not exif.get_ifd(ExifTags.IFD.GPSInfo)
    assert exif.get_ifd(ExifTags.IFD.Exif)[ExifTags.Base.UserComment].endswith(b"kept as it was")
    assert b"satellite" not in stripped.exif and struct.pack("<I", 12345) not in stripped.exif
    if kind != "PNG":  # Pillow writes XMP into a PNG only as a text
        assert b"GPS" not in stripped.xmp and b'dc:title="sea"' in stripped.xmp and b"<exif:Flash>1<" in stripped.xmp


def test_a_file_that_tells_the_place_is_never_archived_as_it_is() -> None:
    data = saved(noise(8, 8, 3), "JPEG", exif=b"Exif\0\0" + exif_with_place())
    assert open_picture(data, options=ReadOptions(strip_gps=True)).own_bytes == "never"
    assert open_picture(data).own_bytes == "may"
    assert open_picture(saved(noise(8, 8, 3), "JPEG"), options=ReadOptions(strip_gps=True)).own_bytes == "never"


@settings(max_examples=150, deadline=None)
@given(changes=st.lists(st.tuples(st.integers(0, 400), st.integers(0, 255)), max_size=5), keep=st.integers(0, 400))
def test_a_damaged_block_goes_whole_or_without_its_place(changes: list[tuple[int, int]], keep: int) -> None:
    exif = bytearray(exif_with_place()[: max(keep, 1)])
    for place, value in changes:
        exif[place % len(exif)] = value
    stripped = without_place(Metadata(exif=bytes(exif))).exif
    assert len(stripped) in (0, len(exif))


@pytest.mark.parametrize("xmp", [XMP.decode().encode("utf-16"), b"<a b:GPSLatitude", XMP.replace(b"/>", b">")])
def test_xmp_in_which_the_place_hides_goes_whole(xmp: bytes) -> None:
    assert b"GPS" not in without_place(Metadata(xmp=xmp)).xmp.replace(b"\0", b"")


EXTENDED = b"http://ns.adobe.com/xmp/extension/\0" + b"0" * 40 + b"<exif:GPSLatitude>"


@pytest.mark.parametrize("progressive", [False, True])
def test_what_lies_behind_a_jpeg_or_in_further_packets_is_named(progressive: bool) -> None:
    data = saved(noise(40, 50, 3), "JPEG", progressive=progressive, restart_marker_rows=1)
    film = data + b"\0\0\0\x18ftypmp42 a film"
    packets = data[:2] + b"\xff\xe1" + struct.pack(">H", 2 + len(EXTENDED)) + EXTENDED + data[2:]
    assert open_picture(data).notes == open_picture(data + bytes(512) + b"\r\n").notes == NO_NOTES
    assert open_picture(film).notes == lost("19 bytes after the picture")
    assert open_picture(packets).notes == lost("APP1 segment (extended XMP)")
    for told in (film, packets, saved(noise(8, 8, 3), "JPEG", comment=b"at home")):
        assert open_picture(told).own_bytes == "may"
        assert open_picture(told, options=ReadOptions(strip_gps=True)).own_bytes == "never"


def test_frames_that_nobody_looked_into_may_tell_the_place() -> None:
    data = saved(noise(8, 8, 3), "PNG", save_all=True, append_images=[Image.fromarray(255 - noise(8, 8, 3))])
    assert open_picture(data, options=ReadOptions(strip_gps=True)).own_bytes == "never"
    assert open_picture(data, options=ReadOptions(strip_gps=True, frames="all")).own_bytes == "never"


def raw_profile(name: str, text: str) -> bytes:
    chunks = PngImagePlugin.PngInfo()
    chunks.add_text(f"Raw profile type {name}", text, zip=True)
    return saved(noise(8, 8, 3), "PNG", pnginfo=chunks)


@pytest.mark.parametrize("name", ["exif", "APP1"])
def test_exif_as_imagemagick_puts_it_is_kept(name: str) -> None:
    block = b"Exif\0\0" + exif_with_place()
    picture = open_picture(raw_profile(name, f"\nexif\n{len(block):8}\n{block.hex()}\n"))
    assert picture.metadata.exif == exif_with_place() and picture.notes == NO_NOTES


@pytest.mark.parametrize(
    ("name", "body"), [("exif", "no hexadecimal"), ("iptc", "abc"), ("APP1", b"http://ns.adobe.com/xap/1.0/".hex())]
)
def test_a_damaged_or_other_block_is_named_and_the_picture_read(name: str, body: str) -> None:
    picture = open_picture(raw_profile(name, f"\n{name}\n      99\n{body}\n"))
    assert picture.metadata == Metadata() and picture.notes == lost(f"text 'Raw profile type {name}'")


def test_stripping_everything_keeps_the_colours() -> None:
    icc = b"\0" * 128 + b"a profile"
    data = saved(noise(8, 8, 3), "JPEG", exif=b"Exif\0\0" + exif_with_place(), xmp=XMP, icc_profile=icc)
    picture = open_picture(data, options=ReadOptions(strip_metadata=True))
    assert picture.metadata == Metadata(icc=icc) and picture.own_bytes == "never"


@pytest.mark.parametrize("format", ["jpeg", "png"])
def test_iptc_comes_back(format: OutputFormat) -> None:
    picture = Picture(noise(8, 9, 3), "x", Metadata(iptc=IPTC), NO_NOTES)
    back = open_picture(write_picture(picture, format))
    assert back.metadata == picture.metadata and back.notes == NO_NOTES
    assert "no place" in fit(picture, "webp").notes.lines()[0]


def test_iptc_of_a_tiff_is_kept() -> None:
    assert open_picture(saved(noise(4, 4, 3), "TIFF", tiffinfo={33723: IPTC})).metadata.iptc.startswith(IPTC)


@settings(max_examples=60, deadline=None)
@given(
    height=st.integers(1, 30),
    width=st.integers(1, 30),
    channels=st.sampled_from([1, 3]),
    alpha=st.booleans(),
    format=st.sampled_from(["png", "webp"]),
    icc=st.binary(max_size=40),
    xmp=st.binary(max_size=40),
    iptc=st.binary(max_size=40),
)
def test_any_picture_with_any_metadata_comes_back(
    height: int, width: int, channels: int, alpha: bool, format: OutputFormat, icc: bytes, xmp: bytes, iptc: bytes
) -> None:
    plane = noise(height, width) // 2 if alpha else None
    metadata = Metadata(exif_with_place(), icc, xmp, iptc if format == "png" else b"")
    picture = Picture(noise(height, width, channels), "x", metadata, NO_NOTES, alpha=plane)
    back = open_picture(write_picture(fit(picture, format), format))
    assert (back.pixels == picture.pixels).all() and back.metadata == metadata
    assert back.alpha is None if plane is None else np.array_equal(back.alpha, plane)


def test_transparency_is_laid_on_white_where_there_is_none() -> None:
    picture = Picture(
        np.zeros((1, 3, 3), np.uint8), "x", Metadata(), NO_NOTES, alpha=np.array([[0, 128, 255]], np.uint8)
    )
    fitted = fit(picture, "jpeg")
    assert fitted.pixels[0, :, 0].tolist() == [255, 127, 0] and fitted.alpha is None
    assert fitted.notes == changed("transparency laid on white: jpeg has none")
    with pytest.raises(ValueError, match="fit it first"):
        write_picture(picture, "jpeg")


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "TIFF", "BMP", "PPM", "GIF"])
def test_half_a_file_gives_its_half_on_request(kind: str) -> None:
    pixels = np.broadcast_to(noise(64, 1, 1) // 2 + 60, (64, 64, 3)).copy()
    pixels[::2] += noise(32, 64, 1) // 8
    data = saved(pixels, kind)
    whole = open_picture(data).pixels
    cut = data[: len(data) * 2 // 3]
    with pytest.raises(DamagedPictureError):
        open_picture(cut)
    picture = open_picture(cut, options=ReadOptions(tolerant=True))
    assert picture.pixels.shape == whole.shape and picture.own_bytes == "never"
    assert picture.notes.lines()[0].startswith("damaged, what could be decoded is kept: ")
    if kind != "TIFF":  # its strips may all be lost
        right = (picture.pixels == whole).all(axis=(1, 2))  # rows: BMP begins at the bottom, GIF leaps
        assert 0.2 < right.mean() < 1


def test_a_wrong_checksum_is_tolerated_on_request() -> None:
    data = bytearray(saved(noise(16, 16, 3), "PNG"))
    at = data.index(b"IEND") - 5  # the last byte of the pixels' checksum
    data[at] ^= 1
    with pytest.raises(DamagedPictureError):
        open_picture(bytes(data))
    picture = open_picture(bytes(data), options=ReadOptions(tolerant=True))
    assert np.array_equal(picture.pixels, noise(16, 16, 3)) and "broken PNG" in picture.notes.lines()[0]


def test_tolerance_changes_nothing_of_whole_files() -> None:
    data = saved(noise(16, 16, 3), "PNG")
    strict, tolerant = open_picture(data), open_picture(data, options=ReadOptions(tolerant=True))
    assert np.array_equal(strict.pixels, tolerant.pixels)
    assert (strict.notes, strict.own_bytes) == (tolerant.notes, tolerant.own_bytes) == (NO_NOTES, "may")
    assert replace(strict, pixels=tolerant.pixels).metadata == tolerant.metadata
