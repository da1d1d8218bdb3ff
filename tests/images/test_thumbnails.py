"""A thumbnail in EXIF is turned as its picture is."""

from __future__ import annotations

import io
import struct

import numpy as np
import pytest
from PIL import ExifTags, Image

from archivae.images import open_picture
from archivae.images.thumbnails import with_thumbnail_turned
from tests.kinds import jpeg, pixels, saved, sideways


def thumbnail_in(exif: bytes) -> np.ndarray | None:
    """What any reader of EXIF finds."""
    block = Image.Exif()
    block.load(exif)
    found = block.get_ifd(ExifTags.IFD.IFD1)
    if not found:
        return None
    at, size = found[0x0201], found[0x0202]
    assert found.get(0x0112, 1) == 1
    return np.asarray(Image.open(io.BytesIO(exif[at : at + size])).convert("RGB")).astype(int)


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("quality", [30, 90])
def test_it_lies_as_the_picture(orientation: int, quality: int) -> None:
    small = saved(Image.fromarray(pixels()).resize((32, 24)), "JPEG", quality=quality)
    picture = open_picture(jpeg(exif=b"Exif\0\0" + sideways(orientation, small)))
    found = thumbnail_in(picture.metadata.exif)
    assert found is not None
    height, width = picture.pixels.shape[:2]
    assert found.shape == (height // 2, width // 2, 3)
    meant = np.asarray(Image.fromarray(picture.pixels).resize((width // 2, height // 2))).astype(int)
    assert np.abs(found - meant).mean() < (9 if quality == 30 else 5)
    assert picture.notes.lost == ()
    assert ("EXIF thumbnail turned" in picture.notes.changed) == (orientation != 1)


def test_one_that_can_not_be_turned_goes_and_is_named() -> None:
    picture = open_picture(jpeg(exif=b"Exif\0\0" + sideways(6, b"no JPEG")))
    assert thumbnail_in(picture.metadata.exif) is None
    assert picture.notes.lost == ("EXIF thumbnail, which can't be turned",)


def test_damaged_directories_are_left_alone_or_lose_their_thumbnail() -> None:
    exif = sideways()
    for at in range(0, len(exif), 3):
        torn, notes = with_thumbnail_turned(exif[:at], 6)
        assert len(torn) >= at or notes.lost
        harmed = bytearray(exif)
        harmed[at] ^= 0xFF
        with_thumbnail_turned(bytes(harmed), 6)
    far = exif[:-4].replace(struct.pack("<I", len(exif)), bytes(4))
    assert with_thumbnail_turned(far, 6)[1].lost
