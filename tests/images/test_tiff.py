"""TIFFs whose samples, bands, tags or further directories are unusual: carried, refused, or named as lost."""

from __future__ import annotations

import io
import struct
from typing import Any

import numpy as np
import pytest
import tifffile
from PIL import ExifTags, Image, TiffImagePlugin

from archivae.bitstream import Coding
from archivae.errors import DamagedPictureError, UnsupportedPictureError
from archivae.images import ReadOptions, open_picture
from archivae.operations.decode import decode
from archivae.operations.encode import encode_file
from archivae.operations.rate import Lossless, Quality
from tests.samples import photo, small_codec
from tests.second_reader.tiffs import HEIGHT, WIDTH, pack_bits, raw_tiff

KEEP, EXACT = ReadOptions(depth="keep"), ReadOptions(exact=True)


def tiff(samples: np.ndarray, photometric: str = "minisblack", **options: Any) -> bytes:
    file = io.BytesIO()
    tifffile.imwrite(file, samples, photometric=photometric, metadata=None, **options)
    return file.getvalue()


def ramp(dtype: str, low: float, high: float) -> np.ndarray:
    return np.linspace(low, high, 40 * 50).reshape(40, 50).astype(dtype)


@pytest.mark.parametrize("extra", [1, 2])
@pytest.mark.parametrize("dtype", ["uint8", "uint16"])
def test_bands_that_are_no_alpha_leave_only_the_own_bytes(extra: int, dtype: str) -> None:
    samples = np.random.default_rng(0).integers(0, 200, (40, 50, 3 + extra)).astype(dtype)
    data = tiff(samples, "rgb", planarconfig="contig", extrasamples=("unspecified",) * extra)
    for rate in (Quality(90), Lossless()):
        result = encode_file(data, small_codec(), rate)
        assert result.coding is Coding.ORIGINAL and result.notes.lost == ()
    with pytest.raises(UnsupportedPictureError, match="own bytes"):
        open_picture(data, options=ReadOptions(exact=True, strip_metadata=True))
    stripped = open_picture(data, options=ReadOptions(strip_metadata=True))
    assert stripped.own_bytes == "never" and "band 4, which is no colour and no alpha" in stripped.notes.lost


@pytest.mark.parametrize(
    ("dtype", "low", "high"),
    [("int16", 0, 2520), ("int16", -32768, 32767), ("int16", 256, 300), ("int8", -128, 127), ("uint16", 0, 300)],
)
def test_the_full_scale_is_the_kept_types_and_nothing_wraps(dtype: str, low: int, high: int) -> None:
    samples = ramp(dtype, low, high)
    kept = open_picture(tiff(samples), options=KEEP).deep
    assert kept is not None and np.array_equal(kept[:, :, 0], samples)
    eight = open_picture(tiff(samples)).pixels[:, :, 0].astype(int)
    assert (np.diff(eight.ravel()) >= 0).all() and eight.max() == (1 if dtype == "uint16" else 255)
    result = encode_file(tiff(samples), small_codec(), Lossless())
    assert np.array_equal(decode(result.data)[:, :, 0], samples)


@pytest.mark.parametrize("dtype", ["uint32", "int32", "uint64", "int64", "float64"])
def test_samples_of_more_bits_are_kept_exactly_or_as_the_own_bytes(dtype: str) -> None:
    exact, finer = ramp(dtype, 0, 2**24), ramp(dtype, 1, 3) + (2**30 + 1 if dtype != "float64" else 1e-12)
    picture = open_picture(tiff(exact.astype(np.int32).astype(dtype)), options=KEEP)
    assert picture.own_bytes == "may" and np.array_equal(picture.deep[:, :, 0], exact.astype(np.int32))
    assert open_picture(tiff(finer.astype(dtype)), options=EXACT).own_bytes == "must"
    assert np.ptp(open_picture(tiff(exact)).pixels) == 255


def test_samples_without_a_meaning_here_are_refused() -> None:
    for samples, photometric in ((ramp("complex64", 0, 1), "minisblack"), (ramp("int16", 0, 9), "miniswhite")):
        with pytest.raises(UnsupportedPictureError):
            open_picture(tiff(samples, photometric))


@pytest.mark.parametrize("bits", [1, 4, 8, 12, 16, 32])
def test_white_is_zero_is_turned_round_at_every_depth(bits: int) -> None:
    largest = 2**bits - 1
    if bits == 32:
        data = tiff(ramp("uint32", largest - 1000, largest), "miniswhite")
    else:
        values = np.linspace(0, largest, HEIGHT * WIDTH).astype(np.uint16).reshape(HEIGHT, WIDTH, 1)
        body = values.astype("<u2").tobytes() if bits == 16 else pack_bits(values, bits)
        data = raw_tiff({258: (bits,), 262: (0,), 277: (1,)}, body)
    shown = open_picture(data).pixels[:, :, 0].astype(int)
    assert shown[0, 0] == 255 and shown[-1, -1] == 0 and (np.diff(shown.ravel()) <= 0).all()


