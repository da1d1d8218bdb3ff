from __future__ import annotations

import io
import struct
import zlib
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import ExifTags, Image

from archivae.errors import ArchivaeError, DamagedPictureError, PictureTooLargeError, UnsupportedPictureError
from archivae.images import ReadOptions, open_picture
from archivae.images.notes import NO_NOTES, Notes, changed, lost

ORIENTATION = 0x0112


def noise(*shape: int) -> np.ndarray:
    return np.random.default_rng(7).integers(0, 256, shape, dtype=np.uint8)


def smooth(height: int = 24, width: int = 32) -> np.ndarray:
    y, x = np.mgrid[:height, :width]
    return np.stack([x * 255 // width, y * 255 // height, (x + y) * 255 // (height + width)], axis=2).astype(np.uint8)


def saved(image: Image.Image | np.ndarray, kind: str, **options: Any) -> bytes:
    file = io.BytesIO()
    (Image.fromarray(image) if isinstance(image, np.ndarray) else image).save(file, kind, **options)
    return file.getvalue()


def png(width: int, height: int, depth: int, colour: int, raw: bytes) -> bytes:
    """A PNG of any depth and colour type, which Pillow can't write."""

    def chunk(name: bytes, body: bytes) -> bytes:
        return struct.pack(">I", len(body)) + name + body + struct.pack(">I", zlib.crc32(name + body))

    header = struct.pack(">IIBBBBB", width, height, depth, colour, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(raw)) + chunk(b"IEND", b"")


def exif_block(orientation: int) -> Image.Exif:
    exif = Image.Exif()
    exif[ExifTags.Base.Make] = "Maker of cameras"
    exif[ORIENTATION] = orientation
    exif.get_ifd(ExifTags.IFD.Exif)[ExifTags.Base.UserComment] = b"ASCII\x00\x00\x00kept as it was"
    reloaded = Image.Exif()  # once through bytes, or saving a TIFF forgets the inner directory
    reloaded.load(exif.tobytes())
    return reloaded


@pytest.mark.parametrize("kind", ["PNG", "WEBP", "TIFF", "BMP", "PPM", "JPEG2000"])
def test_rgb_pixels_come_back_as_they_were(kind: str) -> None:
    pixels = noise(20, 30, 3)
    picture = open_picture(saved(pixels, kind, **({"lossless": True} if kind == "WEBP" else {})))
    assert np.array_equal(picture.pixels, pixels)
    assert picture.format == kind.lower()
    assert picture.notes.lost == picture.notes.changed == ()  # OpenJPEG writes its name
    assert bool(picture.notes.said) == (kind == "JPEG2000")


@pytest.mark.parametrize("kind", ["PNG", "TIFF", "BMP", "PPM", "JPEG2000"])
def test_grey_stays_grey(kind: str) -> None:
    pixels = noise(20, 30)
    picture = open_picture(saved(pixels, kind))
    assert picture.pixels.shape == (20, 30, 1)
    assert np.array_equal(picture.pixels[:, :, 0], pixels)


@pytest.mark.parametrize("kind", ["JPEG", "AVIF", "WEBP"])
def test_lossy_formats_open(kind: str) -> None:
    picture = open_picture(saved(smooth(), kind, quality=95))
    assert np.abs(picture.pixels.astype(int) - smooth()).mean() < 6
    assert (picture.format, picture.notes) == (kind.lower(), NO_NOTES)


def test_pixels_are_contiguous_and_read_only() -> None:
    exif = exif_block(6)
    for data in (saved(smooth(), "PNG"), saved(smooth(), "JPEG", exif=exif), saved(noise(5, 6), "PNG")):
        flags = open_picture(data).pixels.flags
        assert flags.c_contiguous and not flags.writeable


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP", "TIFF"])
@pytest.mark.parametrize("orientation", range(1, 9))
def test_orientation_is_applied_and_reset_and_the_rest_of_exif_kept(kind: str, orientation: int) -> None:
    exif = exif_block(orientation)
    plain = open_picture(saved(smooth(), kind)).pixels
    picture = open_picture(saved(smooth(), kind, exif=exif))
    turned = {
        1: plain,
        2: plain[:, ::-1],
        3: plain[::-1, ::-1],
        4: plain[::-1],
        5: plain.transpose(1, 0, 2),
        6: np.rot90(plain, -1),
        7: plain[::-1, ::-1].transpose(1, 0, 2),
        8: np.rot90(plain),
    }[orientation]
    assert np.array_equal(picture.pixels, turned)
    assert picture.notes == (NO_NOTES if orientation == 1 else changed(f"orientation {orientation} applied"))
    after = Image.Exif()
    after.load(picture.metadata.exif)
    assert after.get(ORIENTATION, 1) == 1
    assert after[ExifTags.Base.Make] == "Maker of cameras"
    assert after.get_ifd(ExifTags.IFD.Exif)[ExifTags.Base.UserComment] == b"ASCII\x00\x00\x00kept as it was"


def test_exif_differs_in_the_orientation_alone() -> None:
    before = exif_block(8).tobytes()
    after = open_picture(saved(smooth(), "JPEG", exif=before)).metadata.exif
    changed = [i for i, (old, new) in enumerate(zip(before[6:], after, strict=True)) if old != new]
    assert len(changed) == 1 and (before[6:][changed[0]], after[changed[0]]) == (8, 1)


def test_orientation_in_xmp_alone_is_applied_too() -> None:
    xmp = b'<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf tiff:Orientation="6"/></x:xmpmeta>'
    picture = open_picture(saved(smooth(), "JPEG", xmp=xmp))
    assert picture.pixels.shape == (32, 24, 3)
    assert picture.metadata.xmp == xmp.replace(b'"6"', b'"1"')


def test_orientation_of_avif_is_applied() -> None:
    picture = open_picture(saved(smooth(), "AVIF", exif=exif_block(6), quality=90))
    assert picture.pixels.shape == (32, 24, 3)
    assert picture.notes == changed("orientation 6 applied")


def test_malformed_exif_is_kept_and_ignored() -> None:
    for exif in (b"II", b"II*\x00\xff\xff\xff\x7f", b"no exif at all"):
        picture = open_picture(saved(smooth(), "PNG", exif=exif))
        assert (picture.metadata.exif, picture.notes) == (exif, NO_NOTES)


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP", "AVIF", "TIFF"])
def test_profile_is_kept_and_pixels_are_not_converted(kind: str) -> None:
    icc = b"\x00" * 128 + b"a profile"
    with_profile, without = open_picture(saved(smooth(), kind, icc_profile=icc)), open_picture(saved(smooth(), kind))
    assert with_profile.metadata.icc == icc
    assert np.array_equal(with_profile.pixels, without.pixels)


def test_palette_is_expanded() -> None:
    image = Image.fromarray(smooth()).quantize(16)
    picture = open_picture(saved(image, "PNG"))
    assert np.array_equal(picture.pixels, np.asarray(image.convert("RGB")))
    assert picture.notes == changed("palette expanded to RGB")


@pytest.mark.parametrize("kind", ["PNG", "TIFF", "BMP", "PPM"])
def test_one_bit_becomes_grey(kind: str) -> None:
    bits = noise(9, 11) > 127
    picture = open_picture(saved(Image.fromarray(bits), kind))
    assert np.array_equal(picture.pixels[:, :, 0], bits * np.uint8(255))
    assert picture.notes == changed("samples of 0 to 1 scaled to 0 to 255")


def test_few_bits_are_scaled_with_a_note() -> None:
    grey = open_picture(png(2, 1, 4, 0, b"\x00\x0f"))
    assert grey.pixels.ravel().tolist() == [0, 255]
    assert grey.notes == changed("samples of 0 to 15 scaled to 0 to 255")
    assert open_picture(b"P5\n1 1\n100\n\x32").notes == changed("samples of 0 to 100 scaled to 0 to 255")


@pytest.mark.parametrize("mode", ["RGBA", "LA"])
@pytest.mark.parametrize("kind", ["PNG", "TIFF"])
def test_opaque_alpha_is_dropped_and_real_alpha_kept(mode: str, kind: str) -> None:
    image = Image.fromarray(smooth()).convert(mode)
    picture = open_picture(saved(image, kind))
    assert picture.pixels.shape[2] == len(mode) - 1 and picture.alpha is None
    assert picture.notes == changed("fully opaque alpha dropped")
    image.putpixel((3, 4), (*image.getpixel((3, 4))[:-1], 200))  # type: ignore[index]
    picture = open_picture(saved(image, kind))
    assert np.array_equal(np.dstack([picture.pixels, picture.alpha]), np.asarray(image)) and picture.notes == NO_NOTES


def test_transparency_without_an_alpha_channel_is_found() -> None:
    pixels = smooth()
    picture = open_picture(saved(pixels, "PNG", transparency=tuple(int(v) for v in pixels[5, 5])))
    assert np.array_equal(picture.alpha == 0, (pixels == pixels[5, 5]).all(axis=2))
    palette = Image.fromarray(pixels).quantize(8)
    picture = open_picture(saved(palette, "GIF", transparency=palette.getpixel((0, 0))))
    assert np.array_equal(picture.alpha == 0, np.asarray(palette) == palette.getpixel((0, 0)))


@pytest.mark.parametrize("bits", [1, 2, 4, 8])
def test_a_transparent_grey_of_few_bits_is_that_grey(bits: int) -> None:
    data = png(2, 1, bits, 0, bytes([0, 1 << 8 - bits]) + bytes(bits == 8))
    start = data.index(b"IDAT") - 4
    key = b"tRNS" + struct.pack(">H", 1)
    chunk = struct.pack(">I", 2) + key + struct.pack(">I", zlib.crc32(key))
    picture = open_picture(data[:start] + chunk + data[start:])
    assert picture.alpha is not None and picture.alpha.ravel().tolist() == [0, 255]


def test_an_unused_transparent_colour_is_no_transparency() -> None:
    pixels = np.full((4, 4, 3), 9, np.uint8)
    picture = open_picture(saved(pixels, "PNG", transparency=(1, 2, 3)))
    assert np.array_equal(picture.pixels, pixels)
    assert picture.notes == changed("fully opaque alpha dropped")


@pytest.mark.parametrize("kind", ["JPEG", "TIFF"])
def test_cmyk_becomes_rgb_and_a_damaged_profile_goes(kind: str) -> None:
    picture = open_picture(saved(Image.fromarray(smooth()).convert("CMYK"), kind, icc_profile=b"for four inks"))
    assert np.abs(picture.pixels.astype(int) - smooth()).mean() < 6
    assert picture.metadata.icc == b""
    assert picture.notes == Notes(
        lost=("CMYK colour profile, which can't be applied",),
        changed=("CMYK converted to RGB without a colour profile",),
    )


def test_other_colour_modes_and_camera_raw_are_refused() -> None:
    with pytest.raises(UnsupportedPictureError, match=r"CIE L\*a\*b\*"):
        open_picture(saved(Image.new("LAB", (4, 4)), "TIFF"))
    for tag, value in ((254, 1), (50706, b"\x01\x04\x00\x00")):
        with pytest.raises(UnsupportedPictureError, match="camera raw"):
            open_picture(saved(smooth(), "TIFF", tiffinfo={tag: value}))


@pytest.mark.parametrize("kind", ["GIF", "PNG", "WEBP", "TIFF", "AVIF"])
def test_only_the_first_frame_is_kept_and_said(kind: str) -> None:
    frames = [Image.fromarray(smooth()), Image.fromarray(255 - smooth()), Image.fromarray(smooth() // 2)]
    picture = open_picture(saved(frames[0], kind, save_all=True, append_images=frames[1:]))
    assert picture.notes.lines()[0] == "3 frames, only the first is kept"
    assert np.abs(picture.pixels.astype(int) - smooth()).mean() < 12


def test_a_jpeg_of_several_pictures_is_a_jpeg() -> None:
    first, second = Image.fromarray(smooth()), Image.fromarray(255 - smooth())
    picture = open_picture(saved(first, "MPO", save_all=True, append_images=[second]))
    assert (picture.format, picture.notes) == (
        "jpeg",
        lost("2 frames, only the first is kept", "APP2 segment (MPF, the index of further pictures)"),
    )


def test_what_else_the_file_said_is_named() -> None:
    assert open_picture(saved(smooth(), "JPEG", comment=b"by hand")).notes == lost("comment")
    assert open_picture(saved(smooth(), "TIFF", tiffinfo={269: "a name"})).notes == lost("TIFF tag 269 (DocumentName)")


def test_too_large_is_told_from_the_header() -> None:
    with pytest.raises(PictureTooLargeError, match=r"at most 767 pixels, found 32 x 24 = 768"):
        open_picture(saved(smooth(), "PNG"), max_pixels=767)
    assert open_picture(saved(smooth(), "PNG"), max_pixels=768).pixels.shape == (24, 32, 3)
    with pytest.raises(PictureTooLargeError, match="60000 x 60000 = 3,600,000,000"):
        open_picture(png(60_000, 60_000, 8, 2, b""))


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP", "AVIF", "TIFF", "BMP", "PPM", "GIF"])
def test_half_a_file_is_damaged(kind: str) -> None:
    data = saved(noise(64, 64, 3), kind)
    with pytest.raises(DamagedPictureError) as caught:
        open_picture(data[: len(data) // 2])
    assert caught.value.__cause__ is not None


def test_a_flipped_bit_in_a_png_is_found() -> None:
    data = bytearray(saved(noise(64, 64, 3), "PNG", compress_level=0))
    data[len(data) // 2] ^= 1
    with pytest.raises(DamagedPictureError, match="decoding PNG failed"):
        open_picture(bytes(data))


def test_no_pixels_are_damage() -> None:
    with pytest.raises(DamagedPictureError):
        open_picture(png(0, 4, 8, 0, b""))


SOURCES = [
    *(saved(smooth(), kind) for kind in ("WEBP", "AVIF", "GIF", "BMP", "PPM", "JPEG2000")),
    *(saved(smooth(), kind, exif=exif_block(6)) for kind in ("JPEG", "PNG", "TIFF")),
    saved(smooth(), "TIFF", compression="tiff_lzw"),
]


@pytest.mark.filterwarnings("ignore")
@settings(max_examples=300, deadline=None)
@given(
    source=st.sampled_from(SOURCES),
    keep=st.floats(0.02, 1),
    changes=st.lists(st.tuples(st.floats(0, 1, exclude_max=True), st.integers(0, 255)), max_size=6),
    options=st.builds(
        ReadOptions,
        depth=st.sampled_from(["8", "keep"]),
        frames=st.sampled_from(["first", "all"]),
        strip_gps=st.booleans(),
        tolerant=st.booleans(),
    ),
)
def test_nothing_but_our_own_errors(
    source: bytes, keep: float, changes: list[tuple[float, int]], options: ReadOptions
) -> None:
    data = bytearray(source[: int(len(source) * keep)])
    for place, value in changes:
        # squared, so that headers are hit more often than pixels
        data[int(place**2 * len(data))] = value
    try:
        picture = open_picture(bytes(data), max_pixels=100_000, options=options)
    except ArchivaeError:
        return
    assert picture.pixels.dtype == np.uint8 and picture.pixels.shape[2] in (1, 3)
    assert picture.pixels.shape[0] * picture.pixels.shape[1] <= 100_000


def test_pictures_higher_than_a_strip_come_whole() -> None:
    tall = np.random.default_rng(1).integers(0, 256, (600, 3, 3), np.uint8)
    for pixels in (tall, tall[:, :, :1]):
        file = io.BytesIO()
        Image.fromarray(pixels.squeeze()).save(file, "PNG")
        assert np.array_equal(open_picture(file.getvalue()).pixels, pixels)
