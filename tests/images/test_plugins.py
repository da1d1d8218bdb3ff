"""JPEG XL and HEIC where their plugins are installed, and the extra's name where they aren't."""

from __future__ import annotations

import importlib
import io
from typing import Any

import numpy as np
import pytest
from archivae.images.readers.jpeg_xl_header import boxes, size_and_bits
from PIL import ExifTags, Image

from archivae.errors import DamagedPictureError, PictureTooLargeError, UnsupportedPictureError
from archivae.images import ReadOptions, open_picture

JXL_START = b"\x00\x00\x00\x0cJXL \r\n\x87\n"


def smooth(height: int = 24, width: int = 32) -> np.ndarray:
    y, x = np.mgrid[:height, :width]
    return np.stack([x * 255 // width, y * 255 // height, (x + y) * 255 // (height + width)], axis=2).astype(np.uint8)


def saved(image: np.ndarray, kind: str, **options: Any) -> bytes:
    file = io.BytesIO()
    Image.fromarray(image).save(file, kind, **options)
    return file.getvalue()


@pytest.fixture
def jpeg_xl() -> None:
    pytest.importorskip("pillow_jxl")


@pytest.fixture
def heif() -> None:
    pytest.importorskip("pillow_heif").register_heif_opener()


@pytest.mark.parametrize(
    ("head", "extra"), [(b"\xff\x0a\x10\x08\x00", "jxl"), (b"\0\0\0\x18ftypheic\0\0\0\0mif1heic", "heic")]
)
def test_a_missing_plugin_is_named(head: bytes, extra: str, monkeypatch: pytest.MonkeyPatch) -> None:
    def missing(name: str) -> None:
        raise ImportError(name)

    monkeypatch.setattr(importlib, "import_module", missing)
    with pytest.raises(UnsupportedPictureError, match=rf"install archivae\[{extra}\]"):
        open_picture(head + bytes(100))


@pytest.mark.usefixtures("jpeg_xl")
@pytest.mark.parametrize("channels", [1, 2, 3, 4])
def test_jpeg_xl_comes_back(channels: int) -> None:
    samples = np.dstack([smooth(), smooth()[:, :, :1] // 2])[
        :, :, {1: [0], 2: [0, 3], 3: [0, 1, 2], 4: [0, 1, 2, 3]}[channels]
    ]
    picture = open_picture(saved(samples.squeeze(), "JXL", lossless=True))
    whole = picture.pixels if picture.alpha is None else np.dstack([picture.pixels, picture.alpha])
    assert np.array_equal(whole, samples) and picture.format == "jpeg xl"


@pytest.mark.usefixtures("jpeg_xl")
@pytest.mark.parametrize("size", [(1, 1), (8, 8), (24, 32), (256, 256), (257, 8), (3, 5000)])
@pytest.mark.parametrize("container", [False, True])
def test_the_size_of_a_jpeg_xl_is_in_its_header(size: tuple[int, int], container: bool) -> None:
    data = saved(np.zeros((*size, 3), np.uint8), "JXL", lossless=True, use_container=container)
    assert size_and_bits(data) == (*size, 8)
    with pytest.raises(PictureTooLargeError):
        open_picture(data, max_pixels=size[0] * size[1] - 1)


@pytest.mark.usefixtures("jpeg_xl")
def test_the_depth_of_a_jpeg_xl_is_in_its_header() -> None:
    data = saved(np.arange(600, dtype=np.uint16).reshape(20, 30) * 99, "JXL", lossless=True)
    assert size_and_bits(data) == (20, 30, 16)
    picture = open_picture(data, options=ReadOptions(depth="keep"))
    assert np.array_equal(picture.deep[:, :, 0].ravel(), np.arange(600) * 99)


@pytest.mark.usefixtures("jpeg_xl")
@pytest.mark.parametrize("orientation", [1, 6])
def test_metadata_of_a_jpeg_xl_is_kept_and_orientation_applied_once(orientation: int) -> None:
    exif = Image.Exif()
    exif[ExifTags.Base.Make] = "Maker"
    exif[ExifTags.Base.Orientation] = orientation
    xmp = b"<x:xmpmeta/>"
    picture = open_picture(saved(smooth(), "JXL", lossless=True, exif=exif.tobytes(), xmp=xmp, use_container=True))
    assert picture.pixels.shape == (24, 32, 3)  # a JPEG XL lies as its codestream says, whatever its EXIF
    after = Image.Exif()
    after.load(picture.metadata.exif)
    assert after[ExifTags.Base.Make] == "Maker" and after.get(ExifTags.Base.Orientation, 1) == 1
    assert picture.metadata.xmp == xmp


@pytest.mark.usefixtures("jpeg_xl")
def test_half_a_jpeg_xl_is_damaged() -> None:
    data = saved(np.random.default_rng(0).integers(0, 256, (64, 64, 3), np.uint8), "JXL", lossless=True)
    for length in (2, 5, len(data) // 2):
        with pytest.raises(DamagedPictureError):
            open_picture(data[:length])


def test_a_container_without_a_codestream_is_damaged() -> None:
    with pytest.raises(DamagedPictureError, match="codestream"):
        size_and_bits(JXL_START + b"\0\0\0\x14ftypjxl \0\0\0\0jxl ")
    assert [name for name, _ in boxes(JXL_START + b"\0\0\0\0free")] == [b"JXL ", b"free"]
    assert list(boxes(JXL_START + b"\0\0\0\x01wide" + (2**60).to_bytes(8, "big")))[1][1] == b""


@pytest.mark.usefixtures("heif")
def test_heic_comes_upright() -> None:
    exif = Image.Exif()
    exif[ExifTags.Base.Orientation] = 6
    for options, shape in (({}, (24, 32, 3)), ({"exif": exif.tobytes()}, (32, 24, 3))):
        picture = open_picture(saved(smooth(), "HEIF", quality=95, **options))
        assert picture.pixels.shape == shape and picture.format == "heif"
        meant = smooth() if shape[0] == 24 else np.rot90(smooth(), -1)
        assert np.abs(picture.pixels.astype(int) - meant).mean() < 6


@pytest.mark.usefixtures("heif")
def test_heic_keeps_alpha_profile_and_limits() -> None:
    samples = np.dstack([smooth(), smooth()[:, :, :1]])
    picture = open_picture(saved(samples, "HEIF", quality=95))
    assert np.abs(picture.alpha.astype(int) - samples[:, :, 3]).mean() < 6
    with pytest.raises(PictureTooLargeError):
        open_picture(saved(smooth(), "HEIF"), max_pixels=24 * 32 - 1)
