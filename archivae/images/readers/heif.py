"""HEIC and other HEIF, which need a plugin of Pillow (archivae[heic])."""

from __future__ import annotations

from dataclasses import replace

from archivae.images.picture import Raster, Rasters, ReadOptions
from archivae.images.readers.aperture import lost_outside
from archivae.images.readers.colour_numbers import boxed_numbers, taken_as_srgb
from archivae.images.readers.extras import import_extra
from archivae.images.readers.frames import OpenFrame, read_frames
from archivae.images.readers.modes import load_raster


def read_heif(data: bytes, options: ReadOptions, max_pixels: int) -> Rasters:
    """libheif turns pictures upright, and gives deeper samples in 8 bits; colours as in AVIF."""
    import_extra("pillow_heif", "heic", "a HEIC file").register_heif_opener()

    def to_raster(open_frame: OpenFrame, options: ReadOptions) -> tuple[Raster, str]:
        image = open_frame()
        bits = int(image.info.get("bit_depth", 8))
        turned = int(image.info.get("original_orientation") or 1)
        raster, damage = load_raster(lambda: image, options, bits=bits, largest=2**bits - 1, upright=True)
        notes = raster.notes + lost_outside(data)  # libheif has cropped it
        return taken_as_srgb(replace(raster, turned=turned, notes=notes), boxed_numbers(data)), damage

    return read_frames(data, "HEIF", options, max_pixels, to_raster)
