"""PNG and APNG: 1 to 16 bits, grey, RGB, palette, alpha channel or transparent colour, checksums looked at."""

from __future__ import annotations

import io
from dataclasses import replace

import numpy as np
from PIL import Image, ImageFile

from archivae.errors import DamagedPictureError
from archivae.images.picture import Raster, Rasters, ReadOptions
from archivae.images.readers.colour_numbers import chunk_numbers, taken_as_srgb
from archivae.images.readers.deep import load_deep
from archivae.images.readers.frames import OpenFrame, load, read_frames
from archivae.images.readers.modes import load_raster
from archivae.images.readers.png_chunks import beside, without_texts
from archivae.images.sizes import check_size

_WIDTH, _BIT_DEPTH = 16, 24  # offsets: signature 8, chunk length and name 8, width 4, height 4


def read_png(data: bytes, options: ReadOptions, max_pixels: int) -> Rasters:
    """Samples of 16 bits come whole; those of less than 8 are scaled by Pillow, with a note."""
    width, height = (int.from_bytes(data[at : at + 4], "big") for at in (_WIDTH, _WIDTH + 4))
    check_size(height, width, max_pixels)  # before its checksums are looked at, which takes time
    whole = data
    data, damaged_text = without_texts(whole)
    error = _checksum_error(data)
    broken = damaged_text or (f"{type(error).__name__}: {error}" if error else "")
    if broken and not options.tolerant:
        raise DamagedPictureError(f"decoding PNG failed: {broken}") from error
    bits, head = data[_BIT_DEPTH], data[: data.find(b"IDAT")]
    metadata = beside(whole)

    def to_raster(open_frame: OpenFrame, options: ReadOptions) -> tuple[Raster, str]:
        raster, damage = _to_raster(open_frame, options, bits, animated=b"acTL" in head)
        return taken_as_srgb(replace(raster, metadata=metadata), chunk_numbers(head)), damage

    rasters = read_frames(data, "PNG", options, max_pixels, to_raster)
    return rasters if not broken or rasters.damage else replace(rasters, damage=broken)


def _checksum_error(data: bytes) -> Exception | None:
    """Pillow decodes pixels without looking at checksums: a flipped bit would be archived for good."""
    try:
        Image.open(io.BytesIO(data), formats=["PNG"]).verify()
    except Exception as error:
        return error
    return None


def _to_raster(open_frame: OpenFrame, options: ReadOptions, bits: int, animated: bool) -> tuple[Raster, str]:
    if bits < 16 or animated:  # frames are laid over each other, which bytes apart can't be
        return _scaled_key(open_frame, options, bits)
    deep = load_deep(open_frame, options)
    if deep is None:
        image = open_frame()
        damage = load(image, options.tolerant)
        samples = np.asarray(image).astype(np.uint16)[:, :, None]
    else:
        samples, image, damage = deep
    colour_channels = 3 if samples.shape[2] > 2 else 1
    alpha = samples[:, :, -1] if samples.shape[2] in (2, 4) else _keyed(samples, image)
    return (
        Raster(
            samples[:, :, :colour_channels],
            "rgb" if colour_channels == 3 else "grey",
            largest=65535,
            alpha=alpha,
        ),
        damage,
    )


def _keyed(samples: np.ndarray, image: ImageFile.ImageFile) -> np.ndarray | None:
    """Alpha where one 16-bit colour stands for transparent."""
    key = image.info.get("transparency")
    if key is None:
        return None
    transparent = (samples == np.asarray(key)).all(axis=2)
    return np.where(transparent, 0, 65535).astype(np.uint16)


def _scaled_key(open_frame: OpenFrame, options: ReadOptions, bits: int) -> tuple[Raster, str]:
    """Pillow scales grey of 2 and 4 bits to 8, but not the grey that stands for transparent."""

    def opened() -> ImageFile.ImageFile:
        image = open_frame()
        key = image.info.get("transparency")
        if bits in (2, 4) and image.mode == "L" and isinstance(key, int):
            image.info["transparency"] = key * 255 // (2**bits - 1)
        return image

    largest = 2**bits - 1
    return load_raster(opened, options, bits=bits, largest=largest)
