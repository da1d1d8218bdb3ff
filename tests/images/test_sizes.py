"""Sizes that nobody should believe, and those that are odd but true."""

from __future__ import annotations

import io
import struct
import tracemalloc
import zlib

import numpy as np
import pytest
from PIL import Image

from archivae.errors import ArchivaeError, DamagedPictureError, PictureTooLargeError
from archivae.images import open_picture
from archivae.images.sizes import check_size


def png_header(width: int, height: int) -> bytes:
    head = b"IHDR" + struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + struct.pack(">I", 13) + head + struct.pack(">I", zlib.crc32(head)) + bytes(64)


def claimed(kind: str, width: int, height: int) -> bytes:
    """A small true file whose header is given another size."""
    file = io.BytesIO()
    Image.new("RGB", (7, 9)).save(file, kind)
    data = bytearray(file.getvalue())
    if kind == "JPEG":
        at = data.index(b"\xff\xc0") + 5
        struct.pack_into(">HH", data, at, height, width)
    elif kind == "BMP":
        struct.pack_into("<ii", data, 18, width, height)
    elif kind == "GIF":
        struct.pack_into("<HH", data, 6, width, height)
    elif kind == "JPEG2000":
        at = data.index(b"\xff\x4f\xff\x51") + 8
        struct.pack_into(">II", data, at, width, height)
        ihdr = data.index(b"ihdr") + 4
        struct.pack_into(">II", data, ihdr, height, width)
    return bytes(data)


@pytest.mark.parametrize(
    "data",
    [
        png_header(2**31 - 1, 2**31 - 1),
        b"P6 4000000000 4000000000 255 x",
        b"P6 4000000000 4000000000 65535 x",
        claimed("JPEG", 65_535, 65_535),
        claimed("BMP", 2**31 - 1, 2**31 - 1),
        claimed("GIF", 65_535, 65_535),
        claimed("JPEG2000", 2**31 - 1, 2**31 - 1),
    ],
    ids=["png", "ppm", "deep ppm", "jpeg", "bmp", "gif", "jpeg2000"],
)
def test_a_size_beyond_32_bits_costs_nothing(data: bytes) -> None:
    tracemalloc.start()
    try:
        with pytest.raises(ArchivaeError) as caught:
            open_picture(data)
        assert tracemalloc.get_traced_memory()[1] < 2_000_000
    finally:
        tracemalloc.stop()
    assert isinstance(caught.value, PictureTooLargeError | DamagedPictureError)


def test_products_are_exact() -> None:
    check_size(2**32 - 1, 2**32 - 1, (2**32 - 1) ** 2)
    with pytest.raises(PictureTooLargeError, match=r"18,446,744,065,119,617,025"):
        check_size(2**32 - 1, 2**32 - 1, (2**32 - 1) ** 2 - 1)
    with pytest.raises(PictureTooLargeError, match="sides"):
        check_size(2**32, 1, 2**40)
    for size in ((0, 5), (5, 0), (-1, 5)):
        with pytest.raises(DamagedPictureError, match="at least one pixel"):
            check_size(*size, 100)


@pytest.mark.parametrize("size", [(1, 1), (1, 5000), (5000, 1), (13312, 24)])
@pytest.mark.parametrize("kind", ["PNG", "TIFF", "BMP", "PPM", "WEBP"])
def test_odd_sizes_come_whole(size: tuple[int, int], kind: str) -> None:
    pixels = np.random.default_rng(3).integers(0, 256, (*size, 3), dtype=np.uint8)
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, kind, **({"lossless": True} if kind == "WEBP" else {}))
    assert np.array_equal(open_picture(file.getvalue()).pixels, pixels)


def test_a_jpeg_of_12_bits_is_named() -> None:
    data = bytearray(claimed("JPEG", 7, 9))
    data[data.index(b"\xff\xc0") + 4] = 12
    with pytest.raises(ArchivaeError, match="a 12-bit JPEG"):
        open_picture(bytes(data))
    data[data.index(b"\xff\xc0") + 1] = 0xC3
    data[data.index(b"\xff\xc3") + 4] = 8
    with pytest.raises(ArchivaeError, match="lossless one"):
        open_picture(bytes(data))
