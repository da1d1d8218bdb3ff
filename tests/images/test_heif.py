"""HEIC where its plugin is installed, and the extra's name where it isn't."""

from __future__ import annotations

import importlib
import io
from typing import Any

import numpy as np
import pytest
from PIL import ExifTags, Image

from archivae.errors import PictureTooLargeError, UnsupportedPictureError
from archivae.images import open_picture


def smooth(height: int = 24, width: int = 32) -> np.ndarray:
    y, x = np.mgrid[:height, :width]
    return np.stack([x * 255 // width, y * 255 // height, (x + y) * 255 // (height + width)], axis=2).astype(np.uint8)


def saved(image: np.ndarray, kind: str, **options: Any) -> bytes:
    file = io.BytesIO()
    Image.fromarray(image).save(file, kind, **options)
    return file.getvalue()


@pytest.fixture
def heif() -> None:
    pytest.importorskip("pillow_heif").register_heif_opener()


def test_a_missing_plugin_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    def missing(name: str) -> None:
        raise ImportError(name)

    monkeypatch.setattr(importlib, "import_module", missing)
    with pytest.raises(UnsupportedPictureError, match=r"install archivae\[heic\]"):
        open_picture(b"\0\0\0\x18ftypheic\0\0\0\0mif1heic" + bytes(100))


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
