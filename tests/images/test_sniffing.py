from __future__ import annotations

import io

import numpy as np
import pytest
from PIL import Image

from archivae.errors import DamagedPictureError, UnsupportedPictureError
from archivae.images import is_picture, picture_ending
from archivae.images.readers import READERS
from archivae.images.sniffing import _READ, sniff


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP", "AVIF", "GIF", "TIFF", "BMP", "PPM", "JPEG2000"])
def test_every_format_is_told_by_its_content(kind: str) -> None:
    file = io.BytesIO()
    Image.fromarray(np.zeros((8, 8, 3), np.uint8)).save(file, kind)
    assert sniff(file.getvalue()) == kind
    assert is_picture(file.getvalue()[:160])


@pytest.mark.parametrize(
    ("data", "found"),
    [
        (b"", "empty file"),
        (b"BM is how this letter begins, not a bitmap", "text beginning 'BM is how"),
        (b"P. S. nor is this a portable pixmap", "text beginning"),
        (bytes(500), "500 bytes that begin with zeros"),
        (b"\x7fELF\x02\x01\x01\x00", "8 bytes beginning 7f 45 4c 46"),
    ],
)
def test_what_is_no_picture_is_described(data: bytes, found: str) -> None:
    assert not is_picture(data)
    with pytest.raises(DamagedPictureError, match=found):
        sniff(data)


@pytest.mark.parametrize(
    ("data", "kind"),
    [
        (b"8BPS\x00\x01", "Photoshop"),
        (b"\x00\x00\x00\x18ftypcrx \x00\x00\x00\x01", "CR3"),
    ],
)
def test_pictures_that_are_not_read_are_named(data: bytes, kind: str) -> None:
    assert not is_picture(data)
    with pytest.raises(UnsupportedPictureError, match=kind):
        sniff(data)


@pytest.mark.parametrize(
    ("data", "kind"),
    [
        (b"\x00\x00\x00\x18ftypheic\x00\x00\x00\x00mif1heic", "HEIF"),
        (b"\x00\x00\x00\x18ftypmif1\x00\x00\x00\x00mif1avif", "AVIF"),
        (b"\xff\x0a\x7a\x1f", "JPEG XL"),
        (b"\x00\x00\x00\x0cJXL \r\n\x87\n", "JPEG XL"),
        (b"\x76\x2f\x31\x01\x02\x00\x00\x00", "OpenEXR"),
        (b"#?RADIANCE\n", "Radiance HDR"),
        (bytes(128) + b"DICM", "DICOM"),
    ],
)
def test_pictures_that_need_more_than_pillow_are_known(data: bytes, kind: str) -> None:
    assert is_picture(data) and sniff(data) == kind


def test_every_kind_has_a_reader_and_every_reader_a_kind() -> None:
    assert set(_READ) == set(READERS)


@pytest.mark.parametrize("name", ["a.jpg", "gs://bucket/b.JPEG", "x.y/c.TiF", "d.heic", "e.NEF"])
def test_names_that_claim_a_picture(name: str) -> None:
    assert picture_ending(name)


@pytest.mark.parametrize("name", ["", "jpg", ".jpg", "a.jpg.txt", "README", "a.jpg/b"])
def test_names_that_claim_none(name: str) -> None:
    assert not picture_ending(name)
