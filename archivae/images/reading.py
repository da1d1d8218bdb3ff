"""Bytes to pixels. Whatever changes on the way is put into words; what can't be kept whole is refused."""

from __future__ import annotations

from dataclasses import replace

from archivae.errors import DamagedPictureError
from archivae.images.leftovers import with_leftovers
from archivae.images.library_output import library_lines
from archivae.images.notes import said
from archivae.images.picture import DEFAULT_OPTIONS, MAX_PIXELS, Picture, ReadOptions
from archivae.images.pillow import pillow_errors_as
from archivae.images.preparing import assemble
from archivae.images.readers import READERS
from archivae.images.sniffing import sniff

__all__ = ["MAX_PIXELS", "Picture", "open_picture"]


def open_picture(data: bytes, *, max_pixels: int = MAX_PIXELS, options: ReadOptions = DEFAULT_OPTIONS) -> Picture:
    """Decode a whole file of any kind in `archivae.images.readers.READERS`, told by its content.

    Raises:
        DamagedPictureError: no picture, cut short or corrupt.
        PictureTooLargeError: the header promises more than ``max_pixels``, all wished frames counted; nothing was decoded.
        UnsupportedPictureError: a kind not coded yet, an extra that isn't installed, or wishes that can't both be met.
        MemoryError: decoding what the limit allows needs more memory than there is.
    """
    kind = sniff(data)
    with library_lines() as lines, pillow_errors_as(DamagedPictureError, f"decoding {kind}"):
        rasters = with_leftovers(data, kind, READERS[kind](data, options, max_pixels))
        picture = assemble(rasters, kind.lower(), options)
    return replace(picture, notes=picture.notes + said(*lines)) if lines else picture
