"""DICOM, OpenEXR and Radiance HDR: what is ours of them, with stand-ins for tensorflow-io's operations.

tests/tfio runs the same readers with the real ones (make test-tfio).
"""

from __future__ import annotations

import struct
from typing import Any

import numpy as np
import pytest

from archivae.errors import DamagedPictureError, PictureTooLargeError, UnsupportedPictureError
from archivae.images import ReadOptions, open_picture
from archivae.images.notes import changed
from archivae.images.readers.dicom import _without_rescaling

DICOM = bytes(128) + b"DICM" + b"\xe0\x7f\x10\x00OW\0\0\x64\0\0\0" + bytes(100)
KEEP = ReadOptions(depth="keep")


def tags(
    height: int,
    width: int,
    bits: int = 16,
    signed: int = 0,
    frames: str = "",
    grey: str = "MONOCHROME2",
    stored: int = 0,
    intercept: str = "",
) -> dict[int, str]:
    return {
        0x00280010: str(height), 0x00280011: str(width), 0x00280008: frames, 0x00280100: str(bits),
        0x00280101: str(stored or bits), 0x00280103: str(signed), 0x00280004: grey, 0x00281052: intercept, 0x00281053: "1",
    }  # fmt: skip


@pytest.fixture
def tfio(monkeypatch: pytest.MonkeyPatch) -> Any:
    """What the process that has tensorflow-io is to answer."""

    def install(tags: dict[int, str] | None = None, **answers: Any) -> None:
        def decode(operation: str, data: bytes, arguments: Any, what: str) -> np.ndarray:
            if operation == "tags":
                return np.array([(tags or {})[tag].encode() for tag in arguments], "S64")
            if operation == "exr":
                return np.dstack([answers[name] for name in arguments])
            if operation == "dicom":
                return np.asarray(answers["frames"], np.uint8 if arguments == 8 else np.uint16)
            return answers[operation]

        for module in ("dicom", "light"):
            monkeypatch.setattr(f"archivae.images.readers.{module}.decode", decode)

    return install


def exr(names: str, height: int, width: int) -> bytes:
    channels = b"".join(name.encode() + b"\0" + bytes(16) for name in names) + b"\0"
    window = struct.pack("<4i", 2, 3, width + 1, height + 2)
    attributes = [(b"channels", b"chlist", channels), (b"dataWindow", b"box2i", window)]
    body = b"".join(
        name + b"\0" + kind + b"\0" + struct.pack("<I", len(data)) + data for name, kind, data in attributes
    )
    return b"\x76\x2f\x31\x01\x02\0\0\0" + body + b"\0"


def hdr(height: int, width: int) -> bytes:
    return b"#?RADIANCE\nFORMAT=32-bit_rle_rgbe\n\n-Y %d +X %d\n" % (height, width) + bytes(20)


@pytest.mark.parametrize("data", [DICOM, exr("BGR", 4, 4), hdr(4, 4)])
def test_a_missing_tensorflow_io_is_named(data: bytes) -> None:
    try:
        import tensorflow_io  # type: ignore[import-not-found]  # noqa: F401
    except ImportError:
        with pytest.raises(UnsupportedPictureError, match=r"install archivae\[tfio\]"):
            open_picture(data)


def test_unsigned_dicom_samples_are_as_stored(tfio: Any) -> None:
    frames = np.arange(12).reshape(1, 3, 4).astype(np.uint16) * 300
    tfio(tags=tags(3, 4), frames=frames)
    picture = open_picture(DICOM, options=KEEP)
    assert np.array_equal(picture.deep[:, :, 0], frames[0]) and picture.format == "dicom"


def test_signed_dicom_samples_lose_the_shift_that_tensorflow_io_gives_them(tfio: Any) -> None:
    signed = np.array([[[-1024, 0, 3071]]])
    for stored in (13, 16):  # by half of their range, seen on pydicom's files
        tfio(tags=tags(1, 3, signed=1, stored=stored), frames=signed + 2 ** (stored - 1))
        picture = open_picture(DICOM, options=KEEP)
        assert picture.deep.dtype == np.int16 and picture.deep.ravel().tolist() == [-1024, 0, 3071]


def test_values_that_tensorflow_io_changed_are_refused(tfio: Any) -> None:
    for told, value in ((tags(1, 1, stored=12), 65535), (tags(1, 1, signed=1, stored=12), 5000)):
        tfio(tags=told, frames=[[[value]]])
        with pytest.raises(UnsupportedPictureError, match="take them from pydicom"):
            open_picture(DICOM)


def test_a_rescaling_is_taken_out_and_said(tfio: Any) -> None:
    tfio(tags=tags(1, 1, signed=1, intercept="-1024"), frames=[[[40000]]])
    for element in (
        b"\x28\x00\x52\x10DS\x06\x00-1024 ",
        b"\x28\x00\x52\x10\x06\0\0\0-1024 ",
        b"\0\x28\x10\x52DS\0\x06-1024 ",
    ):
        picture = open_picture(DICOM + element, options=KEEP)
        assert picture.deep.ravel().tolist() == [40000 - 32768]
        assert "samples as stored, without their slope 1 and intercept -1024" in picture.notes.lines()
        assert b"-1024" not in _without_rescaling(DICOM + element, tags(1, 1, intercept="-1024"))
    for times in (0, 2):
        with pytest.raises(UnsupportedPictureError, match=f"found it {times} times"):
            open_picture(DICOM + times * b"\x28\x00\x52\x10DS\x06\x00-1024 ")


