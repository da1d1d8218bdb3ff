"""Damaged JPEGs that decoders make a picture of are refused, and kept with a note on request; whole ones never are."""

from __future__ import annotations

import io
from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from archivae.errors import DamagedPictureError
from archivae.images import ReadOptions, open_picture
from archivae.images.readers.jpeg_damage import damage_of
from archivae.images.readers.jpeg_segments import layout
from tests.samples import file_of

END = b"\xff\xd9"
WAYS = {
    "baseline": {},
    "optimised": {"optimize": True},
    "progressive": {"progressive": True},
    "restarts": {"restart_marker_rows": 1},
    "progressive with restarts": {"progressive": True, "restart_marker_rows": 2},
}


def busy(height: int = 160, width: int = 208) -> np.ndarray:
    """Enough detail for files of some kilobytes."""
    y, x = np.mgrid[:height, :width]
    soft = 128 + 60 * np.sin(x / 9) + 50 * np.cos(y / 7)
    grain = np.random.default_rng(3).normal(0, 18, (height, width, 3))
    return (soft[:, :, None] + grain).clip(0, 255).astype(np.uint8)


def jpeg(way: str, **options: object) -> bytes:
    return file_of(busy(), "JPEG", quality=85, **WAYS[way], **options)


def scan_start(data: bytes) -> int:
    return data.index(b"\xff\xda") + 14


def cut(data: bytes) -> bytes:
    return data[: (scan_start(data) + len(data)) // 2] + END


def cut_early(data: bytes) -> bytes:
    return data[: scan_start(data) + 300] + END


def without_end(data: bytes) -> bytes:
    return data[:-2] + bytes(40)


def zeroed(data: bytes) -> bytes:
    at = (scan_start(data) + len(data)) // 2 // 512 * 512
    return data[:at] + bytes(2048) + data[at + 2048 :]


def zeroed_tail(data: bytes) -> bytes:
    at = (scan_start(data) + len(data)) // 2
    return data[:at] + bytes(len(data) - at)


def with_height(data: bytes, factor: float) -> bytes:
    frame = next(s for s in layout(data).segments if s.marker in (0xC0, 0xC2))
    height = int.from_bytes(data[frame.body + 1 : frame.body + 3], "big")
    return data[: frame.body + 1] + int(height * factor).to_bytes(2, "big") + data[frame.body + 3 :]


def doubled(data: bytes) -> bytes:
    return with_height(data, 2)


def halved(data: bytes) -> bytes:
    return with_height(data, 0.5)


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("harm", [cut, cut_early, without_end, zeroed, zeroed_tail, doubled, halved])
def test_damage_is_refused_and_tolerated_with_a_note(way: str, harm: Callable[[bytes], bytes]) -> None:
    data = jpeg(way)
    assert open_picture(data).notes.lost == ()
    with pytest.raises(DamagedPictureError, match="decoding JPEG failed"):
        open_picture(harm(data))
    picture = open_picture(harm(data), options=ReadOptions(tolerant=True))
    assert picture.own_bytes == "never"
    assert picture.notes.lost[0].startswith("damaged, what could be decoded is kept: ")


def test_scans_that_never_came_are_damage() -> None:
    data = jpeg("progressive")
    scans = [s for s in layout(data).segments if s.marker == 0xDA]
    assert len(scans) > 3
    for scan in scans[1:]:
        with pytest.raises(DamagedPictureError, match="scans are missing"):
            open_picture(data[: scan.start] + END)


def test_a_table_of_zeros_is_damage() -> None:
    data = jpeg("baseline")
    table = next(s for s in layout(data).segments if s.marker == 0xDB)
    with pytest.raises(DamagedPictureError, match="quantisation table has zeros"):
        open_picture(data[: table.body + 1] + bytes(64) + data[table.body + 65 :])


@settings(max_examples=40, deadline=None)
@given(
    seed=st.integers(0, 99),
    quality=st.integers(5, 100),
    subsampling=st.sampled_from([0, 1, 2]),
    mode=st.sampled_from(["RGB", "L", "CMYK"]),
    way=st.sampled_from(sorted(WAYS)),
    flat=st.booleans(),
)
def test_no_whole_file_is_called_damaged(
    seed: int, quality: int, subsampling: int, mode: str, way: str, flat: bool
) -> None:
    generator = np.random.default_rng(seed)
    height, width = (int(side) for side in generator.integers(1, 90, 2))
    image = Image.fromarray(np.full((height, width, 3), 255, np.uint8) if flat else busy(height, width)).convert(mode)
    file = io.BytesIO()
    image.save(file, "JPEG", quality=quality, subsampling=subsampling, **WAYS[way])
    assert damage_of(file.getvalue(), layout(file.getvalue())) == ""


def test_white_paper_of_many_zeros_is_whole() -> None:
    page = np.full((900, 1200), 255, np.uint8)
    page[430:460, 100:1000] = 0
    data = file_of(page, "JPEG", quality=75, optimize=True)
    assert damage_of(data, layout(data)) == ""


def test_zeros_that_fill_sectors_are_no_picture() -> None:
    data = jpeg("baseline")
    at = scan_start(data) // 512 * 512 + 1024
    holed = data[:at] + bytes(512) + data[at + 512 :]
    assert "zeros from byte" in damage_of(holed, layout(holed))


def test_what_can_not_be_checked_is_said_to_be_so() -> None:
    inks = Image.fromarray(busy()).convert("CMYK")
    file = io.BytesIO()
    inks.save(file, "JPEG", subsampling=2)
    (lost,) = open_picture(file.getvalue()).notes.lost
    assert "can't be checked" in lost
    with pytest.raises(DamagedPictureError):
        open_picture(zeroed_tail(file.getvalue()))
