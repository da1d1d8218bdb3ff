"""Bytes to pixels. Whatever changes on the way is put into words; what can't be kept whole yet is refused."""

from __future__ import annotations

import io
from dataclasses import dataclass, replace

import numpy as np
from PIL import Image, ImageFile, TiffImagePlugin

from archivae.errors import DamagedPictureError, PictureTooLargeError, UnsupportedPictureError
from archivae.images.metadata import Metadata, made_upright, orientation, read_metadata, unkept
from archivae.images.pillow import pillow_errors_as, to_pixels
from archivae.images.samples import largest_sample
from archivae.images.sniffing import sniff

MAX_PIXELS = 400_000_000

# Pillow's modes that become grey or RGB, and what is said of the change; alpha is judged before.
_GREY_MODES = frozenset({"1", "L", "LA", "La"})
_COLOUR_NOTES = {
    "RGB": "",
    "RGBA": "",
    "RGBa": "",
    "RGBX": "padding channel dropped",
    "P": "palette expanded to RGB",
    "PA": "palette expanded to RGB",
    "CMYK": "CMYK converted to RGB without a colour profile",
    "YCbCr": "YCbCr converted to RGB",
}

# EXIF orientation -> what makes the pixels upright.
_UPRIGHT = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}

_TIFF_NEW_SUBFILE_TYPE, _TIFF_DNG_VERSION = 254, 50706  # tags
_TIFF_SIGNED = 2  # a value of the tag SampleFormat


@dataclass(frozen=True, slots=True, eq=False)  # arrays don't compare to one truth value: pictures are compared by hand
class Picture:
    """A decoded picture.

    Attributes:
        pixels: uint8, (H, W, 1) grey or (H, W, 3) RGB, upright, C-contiguous, read-only; colours as stored, whatever the
            profile in ``metadata.icc`` makes of them.
        format: what the file was: jpeg, png, webp, avif, gif, tiff, bmp, ppm or jpeg2000.
        metadata: EXIF (orientation 1), ICC profile, XMP.
        notes: each change from what the file holds, in words; empty if pixels and metadata are the file's own.
    """

    pixels: np.ndarray
    format: str
    metadata: Metadata
    notes: tuple[str, ...]


def open_picture(data: bytes, *, max_pixels: int = MAX_PIXELS) -> Picture:
    """Decode a whole file, told by its content: JPEG, PNG, WebP, AVIF, GIF, TIFF, BMP, PPM or JPEG 2000.

    Raises:
        DamagedPictureError: no picture, cut short or corrupt.
        PictureTooLargeError: the header promises more than ``max_pixels``; nothing was decoded.
        UnsupportedPictureError: transparency, more than 8 bits a sample, camera raw, or another kind not coded yet.
        MemoryError: decoding what the limit allows needs more memory than there is.
    """
    kind = sniff(data)
    with pillow_errors_as(DamagedPictureError, f"decoding {kind}"):
        image = Image.open(io.BytesIO(data), formats=[kind])
        _check_size(image, max_pixels)
        largest = largest_sample(image, data)
        _check_depth(image, largest)
        _check_kind(image, data)
        _check_checksums(image, data)
        notes = [*_frame_notes(image), *_sample_notes(image, largest)]
        turned = _turned_by_pillow(image)
        image.load()
        notes += [f"{name} not kept" for name in unkept(image)]
        metadata = read_metadata(image)
        image_upright, metadata, turn_notes = _upright(image, metadata, turned)
        plain, colour_notes = _plain(image_upright)
        if image.mode == "CMYK" and metadata.icc:
            metadata = replace(metadata, icc=b"")
            colour_notes.append("CMYK colour profile dropped, as it doesn't describe RGB")
        return Picture(to_pixels(plain), kind.lower(), metadata, tuple(notes + turn_notes + colour_notes))


def _check_size(image: Image.Image, max_pixels: int) -> None:
    width, height = image.size
    if width < 1 or height < 1:
        raise DamagedPictureError(f"expected at least one pixel, found a header of {width} x {height}")
    if width * height > max_pixels:
        raise PictureTooLargeError(
            f"expected at most {max_pixels:,} pixels, found {width} x {height} = {width * height:,}; "
            "raise the limit if the file can be trusted"
        )


