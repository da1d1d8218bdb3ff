"""DICOM, OpenEXR and Radiance HDR through the real tensorflow-io: make test-tfio.

DICOM is compared with pydicom on pydicom's own test files: equal samples, or a refusal that says why; never others.
"""

from __future__ import annotations

import struct
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("tensorflow_io")
pydicom = pytest.importorskip("pydicom")

from archivae.errors import PictureError, UnsupportedPictureError  # noqa: E402
from archivae.images import Picture, ReadOptions, open_picture  # noqa: E402

FOLDER = Path(pydicom.__file__).parent / "data" / "test_files"
# Lossless or plain, grey or RGB: what must be equal, not merely refused.
MUST_BE_READ = ("CT_small.dcm", "MR_small.dcm", "MR_small_bigendian.dcm", "ExplVR_BigEnd.dcm", "SC_rgb_rle.dcm")
EVERYTHING = ReadOptions(depth="keep", frames="all", keep_dicom_tags=True)


def read_or_none(path: Path) -> Picture | None:
    try:
        return open_picture(path.read_bytes(), options=EVERYTHING)
    except PictureError:
        return None


def samples_by_pydicom(path: Path) -> np.ndarray | None:
    """(frames, H, W, C) as pydicom decodes them; None where it can't."""
    try:
        dataset = pydicom.dcmread(path)
        array = dataset.pixel_array
    except Exception:
        return None
    if dataset.PhotometricInterpretation.startswith(("YBR", "PALETTE")):
        return None  # pydicom leaves these as they are stored, we turn them into RGB
    frames = int(dataset.get("NumberOfFrames") or 1)
    return array.reshape(frames, dataset.Rows, dataset.Columns, -1)


@pytest.mark.parametrize("path", sorted(FOLDER.glob("*.dcm")), ids=lambda path: path.name)
def test_dicom_is_as_pydicom_has_it_or_refused(path: Path) -> None:
    picture = read_or_none(path)
    if picture is None:
        assert path.name not in MUST_BE_READ
        return
    meant = samples_by_pydicom(path)
    if meant is None:
        return
    got = np.stack([frame.pixels if frame.deep is None else frame.deep for frame in picture.frames])
    lossy = "JPEG" in path.name.upper() or "JPG" in path.name.upper() or "dcmtk" in path.name
    assert got.shape == meant.shape and np.abs(got.astype(int) - meant).max() <= (2 if lossy else 0)


def test_nothing_of_the_patient_is_in_what_is_read() -> None:
    dataset = pydicom.dcmread(FOLDER / "MR_small.dcm")
    picture = open_picture((FOLDER / "MR_small.dcm").read_bytes())
    assert picture.own_bytes == "never"
    said = repr((picture.metadata, picture.notes))
    assert str(dataset.PatientName) not in said and str(dataset.PatientID) not in said


def test_radiance_is_read() -> None:
    pixels = np.array([[[128, 64, 32, 129], [0, 0, 0, 0]]], np.uint8)  # mantissas and a shared exponent of 2^1
    data = b"#?RADIANCE\nFORMAT=32-bit_rle_rgbe\n\n-Y 1 +X 2\n" + pixels.tobytes()
    picture = open_picture(data, options=ReadOptions(depth="keep"))
    assert np.allclose(picture.deep[0, 0], (1, 0.5, 0.25), rtol=0.02) and (picture.deep[0, 1] == 0).all()


def test_exr_is_read() -> None:
    rgb = np.random.default_rng(1).random((5, 6, 3)).astype(np.float32)
    picture = open_picture(exr(rgb), options=ReadOptions(depth="keep"))
    assert np.array_equal(picture.deep, rgb)


def test_damaged_files_are_refused() -> None:
    whole = (FOLDER / "MR_small.dcm").read_bytes()
    for data in (whole[:2000], whole[:200], exr(np.zeros((5, 6, 3), np.float32))[:-40]):
        with pytest.raises(PictureError):
            open_picture(data)


def test_what_needs_more_than_16_bits_is_refused() -> None:
    with pytest.raises(UnsupportedPictureError, match="8 or 16 bits"):
        open_picture((FOLDER / "SC_rgb_rle_32bit.dcm").read_bytes())


def exr(rgb: np.ndarray) -> bytes:
    """An uncompressed OpenEXR file of float samples (openexr.com, "OpenEXR File Layout")."""
    height, width, _ = rgb.shape
    channels = b"".join(name + b"\0" + struct.pack("<iB3xii", 2, 0, 1, 1) for name in (b"B", b"G", b"R")) + b"\0"
    window = struct.pack("<4i", 0, 0, width - 1, height - 1)
    attributes = [
        (b"channels", b"chlist", channels), (b"compression", b"compression", b"\0"), (b"dataWindow", b"box2i", window),
        (b"displayWindow", b"box2i", window), (b"lineOrder", b"lineOrder", b"\0"),
        (b"pixelAspectRatio", b"float", struct.pack("<f", 1)), (b"screenWindowCenter", b"v2f", struct.pack("<2f", 0, 0)),
        (b"screenWindowWidth", b"float", struct.pack("<f", 1)),
    ]  # fmt: skip
    head = b"\x76\x2f\x31\x01\x02\0\0\0"
    head += b"".join(
        name + b"\0" + kind + b"\0" + struct.pack("<I", len(data)) + data for name, kind, data in attributes
    )
    head += b"\0"
    lines = [struct.pack("<ii", y, 12 * width) + rgb[y, :, ::-1].T.astype("<f4").tobytes() for y in range(height)]
    starts = np.cumsum([len(head) + 8 * height, *(len(line) for line in lines[:-1])]).astype("<u8")
    return head + starts.tobytes() + b"".join(lines)