@pytest.mark.parametrize("compression", ["none", "zlib", "lzw"])
@pytest.mark.parametrize("dtype", ["uint8", "uint16", "float32"])
@pytest.mark.parametrize("orientation", range(1, 9))
def test_orientation_is_applied_whatever_the_type(orientation: int, dtype: str, compression: str) -> None:
    samples = (photo(20, 30) / (255 if dtype == "float32" else 1)).astype(dtype)
    data = tiff(samples, "rgb", compression=compression, extratags=[(274, 3, 1, orientation, True)])
    upright = open_picture(tiff(samples, "rgb"), options=EXACT)
    picture = open_picture(data, options=EXACT)
    turns = {1: 0, 2: 0, 3: 2, 4: 2, 5: -1, 6: -1, 7: 1, 8: 1}
    meant = np.rot90(upright.pixels, turns[orientation])
    meant = meant[:, ::-1] if orientation in (2, 4, 5, 7) else meant
    assert np.array_equal(picture.pixels, meant)
    assert picture.notes.changed == (() if orientation == 1 else (f"orientation {orientation} applied",))


def test_a_palette_of_16_bits_is_looked_up() -> None:
    colours = np.random.default_rng(0).integers(0, 65536, (3, 65536)).astype(np.uint16)
    indices = np.random.default_rng(1).integers(0, 65536, (20, 30)).astype(np.uint16)
    picture = open_picture(tiff(indices, "palette", colormap=colours), options=KEEP)
    assert np.array_equal(picture.deep, colours.T[indices])


@pytest.mark.parametrize(
    ("code", "kind", "value", "name"),
    [
        (33550, 12, (10.0, 10.0, 0.0), "TIFF tag 33550 (ModelPixelScaleTag)"),
        (34735, 3, (1, 1, 0, 0), "TIFF tag 34735 (GeoKeyDirectoryTag)"),
        (42113, 2, "-9999", "TIFF tag 42113 (GDAL_NODATA)"),
        (269, 2, "a name", "TIFF tag 269 (DocumentName)"),
        (65000, 4, (1, 2, 3), "TIFF tag 65000"),
        (34377, 1, (1, 2, 3, 4), "TIFF tag 34377 (ImageResources)"),
    ],
)
def test_tags_that_are_neither_structural_nor_carried_are_lost(code: int, kind: int, value: Any, name: str) -> None:
    count = len(value) + isinstance(value, str)
    data = tiff(photo(20, 30), "rgb", extratags=[(code, kind, count, value, True)])
    assert open_picture(data).notes.lost == (name,)
    assert open_picture(data, options=EXACT).own_bytes == "must"


def test_descriptive_tags_are_carried_and_nothing_is_lost() -> None:
    tags = [(271, 2, 6, "Maker", True), (700, 1, 12, tuple(b"<x:xmpmeta/>"), True)]
    picture = open_picture(tiff(photo(20, 30), "rgb", software="us", description="it", extratags=tags))
    exif = Image.Exif()
    exif.load(picture.metadata.exif)
    assert (exif[271], exif[305], exif[270]) == ("Maker", "us", "it") and picture.metadata.xmp == b"<x:xmpmeta/>"
    assert picture.notes.lost == ()


def test_further_directories_and_stray_bytes_are_lost() -> None:
    file = io.BytesIO()
    with tifffile.TiffWriter(file) as writer:
        writer.write(photo(32, 48), photometric="rgb", subifds=1, metadata=None)
        writer.write(photo(16, 24), photometric="rgb", subfiletype=1, metadata=None)
        writer.write(photo(16, 24), photometric="rgb", metadata=None)
    assert open_picture(file.getvalue()).notes.lost == (
        "2 frames, only the first is kept",
        "TIFF tag 330 (SubIFDs)",
    )
    data = tiff(photo(20, 30), "rgb")
    assert open_picture(data + bytes(9)).notes.lost == ()
    assert open_picture(data + b"\0more").notes.lost == ("4 bytes that no TIFF tag points at",)
    exif = Image.Exif()
    exif.get_ifd(ExifTags.IFD.Exif)[ExifTags.Base.UserComment] = b"ASCII\0\0\0kept"
    exif.get_ifd(ExifTags.IFD.GPSInfo)[ExifTags.GPS.GPSLatitudeRef] = "N"
    saved = io.BytesIO()
    reloaded = Image.Exif()
    reloaded.load(exif.tobytes())
    Image.fromarray(photo(20, 30)).save(saved, "TIFF", exif=reloaded)
    picture = open_picture(saved.getvalue())
    assert picture.notes.lost == () and b"kept" in picture.metadata.exif


def test_a_damaged_tag_is_named_or_if_it_lays_out_pixels_refused() -> None:
    data = tiff(photo(20, 30), "rgb", extratags=[(65000, 4, 1, 7, True)])
    for code, damaged in ((65000, False), (258, True), (284, True)):
        broken = bytearray(data)
        at = broken.index(struct.pack("<H", code), 8)
        broken[at + 2 : at + 4] = b"\xee\xee"  # no type
        if damaged:
            with pytest.raises(DamagedPictureError, match=f"TIFF tag {code}"):
                open_picture(bytes(broken))
        else:
            assert "TIFF tag 65000, which can't be read" in open_picture(bytes(broken)).notes.lost


