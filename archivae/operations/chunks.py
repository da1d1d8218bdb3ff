"""What a picture has beside its pixels, to chunks of the bitstream and back: metadata, transparency, depth, frames."""

from __future__ import annotations

import struct
from typing import NamedTuple

import numpy as np

from archivae.bitstream import Bitstream, FramesChunk, unpack_frames
from archivae.bitstream.container import (
    ALPHA_TAG,
    DEEP_TAG,
    EXIF_TAG,
    FRAMES_TAG,
    ICC_TAG,
    IPTC_TAG,
    SOURCE_ICC_TAG,
    XMP_TAG,
    check,
)
from archivae.errors import UnsupportedBitstreamError, VerificationError
from archivae.images import Metadata, Picture, pack_lossless, unpack_lossless

_METADATA_TAGS = {"exif": EXIF_TAG, "icc": ICC_TAG, "xmp": XMP_TAG, "iptc": IPTC_TAG, "source_icc": SOURCE_ICC_TAG}
_DEEP = struct.Struct("<BH")
_DEEP_TYPES: dict[int, np.dtype] = {1: np.dtype(np.uint16), 2: np.dtype(np.int16), 3: np.dtype(np.float32)}


class Deep(NamedTuple):
    """The type of a picture's samples, and the sample that means full where they are unsigned."""

    dtype: np.dtype
    largest: int


def ancillary_chunks(metadata: Metadata) -> dict[bytes, bytes]:
    """The chunks of what metadata there is."""
    return {tag: data for name, tag in _METADATA_TAGS.items() if (data := getattr(metadata, name))}


def metadata_of(stream: Bitstream) -> Metadata:
    """Metadata as the bitstream holds it."""
    return Metadata(**{name: stream.ancillary.get(tag, b"") for name, tag in _METADATA_TAGS.items()})


def alpha_chunk(picture: Picture) -> dict[bytes, bytes]:
    """The chunk of the alpha plane, read back before it counts; none for an opaque picture."""
    if picture.alpha is None:
        return {}
    plane = picture.alpha[:, :, None]
    packed = pack_lossless(plane)
    back = unpack_lossless(packed, height=len(plane), width=plane.shape[1], channels=1, dtype=plane.dtype)
    if not _same_bits(back, plane):
        raise VerificationError("the transparency just packed does not read back as it was")
    return {ALPHA_TAG: packed}


def alpha_of(stream: Bitstream) -> np.ndarray | None:
    """(H, W); None for an opaque picture."""
    packed = stream.optional.get(ALPHA_TAG)
    if packed is None:
        return None
    deep = deep_of(stream)
    dtype = np.dtype(np.uint8) if deep is None else deep.dtype
    return unpack_lossless(packed, height=stream.height, width=stream.width, channels=1, dtype=dtype)[:, :, 0]


def deep_chunk(picture: Picture) -> dict[bytes, bytes]:
    """The chunk that tells the depth of samples beyond 8 bits; none for 8."""
    if picture.deep is None:
        return {}
    number = next(number for number, dtype in _DEEP_TYPES.items() if dtype == picture.deep.dtype)
    return {DEEP_TAG: _DEEP.pack(number, picture.largest if number == 1 else 0)}


def deep_of(stream: Bitstream) -> Deep | None:
    """What DEEP tells; None for 8 bits. UnsupportedBitstreamError for a type of the future."""
    body = stream.optional.get(DEEP_TAG)
    if body is None:
        return None
    check(len(body) == _DEEP.size, f"a DEEP chunk of {len(body)} bytes")
    number, largest = _DEEP.unpack(body)
    if number not in _DEEP_TYPES:
        raise UnsupportedBitstreamError(f"samples of type {number} are unknown to this release: install a newer one")
    check((number == 1) == (largest > 0), f"a largest sample of {largest}")
    return Deep(_DEEP_TYPES[number], largest)


def frames_chunk(stream: Bitstream) -> FramesChunk | None:
    """The frames after the first; None for a still picture."""
    body = stream.optional.get(FRAMES_TAG)
    return None if body is None else unpack_frames(body)


def frame_count(stream: Bitstream) -> int:
    """All frames, the first included."""
    chunk = frames_chunk(stream)
    return 1 if chunk is None else len(chunk.milliseconds)


def same_samples(one: Picture, other: Picture) -> bool:
    """Whether two pictures have equal samples and transparency, bit for bit; frames after the first aside."""
    pairs = ((one.pixels, other.pixels), (one.deep, other.deep), (one.alpha, other.alpha))
    return all(a is b or (a is not None and b is not None and _same_bits(a, b)) for a, b in pairs)


def _same_bits(a: np.ndarray, b: np.ndarray) -> bool:
    """Equal even where floats are no numbers."""
    unsigned = np.dtype(f"u{a.dtype.itemsize}")
    return a.dtype == b.dtype and np.array_equal(
        np.ascontiguousarray(a).view(unsigned), np.ascontiguousarray(b).view(unsigned)
    )
