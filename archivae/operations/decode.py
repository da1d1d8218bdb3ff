"""``.avae`` bytes back into a picture."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial

import numpy as np

from archivae.bitstream import Bitstream, Coding, read_bitstream
from archivae.bitstream.container import REBUILT_TAG
from archivae.errors import CorruptBitstreamError, UnknownModelError
from archivae.images import (
    MAX_PIXELS,
    OutputFormat,
    Picture,
    ReadOptions,
    fit,
    open_picture,
    to_eight_bits,
    unpack_jpeg,
    unpack_lossless,
    write_picture,
)
from archivae.images import Sequence as FrameSequence
from archivae.images.notes import NO_NOTES, Notes
from archivae.models.photo.grey import from_rgb
from archivae.operations.chunks import alpha_of, deep_of, frame_count, frames_chunk, metadata_of
from archivae.operations.codec import Codec, FindCodec, find_shipped_codec, named_codec
from archivae.stopwatch import timed


@dataclass(frozen=True)
class BatchKey:
    """What bitstreams that are decoded together have in common."""

    model_id: bytes
    height: int
    width: int
    quality: int
    tile_side: int


def decode(
    data: bytes, *, model: str | None = None, accelerator: str = "auto", max_pixels: int = MAX_PIXELS
) -> np.ndarray:
    """The picture in ``.avae`` bytes: (H, W, C), C being 1 grey, 2 grey and alpha, 3 RGB, 4 RGB and alpha; the first frame.

    uint8 in sRGB, or uint16, int16 or float32 as stored where the depth was kept.
    ``model`` gives a weight file, or a shipped model's name, to decode with; by default the bitstream names its own.
    Raises CorruptBitstreamError for damage, UnsupportedBitstreamError and UnknownModelError for what this release does
    not know, PictureTooLargeError over ``max_pixels``.
    """
    stream = read_bitstream(data, max_pixels=max_pixels)
    find = partial(find_shipped_codec, accelerator=accelerator) if model is None else _only(model, accelerator)
    return as_array(decode_first(stream, find))


def decode_first(stream: Bitstream, find_codec: FindCodec) -> Picture:
    """The first frame of a parsed bitstream."""
    if stream.coding is not Coding.LEARNED:
        return stored_picture(stream)
    return decode_learned([stream], find_codec)[0]


def decode_stream(stream: Bitstream, find_codec: FindCodec, max_pixels: int = MAX_PIXELS) -> Picture:
    """The picture of a parsed bitstream, with all its frames, which have ``max_pixels`` together at most."""
    return with_frames(decode_first(stream, find_codec), stream, find_codec, max_pixels)


def as_array(picture: Picture) -> np.ndarray:
    """(H, W, C) in the picture's own depth, alpha as the last channel; the first frame."""
    samples = picture.pixels if picture.deep is None else picture.deep
    return samples if picture.alpha is None else np.dstack([samples, picture.alpha])


def with_frames(first: Picture, stream: Bitstream, find_codec: FindCodec, max_pixels: int = MAX_PIXELS) -> Picture:
    """``first`` with the frames after it, decoded one by one; as it is where the bitstream has none."""
    chunk = frames_chunk(stream)
    if chunk is None or not chunk.files:
        return first
    left = max_pixels - stream.height * stream.width
    rest = []
    for data in chunk.files:
        frame = read_bitstream(data, max_pixels=max(left, 0))
        if frames_chunk(frame) is not None:
            raise CorruptBitstreamError("a frame has frames of its own")
        left -= frame.height * frame.width
        rest.append(decode_first(frame, find_codec))
    return replace(first, sequence=FrameSequence(tuple(rest), chunk.milliseconds, chunk.loops))


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
        Picture(from_rgb(rgb, stream.channels), "avae", metadata_of(stream), NO_NOTES, alpha=alpha_of(stream))
        for rgb, stream in zip(decoded, streams, strict=True)
    ]


def stored_picture(stream: Bitstream) -> Picture:
    """The picture of a bitstream coded losslessly or holding its source's bytes, which has all frames in it."""
    size = (stream.height, stream.width, stream.channels)
    if stream.coding is Coding.LOSSLESS:
        deep = deep_of(stream)
        dtype = np.dtype(np.uint8) if deep is None else deep.dtype
        samples = unpack_lossless(stream.payload, height=size[0], width=size[1], channels=size[2], dtype=dtype)
        plain = Picture(samples, "avae", metadata_of(stream), NO_NOTES, alpha=alpha_of(stream))
        if deep is None:
            return plain
        pixels, _ = to_eight_bits(samples, deep.largest)
        return replace(plain, pixels=pixels, deep=samples, largest=deep.largest)
    picture = _open_original(stream)
    if picture.pixels.shape != size:
        raise CorruptBitstreamError(
            f"the header promises a picture of {size}, the stored one has {picture.pixels.shape}"
        )
    return picture


def own_bytes(stream: Bitstream) -> bytes:
    """The source's own bytes, of a bitstream that holds them. CorruptBitstreamError where they aren't the source's."""
    data = unpack_jpeg(stream.payload) if REBUILT_TAG in stream.optional else stream.payload
    if hashlib.sha256(data).digest() != stream.source_sha256:
        raise CorruptBitstreamError("the stored original does not have the SHA-256 that the header gives it")
    return data


def picture_file(stream: Bitstream, picture: Picture, format: OutputFormat, restore_profile: bool = False) -> bytes:
    """A file of the decoded picture; the source's own bytes where they were stored and have that format."""
    if is_own(stream, picture, format):
        return own_bytes(stream)
    return write_picture(fit(picture, format, restore_profile), format)


def notes_on_writing(stream: Bitstream, picture: Picture, format: OutputFormat, restore_profile: bool = False) -> Notes:
    """What is to be said of the file that `picture_file` gives."""
    return picture.notes if is_own(stream, picture, format) else fit(picture, format, restore_profile).notes


def is_own(stream: Bitstream, picture: Picture, format: OutputFormat) -> bool:
    """Whether the source's own bytes are what was asked for."""
    return stream.coding is Coding.ORIGINAL and picture.format == format


def _open_original(stream: Bitstream) -> Picture:
    frames = frame_count(stream)
    options = ReadOptions(
        depth="8" if deep_of(stream) is None else "keep", frames="first" if frames == 1 else "all", keep_dicom_tags=True
    )
    largest_page = stream.height * stream.width  # a later page may be larger: its own header is judged by the default
    return open_picture(own_bytes(stream), max_pixels=largest_page if frames == 1 else MAX_PIXELS, options=options)


def _only(model: str, accelerator: str) -> FindCodec:
    codec = named_codec(model, accelerator)

    def find(model_id: bytes) -> Codec:
        if model_id != codec.id:
            raise UnknownModelError(
                f"the bitstream needs model {model_id.hex()}, {model} is {codec.id.hex()}: give the right one"
            )
        return codec

    return find
