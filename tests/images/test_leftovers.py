"""Whatever of a file isn't stored is named; and nothing is that is stored, or says only how the file is built."""

from __future__ import annotations

import io
import struct
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from archivae.images import ReadOptions, open_picture
from archivae.images.leftovers import LEFTOVERS, with_leftovers
from archivae.images.picture import Raster, Rasters
from archivae.images.readers import READERS
from tests.kinds import box, file_of, jpeg_with, losing, pixels, segment, several, whole

WHOLE, LOSING = whole(), losing()


@pytest.mark.parametrize("name", WHOLE)
def test_nothing_is_lost_of_what_is_stored(name: str) -> None:
    picture = open_picture(WHOLE[name])
    assert picture.notes.lost == () and picture.own_bytes == "may"
    assert open_picture(WHOLE[name], options=ReadOptions(keep_bytes_of="lost")).own_bytes == "may"


@pytest.mark.parametrize("name", LOSING)
def test_what_is_not_stored_is_named(name: str) -> None:
    data, lost = LOSING[name]
    assert lost in open_picture(data).notes.lost
    assert open_picture(data).own_bytes == "may"
    for options in (ReadOptions(exact=True), ReadOptions(keep_bytes_of="lost")):
        assert open_picture(data, options=options).own_bytes == "must"


@pytest.mark.parametrize("name", LOSING)
def test_privacy_goes_before_own_bytes(name: str) -> None:
    for strip in ({"strip_metadata": True}, {"strip_gps": True}):
        picture = open_picture(LOSING[name][0], options=ReadOptions(exact=True, **strip))  # type: ignore[arg-type]
        assert picture.own_bytes == "never" and LOSING[name][1] in picture.notes.lost


def test_what_was_to_be_stripped_is_lost_as_asked() -> None:
    described = WHOLE["described.jpg"]
    lost = open_picture(described, options=ReadOptions(strip_metadata=True)).notes.lost
    assert lost == ("EXIF, as asked", "XMP, as asked", "IPTC, as asked")


def test_every_format_that_is_read_is_looked_through() -> None:
    assert LEFTOVERS.keys() == READERS.keys()


@settings(max_examples=60, deadline=None)
@given(marker=st.sampled_from([*range(0xE0, 0xF0), 0xFE]), body=st.binary(min_size=1, max_size=60))
def test_any_segment_of_a_jpeg_is_named(marker: int, body: bytes) -> None:
    assert open_picture(jpeg_with(segment(marker, body))).notes.lost


def test_a_second_profile_is_named() -> None:
    profile = segment(0xE2, b"ICC_PROFILE\0\1\1" + b"a profile")
    picture = open_picture(jpeg_with(profile, profile))
    assert picture.metadata.icc == b"" and picture.notes.lost == ("APP2 segment (colour profile)",)


def test_frames_that_are_kept_are_not_lost() -> None:
    every = ReadOptions(frames="all")
    for kind in ("GIF", "PNG", "WEBP", "AVIF"):
        assert open_picture(several(kind), options=every).notes.lost == ()
    lost = open_picture(several("MPO"), options=every).notes.lost
    assert all("MPF" in name for name in lost)


def test_what_stands_beside_a_later_picture_is_named_with_its_number() -> None:
    first, second = Image.fromarray(pixels()), Image.fromarray(pixels(2))
    second.info["comment"] = b"of the second"
    file = io.BytesIO()
    first.save(file, "MPO", save_all=True, append_images=[second])
    data = file.getvalue()
    at = data.index(b"\xff\xd8\xff", 100)
    marked = data[: at + 2] + segment(0xE9, b"private") + data[at + 2 :]
    picture = open_picture(marked, options=ReadOptions(frames="all"))
    assert "frame 2: APP9 segment (private)" in picture.notes.lost


def heif(*items: tuple[bytes, bytes]) -> bytes:
    """A file of one coded picture and more items of (type, reference to the first)."""
    infos = [box(b"infe", struct.pack(">BBHHH4s", 2, 0, 0, n, 0, kind) + b"\0") for n, kind in _numbered(items)]
    links = [box(link, struct.pack(">HHH", n, 1, 1)) for n, (_, link) in enumerate(items, 2) if link]
    properties = box(
        b"iprp", box(b"ipco", box(b"auxC", bytes(4) + b"urn:com:apple:depth\0")) + box(b"ipma", _ASSOCIATIONS)
    )
    parts = box(b"pitm", bytes(4) + struct.pack(">H", 1)) + box(
        b"iinf", bytes(4) + struct.pack(">H", len(infos)) + b"".join(infos)
    )
    meta = box(b"meta", bytes(4) + parts + box(b"iref", bytes(4) + b"".join(links)) + properties)
    return box(b"ftyp", b"heic\0\0\0\0") + meta


_ASSOCIATIONS = bytes(4) + struct.pack(">IHBB", 1, 2, 1, 1)


def _numbered(items: tuple[tuple[bytes, bytes], ...]) -> list[tuple[int, bytes]]:
    return [(1, b"hvc1"), *((n, kind) for n, (kind, _) in enumerate(items, 2))]


@pytest.mark.parametrize(
    ("item", "name"),
    [
        ((b"hvc1", b"auxl"), "auxiliary picture (urn:com:apple:depth)"),
        ((b"hvc1", b"thmb"), "thumbnail"),
        ((b"uri ", b"cdsc"), "item 'uri '"),
        ((b"Exif", b"cdsc"), "item 'Exif'"),
    ],
)
def test_items_of_a_heif_are_named(item: tuple[bytes, bytes], name: str) -> None:
    assert name in found("HEIF", heif(item))
    assert found("HEIF", heif()) == ()


def test_boxes_of_a_jpeg_2000_are_named() -> None:
    data = file_of(pixels(), "JPEG2000")
    assert open_picture(data + box(b"xml ", b"<gml/>")).notes.lost == ("xml box",)
    place = bytes.fromhex("b14bf8bd083d4b43a5ae8cd7d5a6ce03")
    assert open_picture(data + box(b"uuid", place + b"a TIFF")).notes.lost == ("uuid box (GeoJP2)",)


def test_pictures_of_light_name_their_attributes() -> None:
    lines = b"#?RADIANCE\nFORMAT=32-bit_rle_rgbe\n%s\n-Y 1 +X 1\n"
    assert found("Radiance HDR", lines % b"EXPOSURE=2\n") == ("header lines",)
    assert found("Radiance HDR", lines % b"") == ()


def test_what_can_not_be_looked_through_is_lost() -> None:
    data = heif((b"hvc1", b"thmb"))
    assert found("HEIF", data + b"\0\0\0\x05oops") == ("8 bytes that are no box", "thumbnail")
    torn = found("HEIF", data[: data.index(b"ipma") + 9])
    assert torn[-1] == "whatever else stands beside the pixels, which is damaged"


def found(kind: str, data: bytes) -> tuple[str, ...]:
    """The names of what is lost of a file from which only pixels were read."""
    raster: Any = Raster(np.zeros((1, 1, 3), np.uint8), "rgb")
    return with_leftovers(data, kind, Rasters(raster)).first.notes.lost
