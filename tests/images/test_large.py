"""Pictures too large to be held more often than need be: samples where they lie in the file, and TIFFs by bands."""

from __future__ import annotations

import io
import struct
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile
from PIL import Image

from archivae.errors import DamagedPictureError
from archivae.images import Picture, ReadOptions, open_picture
from archivae.images.readers import tiff_bands

KEEP = ReadOptions(depth="keep")


def noise(*shape: int, dtype: type = np.uint8) -> np.ndarray:
    return np.random.default_rng(7).integers(0, np.iinfo(dtype).max, shape, dtype, endpoint=True)


def smooth(height: int, width: int) -> np.ndarray:
    y, x = np.mgrid[:height, :width]
    return np.stack([x * 255 // width, y * 255 // height, (x + y) * 255 // (height + width)], axis=2).astype(np.uint8)


def saved(pixels: np.ndarray | Image.Image, kind: str, **options: Any) -> bytes:
    file = io.BytesIO()
    (Image.fromarray(pixels) if isinstance(pixels, np.ndarray) else pixels).save(file, kind, **options)
    return file.getvalue()


def by_tifffile(pixels: np.ndarray, **options: Any) -> bytes:
    file = io.BytesIO()
    tifffile.imwrite(file, pixels, metadata=None, **options)
    return file.getvalue()


def lies_in(data: bytes, pixels: np.ndarray) -> bool:
    return np.shares_memory(np.frombuffer(data, np.uint8), pixels)


@pytest.mark.parametrize("channels", [1, 3])
def test_uncompressed_samples_are_never_copied(channels: int) -> None:
    pixels = noise(33, 21, channels)
    for data in (
        saved(pixels.squeeze(), "PPM"),
        saved(pixels.squeeze(), "TIFF"),
        by_tifffile(pixels.squeeze(), rowsperstrip=5, photometric="rgb" if channels == 3 else "minisblack"),
    ):
        picture = open_picture(data)
        assert lies_in(data, picture.pixels) and np.array_equal(picture.pixels, pixels)
        assert picture.pixels.flags.c_contiguous and not picture.pixels.flags.writeable


@pytest.mark.parametrize("mode", ["L", "RGB", "P", "1", "RGBA"])
def test_bitmaps_are_read_from_the_bottom(mode: str) -> None:
    image = Image.fromarray(smooth(11, 7)).convert(mode)
    picture = open_picture(saved(image, "BMP"))
    back = picture.pixels if picture.alpha is None else np.dstack([picture.pixels, picture.alpha])
    expected = np.asarray(image.convert({"P": "RGB", "1": "L"}.get(mode, mode)))
    assert np.array_equal(back.squeeze(), expected[:, :, :3] if picture.alpha is None and mode == "RGBA" else expected)


def test_samples_cut_short_or_turned_or_scattered_are_not_taken_where_they_lie() -> None:
    pixels = noise(16, 8, 3)
    data = saved(pixels, "PPM")
    with pytest.raises(DamagedPictureError):
        open_picture(data[:-1])
    assert np.array_equal(open_picture(data[:-1], options=ReadOptions(tolerant=True)).pixels[:-1], pixels[:-1])
    turned = saved(pixels, "TIFF", tiffinfo={274: 6})
    assert np.array_equal(open_picture(turned).pixels, np.rot90(pixels, -1))
    tiled = by_tifffile(noise(40, 50, 3), tile=(16, 16), photometric="rgb")
    assert np.array_equal(open_picture(tiled).pixels, noise(40, 50, 3))


@pytest.fixture
def small_bands(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tiff_bands, "BAND_PIXELS", 600)


def whole_and_banded(data: bytes, monkeypatch: pytest.MonkeyPatch, options: ReadOptions = KEEP) -> list[Picture]:
    pictures = []
    for most in (10**9, 600):
        monkeypatch.setattr(tiff_bands, "BAND_PIXELS", most)
        pictures.append(open_picture(data, options=options))
    return pictures


CASES: dict[str, bytes] = {
    **{
        compression: saved(smooth(70, 50), "TIFF", compression=compression, tiffinfo={278: 8})
        for compression in ("tiff_lzw", "tiff_adobe_deflate", "packbits", "zstd")
    },
    "jpeg": saved(smooth(80, 48), "TIFF", compression="jpeg", tiffinfo={278: 16}, quality=80),
    "fax": saved(Image.fromarray(noise(70, 50) > 127), "TIFF", compression="group4", tiffinfo={278: 8}),
    "palette": saved(Image.fromarray(smooth(70, 50)).quantize(9), "TIFF", compression="tiff_lzw", tiffinfo={278: 8}),
    "inks": saved(Image.fromarray(smooth(70, 50)).convert("CMYK"), "TIFF", compression="tiff_lzw", tiffinfo={278: 8}),
    "alpha": saved(np.dstack([smooth(70, 50), noise(70, 50)]), "TIFF", compression="tiff_lzw", tiffinfo={278: 8}),
    "16 bits": by_tifffile(noise(70, 50, 3, dtype=np.uint16), rowsperstrip=9, compression="zlib", photometric="rgb"),
    "16 bits, big endian": by_tifffile(noise(70, 50, dtype=np.uint16), rowsperstrip=9, byteorder=">"),
    "predicted": by_tifffile(smooth(70, 50), rowsperstrip=9, compression="zlib", predictor=True, photometric="rgb"),
    "float": by_tifffile(noise(70, 50).astype(np.float32) / 9, rowsperstrip=9, compression="zlib"),
    "tiles": by_tifffile(smooth(70, 50), tile=(16, 32), compression="zlib", photometric="rgb"),
    "tiles, big": by_tifffile(smooth(70, 50), tile=(16, 32), compression="zlib", photometric="rgb", bigtiff=True),
    "a strip of one row": by_tifffile(smooth(70, 50), rowsperstrip=1, compression="zlib", photometric="rgb"),
    "planes": by_tifffile(noise(3, 70, 50), rowsperstrip=9, compression="zlib", photometric="rgb", planarconfig="separate"),
    "sideways": saved(smooth(70, 50), "TIFF", compression="tiff_lzw", tiffinfo={278: 8, 274: 6, 269: "a name"}),
}  # fmt: skip


@pytest.mark.parametrize("name", CASES)
def test_bands_are_the_picture(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    whole, banded = whole_and_banded(CASES[name], monkeypatch)
    assert np.array_equal(whole.pixels, banded.pixels) and whole.notes == banded.notes
    assert whole.metadata == banded.metadata and banded.pixels.flags.c_contiguous
    for one, other in ((whole.deep, banded.deep), (whole.alpha, banded.alpha)):
        assert one is other is None or np.array_equal(one, other)


@pytest.mark.parametrize("name", CASES)
def test_what_can_be_cut_is_cut(name: str, small_bands: None) -> None:
    with Image.open(io.BytesIO(CASES[name])) as image:
        parts = list(tiff_bands.bands(image))  # type: ignore[arg-type]
    assert (len(parts) > 3) == (name != "planes")
    assert [top for top, _ in parts] == sorted(top for top, _ in parts)


def test_damage_in_one_band_leaves_the_others(monkeypatch: pytest.MonkeyPatch) -> None:
    data = bytearray(CASES["tiff_adobe_deflate"])
    with Image.open(io.BytesIO(bytes(data))) as image:
        at = image.tag_v2[273][4]  # type: ignore[attr-defined]
    data[at : at + 8] = b"\xff" * 8
    monkeypatch.setattr(tiff_bands, "BAND_PIXELS", 600)
    with pytest.raises(DamagedPictureError):
        open_picture(bytes(data))
    picture = open_picture(bytes(data), options=ReadOptions(tolerant=True))
    right = (picture.pixels == smooth(70, 50)).all(axis=(1, 2))
    assert right[:32].all() and right[40:].all() and not right[32:40].all()
    assert picture.notes.lines()[0].startswith("damaged")


def test_segments_that_lie_over_each_other_are_no_bands(small_bands: None) -> None:
    data = bytearray(CASES["packbits"])
    with Image.open(io.BytesIO(bytes(data))) as image:
        counts = image.tag_v2[279]  # type: ignore[attr-defined]
    table = struct.pack(f"<{len(counts)}H", *counts)
    if table not in data:
        table = struct.pack(f"<{len(counts)}I", *counts)
    at, size = data.index(table), len(table) // len(counts)
    data[at : at + len(table)] = (60_000).to_bytes(size, "little") * len(counts)
    with Image.open(io.BytesIO(bytes(data))) as image:
        assert list(tiff_bands.bands(image)) == []  # type: ignore[arg-type]


MEASURE = """
import io, sys
from PIL import Image
from archivae.images import open_picture

def resident(line):
    return next(int(text.split()[1]) for text in open("/proc/self/status") if text.startswith(line))

file = io.BytesIO()
kind, compression = sys.argv[1:]
Image.new("RGB", (8000, 6000), (9, 8, 7)).save(file, kind, **({"compression": compression} if compression else {}))
data = file.getvalue()
del file
open("/proc/self/clear_refs", "w").write("5")  # the peak begins anew
before = resident("VmRSS")
assert open_picture(data).pixels[5999, 7999].tolist() == [9, 8, 7]
print(resident("VmHWM") - before)
"""


@pytest.mark.skipif(not Path("/proc/self/clear_refs").exists(), reason="how the peak is taken is Linux's")
@pytest.mark.parametrize(("kind", "compression", "allowed"), [("PPM", "", 0), ("TIFF", "tiff_lzw", 3)])
def test_a_large_picture_takes_little_more_than_its_samples(kind: str, compression: str, allowed: int) -> None:
    """48 megapixels in a process of its own; with a copy by Pillow these would be 7 bytes a pixel."""
    command = [sys.executable, "-c", MEASURE, kind, compression]
    grown = 1024 * int(subprocess.run(command, check=True, capture_output=True, text=True).stdout)
    assert grown < 48_000_000 * (allowed + 2)
