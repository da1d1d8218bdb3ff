from __future__ import annotations

import io
import struct
import zlib

import numpy as np
import pytest
from PIL import Image

from archivae.images import Metadata, Picture, ReadOptions, fit, open_picture
from archivae.images.colour import read_profile
from archivae.images.notes import NO_NOTES, changed, lost, said
from tests.profiles import ADOBE_RGB, DISPLAY_P3, SRGB, grey_profile, ink_profile, rgb_profile, srgb_profile

D50_TO_LINEAR_SRGB = np.linalg.inv(np.array(SRGB).T)


def soft(height: int = 40, width: int = 50) -> np.ndarray:
    """Muted colours, which every profile here has in common."""
    y, x = np.mgrid[:height, :width]
    return np.stack([90 + 2 * x, 100 + 2 * y, 190 - x - y], axis=2).astype(np.uint8)


def saved(pixels: np.ndarray, kind: str = "PNG", **options: object) -> bytes:
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, kind, **options)
    return file.getvalue()


def by_hand(pixels: np.ndarray, primaries: tuple[tuple[float, float, float], ...], gamma: float) -> np.ndarray:
    """The colorimetry written out: gamma to light, primaries to XYZ, to sRGB's primaries, sRGB's curve."""
    light = (pixels / 255) ** gamma @ np.array(primaries) @ np.linalg.inv(np.array(SRGB))
    light = np.clip(light, 0, 1)
    return 255 * np.where(light <= 0.0031308, 12.92 * light, 1.055 * light ** (1 / 2.4) - 0.055)


@pytest.mark.parametrize("primaries", [ADOBE_RGB, DISPLAY_P3])
@pytest.mark.parametrize("kind", ["PNG", "TIFF", "WEBP", "JPEG"])
def test_colours_of_a_profile_become_srgb(kind: str, primaries: tuple[tuple[float, float, float], ...]) -> None:
    icc = rgb_profile(primaries, 2.2)
    options = {"lossless": True} if kind == "WEBP" else {"quality": 100, "subsampling": 0} if kind == "JPEG" else {}
    data = saved(soft(), kind, icc_profile=icc, **options)
    stored = np.asarray(Image.open(io.BytesIO(data)).convert("RGB"))
    picture = open_picture(data)
    assert np.abs(picture.pixels - by_hand(stored, primaries, 2.2)).max() < 1.6
    assert (picture.metadata.icc, picture.metadata.source_icc) == (b"", icc)
    assert picture.notes == changed("colours converted from made by hand to sRGB")


def test_and_back() -> None:
    icc = rgb_profile(DISPLAY_P3, 2.2)
    picture = open_picture(saved(soft(), icc_profile=icc))
    back = fit(picture, "png", restore_profile=True)
    assert np.abs(back.pixels.astype(int) - soft()).max() <= 2
    assert back.metadata.icc == icc and back.metadata.source_icc == b""
    plain = fit(picture, "png")
    assert np.array_equal(plain.pixels, picture.pixels) and plain.metadata == Metadata()


@pytest.mark.parametrize("pixels", [soft(), soft()[:, :, 0]], ids=["rgb", "grey"])
def test_a_profile_that_says_srgb_changes_nothing(pixels: np.ndarray) -> None:
    picture = open_picture(saved(pixels, icc_profile=srgb_profile()))
    assert np.array_equal(picture.pixels.squeeze(), pixels)
    assert picture.notes == NO_NOTES and picture.metadata.icc == srgb_profile()


def test_grey_stays_grey_and_comes_back() -> None:
    ramp = np.tile(np.arange(256, dtype=np.uint8), (4, 1))
    picture = open_picture(saved(ramp, icc_profile=grey_profile(1.8)))
    assert picture.pixels.shape == (4, 256, 1)
    light = (ramp / 255) ** 1.8
    expected = 255 * np.where(light <= 0.0031308, 12.92 * light, 1.055 * light ** (1 / 2.4) - 0.055)
    assert np.abs(picture.pixels[:, :, 0] - expected).max() < 1.6
    back = fit(picture, "png", restore_profile=True)
    assert np.abs(back.pixels[:, :, 0].astype(int) - ramp)[:, 20:].max() <= 2
    assert back.metadata.icc == grey_profile(1.8)


