"""Bytes to pixels and back: files of every common kind, their metadata, and a lossless payload."""

from archivae.images.lossless import LosslessCodec, pack_lossless, unpack_lossless
from archivae.images.metadata import Metadata
from archivae.images.reading import MAX_PIXELS, Picture, open_picture
from archivae.images.sniffing import PICTURE_ENDINGS, is_picture, picture_ending
from archivae.images.writing import ENDINGS, OutputFormat, write_picture

__all__ = [
    "ENDINGS",
    "MAX_PIXELS",
    "PICTURE_ENDINGS",
    "LosslessCodec",
    "Metadata",
    "OutputFormat",
    "Picture",
    "is_picture",
    "open_picture",
    "pack_lossless",
    "picture_ending",
    "unpack_lossless",
    "write_picture",
]
