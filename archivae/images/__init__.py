"""Bytes to pixels and back: files of every common kind, their metadata, and a lossless payload."""

from archivae.images.depth import to_eight_bits
from archivae.images.fitting import fit
from archivae.images.lossless import LosslessCodec, pack_lossless, unpack_lossless
from archivae.images.metadata import Metadata
from archivae.images.picture import DEFAULT_OPTIONS, MAX_PIXELS, READ_WORDS, Picture, ReadOptions, Sequence
from archivae.images.reading import open_picture
from archivae.images.rebuilding import pack_jpeg, unpack_jpeg
from archivae.images.sizes import promised_pixels
from archivae.images.sniffing import PICTURE_ENDINGS, is_picture, picture_ending
from archivae.images.tf_example import encoded_picture
from archivae.images.writing import ENDINGS, OutputFormat, write_picture

__all__ = [
    "DEFAULT_OPTIONS",
    "ENDINGS",
    "MAX_PIXELS",
    "PICTURE_ENDINGS",
    "READ_WORDS",
    "LosslessCodec",
    "Metadata",
    "OutputFormat",
    "Picture",
    "ReadOptions",
    "Sequence",
    "encoded_picture",
    "fit",
    "is_picture",
    "open_picture",
    "pack_jpeg",
    "pack_lossless",
    "picture_ending",
    "promised_pixels",
    "to_eight_bits",
    "unpack_jpeg",
    "unpack_lossless",
    "write_picture",
]