@pytest.mark.parametrize("kind", ["JPEG", "TIFF"])
def test_inks_become_srgb_by_their_profile(kind: str) -> None:
    inks = Image.new("CMYK", (4, 1))
    for x, ink in enumerate([(0, 0, 0, 0), (255, 0, 0, 0), (0, 255, 0, 0), (0, 0, 0, 255)]):
        inks.putpixel((x, 0), ink)
    inks = inks.resize((64, 16), Image.Resampling.NEAREST)
    file = io.BytesIO()
    inks.save(file, kind, icc_profile=ink_profile(), **({"quality": 100} if kind == "JPEG" else {}))
    picture = open_picture(file.getvalue())
    paper, cyan, magenta, black = (picture.pixels[8, x].astype(int) for x in (8, 24, 40, 56))
    assert paper.min() > 245 and black.max() < 40
    assert cyan[0] < cyan[2] and magenta[1] < magenta[0]
    assert picture.metadata.source_icc == ink_profile()
    assert picture.notes == changed("CMYK converted from four inks to sRGB")
    back = fit(picture, "png", restore_profile=True)
    assert np.array_equal(back.pixels, picture.pixels) and "stay sRGB" in back.notes.lines()[-1]


def test_a_profile_of_other_colours_or_none_is_kept_and_said() -> None:
    for icc in (ink_profile(), b"\0" * 128 + b"junk", grey_profile(2.2)):
        picture = open_picture(saved(soft(), icc_profile=icc))
        assert np.array_equal(picture.pixels, soft()) and picture.metadata.icc == icc
        assert picture.notes == said("colour profile kept, but damaged or of other colours: not applied")


def test_for_coding_without_loss_colours_stay_as_stored() -> None:
    icc = rgb_profile(ADOBE_RGB, 2.2)
    picture = open_picture(saved(soft(), icc_profile=icc), options=ReadOptions(exact=True))
    assert np.array_equal(picture.pixels, soft()) and picture.metadata.icc == icc and picture.notes == NO_NOTES


def test_every_cut_of_a_profile_is_read_or_refused() -> None:
    icc = rgb_profile(ADOBE_RGB, 2.2)
    for length in range(0, len(icc), 7):
        read_profile(icc[:length], "rgb")


def test_a_fit_is_fit() -> None:
    picture = Picture(
        soft(), "x", Metadata(source_icc=rgb_profile(ADOBE_RGB, 2.2), iptc=b"x"), NO_NOTES, alpha=soft()[:, :, 0]
    )
    for format in ("png", "jpeg", "webp"):
        once = fit(picture, format, True)
        twice = fit(once, format, True)
        assert (once.metadata, once.notes) == (twice.metadata, twice.notes)
        assert np.array_equal(once.pixels, twice.pixels)


def told_by_numbers(kind: str, primaries: int, transfer: int, **options: object) -> bytes:
    data = saved(soft(), kind, **options)
    if kind == "PNG":
        chunk = b"cICP" + bytes([primaries, transfer, 0, 1])
        at = data.index(b"IDAT") - 4
        return data[:at] + struct.pack(">I", 4) + chunk + struct.pack(">I", zlib.crc32(chunk)) + data[at:]
    at = data.index(b"colrnclx") + 8
    return data[:at] + struct.pack(">HH", primaries, transfer) + data[at + 4 :]


@pytest.mark.parametrize("kind", ["AVIF", "PNG", "HEIF"])
def test_colours_that_numbers_alone_tell_are_noted(kind: str) -> None:
    if kind == "HEIF":
        pytest.importorskip("pillow_heif").register_heif_opener()
    assert open_picture(told_by_numbers(kind, 9, 16)).notes == lost(
        "colours of BT.2020 taken as sRGB", "colours of PQ (HDR) taken as sRGB"
    )
    assert open_picture(told_by_numbers(kind, 1, 18)).notes == lost("colours of HLG (HDR) taken as sRGB")
    assert open_picture(told_by_numbers(kind, 1, 13)).notes == NO_NOTES
    assert open_picture(told_by_numbers(kind, 22, 17)).notes == lost(
        "colours of primaries 22 taken as sRGB", "colours of transfer 17 taken as sRGB"
    )
    if kind != "HEIF":  # pillow-heif writes numbers or a profile
        with_profile = open_picture(told_by_numbers(kind, 12, 16, icc_profile=rgb_profile(DISPLAY_P3, 2.2)))
        assert with_profile.notes == changed("colours converted from made by hand to sRGB")
