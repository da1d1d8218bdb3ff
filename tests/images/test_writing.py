from __future__ import annotations

import io
from typing import get_args

import numpy as np
import pytest
from PIL import Image

from archivae.errors import UsageError
from archivae.images import ENDINGS, Metadata, OutputFormat, Picture, is_picture, open_picture, picture_ending
from archivae.images import write_picture as write
from archivae.images.metadata import NO_METADATA

FORMATS = get_args(OutputFormat)
EXIF = Image.Exif()
EXIF[0x010F] = "Maker of cameras"
METADATA = Metadata(
    EXIF.tobytes().removeprefix(b"Exif\x00\x00"),
    b"\x00" * 128 + b"a profile",
    b"<?xpacket?> \xc3\xa9 \xff not even UTF-8",
)


def noise(*shape: int) -> np.ndarray:
    return np.random.default_rng(3).integers(0, 256, shape, dtype=np.uint8)


def write_picture(pixels: np.ndarray, format: OutputFormat, metadata: Metadata = NO_METADATA) -> bytes:
    return write(Picture(pixels, "array", metadata, ()), format)


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("format", ["png", "webp"])
def test_png_and_webp_are_lossless(format: OutputFormat, channels: int) -> None:
    pixels = noise(17, 23, channels)
    back = open_picture(write_picture(pixels, format)).pixels
    assert back.shape[2] == (1 if (format, channels) == ("png", 1) else 3)
    assert (back == pixels).all()


def test_jpeg_is_near_and_keeps_full_colour_resolution() -> None:
    pixels = np.tile(
        np.array([[[255, 0, 0], [0, 0, 255]]], np.uint8), (16, 8, 1)
    )  # red and blue columns, one pixel wide
    data = write_picture(pixels, "jpeg")
    assert np.abs(open_picture(data).pixels.astype(int) - pixels).max() < 20
    assert write_picture(noise(8, 8, 1), "jpeg").startswith(b"\xff\xd8\xff")


@pytest.mark.parametrize("format", FORMATS)
def test_metadata_goes_along_byte_for_byte(format: OutputFormat) -> None:
    assert open_picture(write_picture(noise(16, 16, 3), format, METADATA)).metadata == METADATA
    assert open_picture(write_picture(noise(16, 16, 3), format)).metadata == Metadata()


@pytest.mark.parametrize("format", FORMATS)
def test_same_pixels_same_bytes(format: OutputFormat) -> None:
    assert write_picture(noise(16, 16, 3), format, METADATA) == write_picture(noise(16, 16, 3), format, METADATA)


@pytest.mark.parametrize("format", FORMATS)
def test_endings_claim_pictures(format: OutputFormat) -> None:
    assert picture_ending("a" + ENDINGS[format])
    assert is_picture(write_picture(noise(4, 4, 3), format))


@pytest.mark.parametrize(("format", "side"), [("jpeg", 65_501), ("webp", 16_384)])
def test_a_side_too_long_names_png(format: OutputFormat, side: int) -> None:
    with pytest.raises(UsageError, match=f"found {side} x 1; write png instead"):
        write_picture(np.zeros((1, side, 1), np.uint8), format)
    assert Image.open(io.BytesIO(write_picture(np.zeros((1, side, 1), np.uint8), "png"))).size == (side, 1)


def test_metadata_too_long_for_jpeg_names_png() -> None:
    for metadata in (Metadata(exif=bytes(65_528)), Metadata(iptc=bytes(65_507))):
        with pytest.raises(UsageError, match="write png instead"):
            write_picture(noise(4, 4, 3), "jpeg", metadata)
    long = Metadata(icc=bytes(200_000), xmp=bytes(65_504))
    assert open_picture(write_picture(noise(4, 4, 3), "jpeg", long)).metadata == long


def test_unknown_formats_and_other_arrays_are_refused() -> None:
    with pytest.raises(UsageError, match="expected an output format of png, jpeg, webp, found 'tiff'"):
        write_picture(noise(4, 4, 3), "tiff")  # type: ignore[arg-type]
    for pixels in (noise(4, 4), noise(4, 4, 4), noise(4, 4, 3).astype(float), noise(0, 4, 3)):
        with pytest.raises(ValueError, match="expected non-empty uint8 pixels"):
            write_picture(pixels, "png")
