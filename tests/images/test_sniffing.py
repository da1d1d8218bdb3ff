from __future__ import annotations

import io

import numpy as np
import pytest
from PIL import Image

from archivae.errors import DamagedPictureError, UnsupportedPictureError
from archivae.images import is_picture, picture_ending
from archivae.images.sniffing import sniff


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
        (b"\x00\x00\x00\x18ftypheic\x00\x00\x00\x00mif1heic", "HEIF"),
        (b"\xff\x0a\x7a\x1f", "JPEG XL"),
        (b"8BPS\x00\x01", "Photoshop"),
        (bytes(128) + b"DICM", "DICOM"),
    ],
)
def test_pictures_that_are_not_read_are_named(data: bytes, kind: str) -> None:
    assert not is_picture(data)
    with pytest.raises(UnsupportedPictureError, match=kind):
        sniff(data)


@pytest.mark.parametrize("name", ["a.jpg", "gs://bucket/b.JPEG", "x.y/c.TiF", "d.heic", "e.NEF"])
def test_names_that_claim_a_picture(name: str) -> None:
    assert picture_ending(name)


@pytest.mark.parametrize("name", ["", "jpg", ".jpg", "a.jpg.txt", "README", "a.jpg/b"])
def test_names_that_claim_none(name: str) -> None:
    assert not picture_ending(name)
