"""Pictures of light in float, OpenEXR and Radiance HDR, through tensorflow-io; sizes from their headers, before."""

from __future__ import annotations

import re
import struct

from archivae.errors import DamagedPictureError, UnsupportedPictureError
from archivae.images.notes import lost
from archivae.images.picture import Raster, Rasters, ReadOptions
from archivae.images.readers.tensorflow_io import decode
from archivae.images.sizes import check_size

_RESOLUTION = re.compile(rb"\n\n[-+]([XY]) (\d+) [-+]([XY]) (\d+)\n")
_EXR_ATTRIBUTES = 8  # offset: magic and version before
_EXR_SCALARS = ("Y", "Z", "R")


def read_hdr(data: bytes, options: ReadOptions, max_pixels: int) -> Rasters:
    """Radiance RGBE: float32 RGB."""
    header = _RESOLUTION.search(data)
    if header is None:
        raise DamagedPictureError("expected a resolution after the header of a Radiance HDR file, found none")
    check_size(int(header[2]), int(header[4]), max_pixels)
    samples = decode("hdr", data, None, "a Radiance HDR file")
    return Rasters(Raster(samples, "rgb", linear=True))


def read_exr(data: bytes, options: ReadOptions, max_pixels: int) -> Rasters:
    """OpenEXR with channels R, G, B, or Y alone, and perhaps A: float32. Other channels are named as not kept."""
    attributes = exr_attributes(data)
    left, top, right, bottom = struct.unpack("<4i", attributes["dataWindow"])
    check_size(bottom - top + 1, right - left + 1, max_pixels)
    names = _channel_names(attributes["channels"])
    colours = ["R", "G", "B"] if {"R", "G", "B"} <= names else [n for n in _EXR_SCALARS if n in names][:1]
    if not colours:
        raise UnsupportedPictureError(f"expected channels R, G, B or Y, found {', '.join(sorted(names))}")
    others = sorted(names - {*colours, "A"})
    planes = decode("exr", data, [*colours, *(["A"] if "A" in names else [])], "an OpenEXR file")
    samples, alpha = planes[:, :, : len(colours)], planes[:, :, len(colours)] if "A" in names else None
    notes = lost(*(f"channel {name}" for name in others))
    return Rasters(Raster(samples, "grey" if len(colours) == 1 else "rgb", linear=True, alpha=alpha, notes=notes))


def exr_attributes(data: bytes) -> dict[str, bytes]:
    """The header's attributes by name; DamagedPictureError where the header ends too soon."""
    attributes, at = {}, _EXR_ATTRIBUTES
    try:
        while data[at]:
            name_end = data.index(b"\x00", at)
            type_end = data.index(b"\x00", name_end + 1)
            (size,) = struct.unpack_from("<I", data, type_end + 1)
            start = type_end + 5
            attributes[data[at:name_end].decode("latin-1")] = data[start : start + size]
            at = start + size
    except (IndexError, ValueError, struct.error) as error:
        raise DamagedPictureError("expected an OpenEXR header, found the file's end; it is cut short") from error
    if len(attributes.get("dataWindow", b"")) != 16 or "channels" not in attributes:
        raise DamagedPictureError(f"expected channels and a dataWindow, found attributes {sorted(attributes)}")
    return attributes


def _channel_names(channels: bytes) -> set[str]:
    names, at = set(), 0
    while at < len(channels) and channels[at]:
        end = channels.index(b"\x00", at)
        names.add(channels[at:end].decode("latin-1"))
        at = end + 1 + 16  # type, linearity, sampling
    return names