def test_premultiplied_colours_are_divided_and_without_loss_kept_as_they_are() -> None:
    alpha = np.full((4, 4, 1), 128, np.uint8)
    data = tiff(np.dstack([np.full((4, 4, 3), 64, np.uint8), alpha]), "rgb", extrasamples=("assocalpha",))
    picture = open_picture(data)
    assert picture.pixels.ravel().tolist() == [128] * 48 and picture.own_bytes == "may"
    assert open_picture(data, options=EXACT).own_bytes == "must"


@pytest.mark.parametrize("compression", ["zlib", "lzw", "none", "png", "webp", "jpegxl"])
def test_half_a_tiff_is_damaged_or_tolerated(compression: str) -> None:
    samples = photo(40, 60)
    data = tiff(samples, "rgb", compression=compression, rowsperstrip=5)
    half = data[: len(data) * 3 // 4]
    with pytest.raises(DamagedPictureError, match="strip"):
        open_picture(half)
    picture = open_picture(half, options=ReadOptions(tolerant=True))
    assert picture.pixels.any(axis=2)[:5].all() and not picture.pixels[-1].any()
    assert picture.notes.lost[0].startswith("damaged")


def test_what_libtiff_says_is_damage_and_never_reaches_the_terminal(capfd: pytest.CaptureFixture[str]) -> None:
    image = Image.fromarray(photo(60, 90)[:, :, 0] > 110)
    file = io.BytesIO()
    image.save(file, "TIFF", compression="group4")
    broken = bytearray(file.getvalue())
    at = TiffImagePlugin.TiffImageFile(io.BytesIO(bytes(broken))).tag_v2[TiffImagePlugin.STRIPOFFSETS][0]
    broken[at + 30 : at + 60] = bytes(30)
    with pytest.raises(DamagedPictureError, match="Fax4Decode"):
        open_picture(bytes(broken))
    tolerated = open_picture(bytes(broken), options=ReadOptions(tolerant=True))
    assert "Fax4Decode" in tolerated.notes.lost[0]
    assert capfd.readouterr() == ("", "")


def test_every_cut_and_many_a_change_is_an_error_of_ours_or_a_picture() -> None:
    generator = np.random.default_rng(3)
    for compression in ("none", "zlib", "lzw", "packbits", "lerc", "zstd", "jpegxl"):
        data = tiff(photo(20, 30), "rgb", compression=compression)
        for _ in range(30):
            broken = bytearray(data[: generator.integers(8, len(data))])
            broken[generator.integers(0, len(broken))] = generator.integers(0, 256)
            try:
                open_picture(bytes(broken), max_pixels=10**6)
            except (DamagedPictureError, UnsupportedPictureError):
                pass


def _jpegs(**options: Any) -> tuple[bytes, list[tuple[int, int]]]:
    """A TIFF of JPEG, and where the coded data of each of its strips or tiles begin and end."""
    data = tiff(np.asarray(photo(320, 256)), "ycbcr", compression="jpeg", **options)
    with tifffile.TiffFile(io.BytesIO(data)) as file:
        page: Any = file.pages[0]
        places = [(o, o + n) for o, n in zip(page.dataoffsets, page.databytecounts, strict=True)]
    return data, [(data.index(b"\xff\xda", start) + 14, end) for start, end in places]


@pytest.mark.parametrize("options", [{}, {"tile": (128, 128)}, {"subsampling": (2, 2), "rowsperstrip": 64}])
def test_damage_within_strips_of_jpeg_is_damage(options: dict[str, Any]) -> None:
    data, places = _jpegs(**options)
    assert open_picture(data).notes.lost == ()
    for start, end in (places[0], places[-1]):
        for at in range(start, end - 600, max(1, (end - start) // 7)):
            ended = data[:at] + b"\xff\xd9" + data[at + 2 :]
            zeroed = data[:at] + bytes(512) + data[at + 512 :]
            filled = data[:at] + b"\xff" * 64 + data[at + 64 :]
            for damaged in (ended, zeroed, filled):
                with pytest.raises(DamagedPictureError, match="decoding TIFF failed"):
                    open_picture(damaged)
            kept = open_picture(ended, options=ReadOptions(tolerant=True))
            assert kept.own_bytes == "never" and kept.notes.lost[0].startswith("damaged, what could be decoded is kept")


@pytest.mark.parametrize(("dtype", "kept"), [("int8", "int16"), ("uint32", "float32"), ("int32", "float32")])
def test_another_type_of_the_same_values_is_named(dtype: str, kept: str) -> None:
    samples = ramp(dtype, 0, 100)
    for options in (KEEP, EXACT):
        picture = open_picture(tiff(samples), options=options)
        assert (
            picture.deep is not None and picture.deep.dtype == kept and np.array_equal(picture.deep[:, :, 0], samples)
        )
        assert picture.notes.changed == (f"{dtype} samples read as {kept}",) and picture.notes.lost == ()
    assert open_picture(tiff(samples.astype("int16")), options=KEEP).notes.changed == ()
