"""Pillow's modes to samples: grey, RGB or CMYK, with alpha apart."""

from __future__ import annotations

import numpy as np
from PIL import Image, ImageFile

from archivae.errors import UnsupportedPictureError
from archivae.images.metadata import read_metadata
from archivae.images.notes import NO_NOTES, Notes, changed, lost
from archivae.images.picture import CHANNELS, Colours, Raster, ReadOptions
from archivae.images.pillow import split_alpha
from archivae.images.readers.frames import OpenFrame, load
from archivae.images.readers.raw import samples_in_place

# Mode -> the colours it has, and the mode that Pillow makes of it first.
_MODES: dict[str, tuple[Colours, str]] = {
    "1": ("grey", "L"),
    "L": ("grey", "L"),
    "LA": ("grey", "LA"),
    "La": ("grey", "LA"),
    "I": ("grey", "I"),
    "I;16": ("grey", "I;16"),
    "I;16B": ("grey", "I;16B"),
    "F": ("grey", "F"),
    "RGB": ("rgb", "RGB"),
    "RGBA": ("rgb", "RGBA"),
    "RGBa": ("rgb", "RGBA"),
    "RGBX": ("rgb", "RGB"),
    "P": ("rgb", "RGB"),
    "PA": ("rgb", "RGBA"),
    "YCbCr": ("rgb", "RGB"),
    "CMYK": ("cmyk", "CMYK"),
}

_NOTES = {
    "RGBX": lost("a fourth channel of unknown meaning"),
    "P": changed("palette expanded to RGB"),
    "PA": changed("palette expanded to RGB"),
    "YCbCr": changed("YCbCr converted to RGB"),
}

_EXACT_IN_FLOAT = 2**24


def load_raster(
    open_frame: OpenFrame, options: ReadOptions, *, bits: int = 8, largest: int = 255, upright: bool = False
) -> tuple[Raster, str]:
    """A frame as Pillow gives it, in at most 8 bits unless its mode is a deep one.

    ``bits`` and ``largest`` are what the file says of its samples; ``upright``: Pillow turns it by itself.
    """
    image = open_frame()
    in_place = samples_in_place(image)
    damage = load(image, options.tolerant) if in_place is None else ""
    samples, alpha, colours = samples_of(image) if in_place is None else (in_place, None, _MODES[image.mode][0])
    deep = samples.dtype != np.uint8
    raster = Raster(
        samples,
        colours,
        largest=largest if deep and largest > 255 else 255,
        alpha=alpha,
        metadata=read_metadata(image),
        upright=upright,
        reduced_from=bits if bits > 8 * samples.itemsize or (bits > 8 and not deep) else 0,
        notes=_sample_notes(image, largest) + _NOTES.get(image.mode, NO_NOTES),
    )
    return raster, damage


def samples_of(image: Image.Image) -> tuple[np.ndarray, np.ndarray | None, Colours]:
    """(H, W, C) samples, (H, W) alpha or None, and which colours they are, of a loaded image."""
    if image.mode not in _MODES:
        raise UnsupportedPictureError(f"expected grey or RGB, found colour mode {image.mode}, which isn't coded yet")
    colours, mode = _MODES[image.mode]
    if "transparency" in image.info and image.mode in ("P", "L", "RGB", "1"):
        mode = "LA" if colours == "grey" else "RGBA"
    plain = image if image.mode == mode else image.convert(mode)
    samples, alpha = split_alpha(plain, has_alpha=len(plain.getbands()) > CHANNELS[colours])
    return _narrowed(samples), alpha, colours


def _narrowed(samples: np.ndarray) -> np.ndarray:
    """Pillow's 32-bit integers in the type that they came from."""
    if samples.dtype != np.int32:
        return samples
    low, high = int(samples.min()), int(samples.max())
    if low >= 0 and high <= 65535:
        return samples.astype(np.uint16)
    if low >= -32768 and high <= 32767:
        return samples.astype(np.int16)
    if max(-low, high) <= _EXACT_IN_FLOAT:
        return samples.astype(np.float32)
    raise UnsupportedPictureError(f"expected samples of at most 24 bits, found {low} to {high}; keep the original")


def _sample_notes(image: ImageFile.ImageFile, largest: int) -> Notes:
    if largest >= 255 or image.mode in ("P", "PA"):  # a palette's indices aren't samples
        return NO_NOTES
    return changed(f"samples of 0 to {largest} scaled to 0 to 255")
