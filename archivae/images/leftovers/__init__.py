"""What stands beside the pixels of a file and is kept in no form, by name.

Found by allow-list: each part of a file that isn't known to be in its rasters, or to say only how this file is built, is lost.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterator
from dataclasses import replace

from archivae.images.leftovers.bmp import bmp_leftovers, bmp_resolution
from archivae.images.leftovers.gif import gif_leftovers
from archivae.images.leftovers.heif import heif_leftovers
from archivae.images.leftovers.jpeg import jpeg_leftovers, jpeg_resolution
from archivae.images.leftovers.light import exr_leftovers, hdr_leftovers
from archivae.images.leftovers.netpbm import netpbm_leftovers
from archivae.images.leftovers.png import png_leftovers, png_resolution
from archivae.images.leftovers.webp import webp_leftovers
from archivae.images.notes import lost
from archivae.images.picture import Rasters
from archivae.images.resolution import Resolution, exif_resolution, with_resolution

Leftovers = Callable[[bytes, Rasters], Iterator[str]]


def _named_by_reader(data: bytes, rasters: Rasters) -> Iterator[str]:
    """Of formats whose readers look into every part of a file themselves."""
    return iter(())


LEFTOVERS: dict[str, Leftovers] = {
    "JPEG": jpeg_leftovers,
    "PNG": png_leftovers,
    "WEBP": webp_leftovers,
    "AVIF": heif_leftovers,
    "GIF": gif_leftovers,
    "TIFF": _named_by_reader,
    "BMP": bmp_leftovers,
    "PPM": netpbm_leftovers,
    "JPEG2000": _named_by_reader,
    "JPEG XL": _named_by_reader,
    "HEIF": heif_leftovers,
    "DICOM": _named_by_reader,
    "OpenEXR": exr_leftovers,
    "Radiance HDR": hdr_leftovers,
}
"""By the names that `archivae.images.sniffing.sniff` gives."""

_RESOLUTIONS: dict[str, Callable[[bytes], Resolution | None]] = {
    "JPEG": jpeg_resolution,
    "PNG": png_resolution,
    "BMP": bmp_resolution,
}
"""What a format says of its size beside EXIF."""


def _names(data: bytes, kind: str, rasters: Rasters) -> list[str]:
    """What is lost, as far as a damaged file can be looked through."""
    names = []
    try:
        for name in LEFTOVERS[kind](data, rasters):
            names.append(name)
    except (struct.error, IndexError, KeyError, ValueError):
        names.append("whatever else stands beside the pixels, which is damaged")
    return names


def with_leftovers(data: bytes, kind: str, rasters: Rasters) -> Rasters:
    """``rasters``, the first with notes of what of the file is in none, and with its resolution in EXIF."""
    names = _names(data, kind, rasters)
    metadata = rasters.first.metadata
    told = _RESOLUTIONS[kind](data) if kind in _RESOLUTIONS else None
    if told is not None:
        metadata = replace(metadata, exif=with_resolution(metadata.exif, told))
        if exif_resolution(metadata.exif) is None:
            names.append(f"resolution of {told}")
    return replace(rasters, first=replace(rasters.first, metadata=metadata, notes=lost(*names) + rasters.first.notes))
