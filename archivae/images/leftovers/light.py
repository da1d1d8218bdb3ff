"""What of an OpenEXR or Radiance HDR isn't stored: attributes and header lines."""

from __future__ import annotations

import re
from collections.abc import Iterator

from archivae.images.picture import Rasters
from archivae.images.readers.light import exr_attributes

_STRUCTURAL = {"channels", "compression", "dataWindow", "lineOrder", "tiles", "chunkCount", "version", "type"}
_USUAL = {
    "pixelAspectRatio": b"\x00\x00\x80\x3f",
    "screenWindowCenter": bytes(8),
    "screenWindowWidth": b"\x00\x00\x80\x3f",
}
_LINES = re.compile(rb"\n\n")
_FORMAT = b"FORMAT=32-bit_rle_rgbe"


def exr_leftovers(data: bytes, rasters: Rasters) -> Iterator[str]:
    """Names of what is in no raster."""
    attributes = exr_attributes(data)
    usual = {**_USUAL, "displayWindow": attributes["dataWindow"]}
    for name, value in attributes.items():
        if name not in _STRUCTURAL and usual.get(name) != value:
            yield f"attribute {name}"


def hdr_leftovers(data: bytes, rasters: Rasters) -> Iterator[str]:
    """Names of what is in no raster."""
    head = _LINES.split(data, 1)[0]
    lines = [line for line in head.split(b"\n")[1:] if line.strip() and line.strip() != _FORMAT]
    if lines:
        yield "header lines"