def _check_depth(image: Image.Image, largest: int) -> None:
    """Refuse what Pillow would hand over in more than 8 bits, or reduce to 8 in silence."""
    if image.mode.startswith(("I", "F")) or largest > 255:
        found = "floating point" if image.mode == "F" else f"{largest.bit_length()} bits"
        raise UnsupportedPictureError(
            f"expected at most 8 bits a sample, found {found}; deeper samples aren't coded yet, keep the original"
        )


def _check_kind(image: Image.Image, data: bytes) -> None:
    """Refuse camera raw files, which are TIFFs whose first picture is a small preview, and unusual colour modes."""
    if isinstance(image, TiffImagePlugin.TiffImageFile):
        tags = image.tag_v2
        if _TIFF_SIGNED in tags.get(TiffImagePlugin.SAMPLEFORMAT, ()):  # Pillow would take -1 for 255
            raise UnsupportedPictureError("expected unsigned samples, found signed ones, which aren't coded yet")
        preview = bool(tags.get(_TIFF_NEW_SUBFILE_TYPE, 0) & 1)
        if preview or _TIFF_DNG_VERSION in tags or data[8:10] == b"CR":
            raise UnsupportedPictureError(
                "expected a picture, found a camera raw file or a TIFF whose first picture is a preview; not coded yet"
            )
    if image.mode not in _GREY_MODES and image.mode not in _COLOUR_NOTES:
        raise UnsupportedPictureError(f"expected grey or RGB, found colour mode {image.mode}, which isn't coded yet")


def _check_checksums(image: Image.Image, data: bytes) -> None:
    """Pillow decodes a PNG without looking at the checksums of its pixels: a flipped bit would be archived for good."""
    if image.format == "PNG":
        Image.open(io.BytesIO(data), formats=["PNG"]).verify()


def _frame_notes(image: ImageFile.ImageFile) -> list[str]:
    frames = getattr(image, "n_frames", 1)
    return [f"{frames} frames, only the first is kept"] if frames > 1 else []


def _sample_notes(image: Image.Image, largest: int) -> list[str]:
    if largest == 255 or image.mode in ("P", "PA"):  # a palette's indices aren't samples
        return []
    return [f"samples of 0 to {largest} scaled to 0 to 255"]


def _turned_by_pillow(image: Image.Image) -> int:
    """The orientation that Pillow applies by itself while loading: a TIFF's, and no other's."""
    if not isinstance(image, TiffImagePlugin.TiffImageFile):
        return 1
    value = image.getexif().get(0x0112, 1)
    return value if value in _UPRIGHT else 1


def _upright(image: Image.Image, metadata: Metadata, turned: int) -> tuple[Image.Image, Metadata, list[str]]:
    if turned != 1:
        return image, made_upright(metadata), [f"orientation {turned} applied"]
    turn = orientation(metadata)
    if turn == 1:
        return image, metadata, []
    return image.transpose(_UPRIGHT[turn]), made_upright(metadata), [f"orientation {turn} applied"]


def _plain(image: Image.Image) -> tuple[Image.Image, list[str]]:
    """The picture as mode L or RGB, and what had to be done."""
    notes = []
    if image.has_transparency_data:
        alpha = image.convert("LA" if image.mode == "La" else "RGBA").getchannel("A")
        lowest, _ = alpha.getextrema()
        if lowest != 255:
            raise UnsupportedPictureError(
                f"expected opaque pixels, found transparency (alpha down to {lowest}); alpha isn't coded yet"
            )
        notes.append("fully opaque alpha dropped")
        image.info.pop("transparency", None)
    plain = "L" if image.mode in _GREY_MODES else "RGB"
    if note := _COLOUR_NOTES.get(image.mode):
        notes.append(note)
    return image if image.mode == plain else image.convert(plain), notes  # convert copies whatever the mode
