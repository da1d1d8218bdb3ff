"""JPEG: baseline and progressive, grey, YCbCr, RGB, CMYK and YCCK; 8 bits a sample (ITU-T T.81)."""

from __future__ import annotations

from dataclasses import replace

from archivae.errors import DamagedPictureError, UnsupportedPictureError
from archivae.images.notes import lost
from archivae.images.picture import Raster, Rasters, ReadOptions
from archivae.images.readers.frames import OpenFrame, read_frames
from archivae.images.readers.jpeg_damage import UNCHECKED, damage_of, is_checkable
from archivae.images.readers.jpeg_segments import START_OF_FRAME, Layout, bare, extended_xmp, layout
from archivae.images.readers.modes import load_raster

_LOSSLESS = (0xC3, 0xC7, 0xCB, 0xCF)
_JPEG_LS = 0xF7


def read_jpeg(data: bytes, options: ReadOptions, max_pixels: int) -> Rasters:
    """DamagedPictureError for whatever libjpeg warns of.

    UnsupportedPictureError for 12 bits a sample and for lossless JPEG and JPEG-LS, which Pillow's libjpeg doesn't decode.
    """
    picture = layout(data)
    if any(segment.marker == _JPEG_LS for segment in picture.segments):
        raise UnsupportedPictureError(
            "expected a lossy JPEG, found a JPEG-LS (ITU-T T.87); convert it or keep it aside"
        )
    process, bits = _frame_header(data, picture)
    if bits > 8:
        raise UnsupportedPictureError(f"expected 8 bits a sample, found a {bits}-bit JPEG; convert it or keep it aside")
    if process in _LOSSLESS:
        raise UnsupportedPictureError("expected a lossy JPEG, found a lossless one (T.81 process 14); convert it")

    def to_raster(open_frame: OpenFrame, options: ReadOptions) -> tuple[Raster, str]:
        image = open_frame()
        start = int(getattr(image, "offset", 0))  # of a further picture
        raster, damage = load_raster(lambda: image, options)
        picture = layout(data, start)
        damage = damage or damage_of(data, picture)
        if damage and not options.tolerant:
            raise DamagedPictureError(f"decoding JPEG failed: {damage}; look for another copy, or read it --tolerant")
        if not is_checkable(bare(data, picture)):
            raster = replace(raster, notes=raster.notes + lost(UNCHECKED))
        xmp = extended_xmp(data, picture)
        return (replace(raster, metadata=replace(raster.metadata, xmp=xmp)) if xmp else raster), damage

    return read_frames(data, "JPEG", options, max_pixels, to_raster)


def _frame_header(data: bytes, picture: Layout) -> tuple[int, int]:
    """The marker of the first frame and its bits a sample; (0, 8) if there is none."""
    frame = next((segment for segment in picture.segments if segment.marker in START_OF_FRAME), None)
    return (frame.marker, data[frame.body]) if frame else (0, 8)
