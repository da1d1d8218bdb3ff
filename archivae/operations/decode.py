"""``.avae`` bytes back into a picture."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial

from archivae.bitstream import Bitstream, Coding, read_bitstream
from archivae.bitstream.container import EXIF_TAG, ICC_TAG, XMP_TAG
from archivae.errors import CorruptBitstreamError, UnknownModelError
from archivae.images import MAX_PIXELS, Metadata, OutputFormat, Picture, open_picture, unpack_lossless, write_picture
from archivae.models import PhotoCodec
from archivae.models.photo.grey import from_rgb
from archivae.operations.codec import FindCodec, Pixels, find_shipped_codec, named_codec
from archivae.stopwatch import timed


@dataclass(frozen=True)
class BatchKey:
    """What bitstreams that are decoded together have in common."""

    model_id: bytes
    height: int
    width: int
    quality: int
    tile_side: int


def decode(data: bytes, *, model: str | None = None, accelerator: str = "auto", max_pixels: int = MAX_PIXELS) -> Pixels:
    """The picture in ``.avae`` bytes: (H, W, 1) or (H, W, 3) uint8.

    ``model`` gives a weight file, or a shipped model's name, to decode with; by default the bitstream names its own.
    Raises CorruptBitstreamError for damage, UnsupportedBitstreamError and UnknownModelError for what this release does
    not know, PictureTooLargeError over ``max_pixels``.
    """
    stream = read_bitstream(data, max_pixels=max_pixels)
    find = partial(find_shipped_codec, accelerator=accelerator) if model is None else _only(model, accelerator)
    return decode_stream(stream, find).pixels


def decode_stream(stream: Bitstream, find_codec: FindCodec) -> Picture:
    """The picture of a parsed bitstream."""
    if stream.coding is not Coding.LEARNED:
        return stored_picture(stream)
    return decode_learned([stream], find_codec)[0]


def batch_key(stream: Bitstream) -> BatchKey:
    """Learned bitstreams with equal keys may be decoded in one batch."""
    return BatchKey(stream.model_id, stream.height, stream.width, stream.quality, stream.tile_side)


def decode_learned(streams: Sequence[Bitstream], find_codec: FindCodec) -> list[Picture]:
    """The pictures of learned bitstreams with equal `batch_key`."""
    key = batch_key(streams[0])
    codec = find_codec(key.model_id)
    with timed("model"):
        decoded = codec.decode([s.tiles for s in streams], key.height, key.width, key.quality, key.tile_side)
    return [
        Picture(from_rgb(rgb, stream.channels), "avae", metadata_of(stream), ())
        for rgb, stream in zip(decoded, streams, strict=True)
    ]


def stored_picture(stream: Bitstream) -> Picture:
    """The picture of a bitstream coded losslessly or holding its source's bytes."""
    size = (stream.height, stream.width, stream.channels)
    if stream.coding is Coding.LOSSLESS:
        pixels = unpack_lossless(stream.payload, height=size[0], width=size[1], channels=size[2])
        return Picture(pixels, "avae", metadata_of(stream), ())
    if hashlib.sha256(stream.payload).digest() != stream.source_sha256:
        raise CorruptBitstreamError("the stored original does not have the SHA-256 that the header gives it")
    picture = open_picture(stream.payload, max_pixels=size[0] * size[1])
    if picture.pixels.shape != size:
        raise CorruptBitstreamError(
            f"the header promises a picture of {size}, the stored one has {picture.pixels.shape}"
        )
    return picture


def picture_file(stream: Bitstream, picture: Picture, format: OutputFormat) -> bytes:
    """A file of the decoded picture; the source's own bytes where they were stored and have that format."""
    if stream.coding is Coding.ORIGINAL and picture.format == format:
        return stream.payload
    return write_picture(picture.pixels, format, picture.metadata)


def metadata_of(stream: Bitstream) -> Metadata:
    """EXIF, colour profile and XMP as the bitstream holds them."""
    return Metadata(*(stream.ancillary.get(tag, b"") for tag in (EXIF_TAG, ICC_TAG, XMP_TAG)))


def _only(model: str, accelerator: str) -> FindCodec:
    codec = named_codec(model, accelerator)

    def find(model_id: bytes) -> PhotoCodec:
        if model_id != codec.id:
            raise UnknownModelError(
                f"the bitstream needs model {model_id.hex()}, {model} is {codec.id.hex()}: give the right one"
            )
        return codec

    return find
