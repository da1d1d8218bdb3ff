"""An original held against what its ``.avae`` file decodes to, long after it was encoded."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace
from functools import lru_cache

from archivae.bitstream import Bitstream, Coding
from archivae.errors import UsageError, VerificationError
from archivae.images import MAX_PIXELS, READ_WORDS, Picture, ReadOptions, open_picture
from archivae.operations.chunks import same_samples
from archivae.operations.codec import Pixels
from archivae.operations.decode import own_bytes
from archivae.operations.encode import options_for
from archivae.operations.quality import psnr
from archivae.operations.rate import RATE_WORDS, pick_rate
from archivae.untrusted import load_json, shown


def level_against(original: bytes, options: str, stream: Bitstream, decoded: Picture) -> float:
    """The PSNR in dB, of the worst frame, of what ``stream`` decoded to; infinite where nothing was lost.

    ``original``: the file it was made of. ``options``: of the job that made it, as its row in the manifest has them.
    VerificationError where anything but the pixels differs: bytes kept as they were, sizes, frames and their times,
    metadata, transparency, samples of over 8 bits.
    """
    if stream.coding is Coding.ORIGINAL:
        if own_bytes(stream) != original:
            raise VerificationError("it does not hold the bytes of its original")
        return math.inf
    return level_of(open_as(original, reading_of(options)), decoded)


def open_as(original: bytes, options: ReadOptions) -> Picture:
    """The picture in the file that an archive holds, however large it is."""
    return open_picture(original, max_pixels=MAX_PIXELS, options=options)


def level_of(original: Picture, decoded: Picture, measure: Callable[[Pixels, Pixels], float] = psnr) -> float:
    """``measure`` of the worst frame; VerificationError as `level_against`."""
    if _times(original) != _times(decoded):
        raise VerificationError("its frames are not those of the original")
    return min(_frame_level(*pair, measure) for pair in zip(original.frames, decoded.frames, strict=True))


@lru_cache
def reading_of(options: str) -> ReadOptions:
    """How a job with these options read its pictures. VerificationError for options that no job has."""
    try:
        asked = load_json(options)
        rate = pick_rate(**{word: asked[word] for word in RATE_WORDS if word in asked})
        return options_for(rate, ReadOptions(**{word: asked[word] for word in READ_WORDS if word in asked}))
    except (UsageError, TypeError, ValueError) as error:
        raise VerificationError(
            f"expected the options of a job in the manifest, found others ({shown(error)})"
        ) from error


def _times(picture: Picture) -> tuple[tuple[int, ...], int]:
    sequence = picture.sequence
    return ((0,), 0) if sequence is None else (sequence.milliseconds, sequence.loops)


def _frame_level(original: Picture, decoded: Picture, measure: Callable[[Pixels, Pixels], float]) -> float:
    if original.pixels.shape != decoded.pixels.shape:
        raise VerificationError(f"it decodes to {decoded.pixels.shape}, its original is {original.pixels.shape}")
    if original.metadata != decoded.metadata:
        raise VerificationError("it does not hold the metadata of its original")
    if not same_samples(replace(original, pixels=decoded.pixels), decoded):
        raise VerificationError("its transparency, or its samples of over 8 bits, are not those of its original")
    return measure(original.pixels, decoded.pixels)