def test_a_dicom_that_begins_like_a_tiff_is_a_dicom(tfio: Any) -> None:
    tfio(tags=tags(3, 4, bits=8), frames=np.zeros((1, 3, 4)))
    assert open_picture(b"II*\0" + DICOM[4:]).format == "dicom"


def test_an_empty_tensor_is_damage(tfio: Any) -> None:
    tfio(tags=tags(3, 4), frames=np.zeros((0, 3, 4)))
    with pytest.raises(DamagedPictureError, match="expected 3x4 pixels of DICOM"):
        open_picture(DICOM)


@pytest.mark.parametrize("pixels", [DICOM[132:-1], b"\xe0\x7f\x10\x00OB\0\0\xff\xff\xff\xff" + bytes(90), b""])
def test_pixels_cut_short_are_damage_that_can_be_tolerated(pixels: bytes, tfio: Any) -> None:
    tfio(tags=tags(3, 4), frames=np.zeros((1, 3, 4)))
    with pytest.raises(DamagedPictureError, match="cut short"):
        open_picture(DICOM[:132] + pixels)
    picture = open_picture(DICOM[:132] + pixels, options=ReadOptions(tolerant=True, keep_dicom_tags=True))
    assert picture.own_bytes == "never" and "cut short" in picture.notes.lines()[0]


@pytest.mark.parametrize(
    "element",
    [
        b"\xe0\x7f\x10\x00\x18\0\0\0" + bytes(24),
        b"\x7f\xe0\x00\x10OW\0\0\0\0\0\x18" + bytes(24),
        b"\xe0\x7f\x10\x00OB\0\0\xff\xff\xff\xff" + bytes(24) + b"\xfe\xff\xdd\xe0\0\0\0\0",
    ],
    ids=["implicit", "big-endian", "in fragments"],
)
def test_pixels_that_are_all_there_are_seen(element: bytes, tfio: Any) -> None:
    tfio(tags=tags(3, 4), frames=np.zeros((1, 3, 4)))
    assert open_picture(DICOM[:132] + element).pixels.shape == (3, 4, 1)


def test_dicom_of_32_bits_is_refused(tfio: Any) -> None:
    tfio(tags=tags(3, 4, bits=32), frames=np.zeros((1, 3, 4)))
    with pytest.raises(UnsupportedPictureError, match="8 or 16 bits"):
        open_picture(DICOM)


def test_the_size_of_a_dicom_is_judged_from_its_tags(tfio: Any) -> None:
    tfio(tags=tags(60_000, 60_000, frames="100"), frames=None)
    with pytest.raises(PictureTooLargeError, match="360,000,000,000"):
        open_picture(DICOM)


def test_a_patient_is_never_archived_unless_asked(tfio: Any) -> None:
    tfio(tags=tags(3, 4, bits=8), frames=np.zeros((2, 3, 4)))
    picture = open_picture(DICOM)
    assert picture.own_bytes == "never" and "DICOM tags" in picture.notes.lines()
    assert picture.notes.lines()[0] == "2 frames, only the first is kept"
    assert open_picture(DICOM, options=ReadOptions(keep_dicom_tags=True)).own_bytes == "may"


def test_grey_that_means_ink_is_said(tfio: Any) -> None:
    tfio(tags=tags(3, 4, bits=8, grey="MONOCHROME1"), frames=np.zeros((1, 3, 4)))
    assert "MONOCHROME1: least means white" in open_picture(DICOM).notes.lines()


def test_exr_channels_are_put_together(tfio: Any) -> None:
    planes = {
        name: np.full((2, 3), value, np.float32) for name, value in zip("RGBAZ", (0.1, 0.2, 0.3, 0.5, 9), strict=True)
    }
    tfio(**planes)
    picture = open_picture(exr("ABGRZ", 2, 3), options=KEEP)
    assert np.allclose(picture.deep, [[[0.1, 0.2, 0.3]] * 3] * 2) and np.allclose(picture.alpha, 0.5)
    assert "channel Z" in picture.notes.lines()
    reduced = open_picture(exr("ABGR", 2, 3))
    assert reduced.deep is None and reduced.alpha.dtype == np.uint8
    assert reduced.notes == changed("linear light reduced to 8 bits of sRGB")


def test_hdr_is_linear_light(tfio: Any) -> None:
    tfio(hdr=np.full((2, 3, 3), 0.2158605, np.float32))
    picture = open_picture(hdr(2, 3))
    assert (picture.pixels == 128).all()


@pytest.mark.parametrize("data", [exr("BGR", 40_000, 40_000), hdr(40_000, 40_000)])
def test_sizes_of_light_are_judged_from_the_header(data: bytes) -> None:
    with pytest.raises(PictureTooLargeError, match="1,600,000,000"):
        open_picture(data)


@pytest.mark.parametrize(
    "data", [exr("BGR", 4, 4)[:40], b"\x76\x2f\x31\x01" + b"\xff" * 40, b"#?RADIANCE\nno resolution"]
)
def test_headers_cut_short_are_damage(data: bytes) -> None:
    with pytest.raises(DamagedPictureError):
        open_picture(data)
