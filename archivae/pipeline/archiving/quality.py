"""Is an archived picture as good as the policy wants it? Measured against the original, whatever is written about it."""

from __future__ import annotations

import math
from collections.abc import Callable, Collection

from archivae.bitstream import Bitstream, Coding
from archivae.errors import TargetError
from archivae.images import Picture
from archivae.operations.codec import Codec, Pixels
from archivae.operations.compare import level_of
from archivae.operations.encode import encode_at
from archivae.operations.quality import ms_ssim
from archivae.operations.rate import Lossless, Quality, Rate, TargetPsnr, TargetSsim
from archivae.operations.source import Source
from archivae.operations.typical import ms_ssim_db

LOST_DB = 0.1
"""How much less than was measured while encoding another kind of processor may see; what was measured is 0.02 dB."""
_ENCODED_AGAIN_DB = 0.2
"""How much less than a new encode gives another kind of processor's file may have, which is not the same file."""
_MANY_PIXELS = 128 * 128
"""In smaller pictures less is averaged out, and twice as much comes of a quarter of the pixels: 0.6 dB were seen in 32x32."""


def shortfall(
    stream: Bitstream,
    original: Picture,
    decoded: Picture,
    level: float,
    rate: Rate,
    find_codec: Callable[[bytes], Codec],
    models: Collection[bytes],
) -> str:
    """In what a picture falls short of ``rate``, in words; empty if in nothing.

    ``level``: its PSNR in dB. A quality, and a size, are held to what the original gives when it is encoded again, by the
    model that the archive carries. ``models``: the ids of those that the policy allows.
    """
    if level == math.inf or stream.coding is not Coding.LEARNED:
        return "" if level == math.inf else "it was stored without loss, and is not what was stored"
    if stream.model_id not in models:
        return f"it was encoded by the model {stream.model_id.hex()}, which is neither the policy's nor a shipped one"
    if isinstance(rate, Lossless):
        return "it was stored with loss"
    if isinstance(rate, TargetPsnr):
        return _below(level, rate.db - LOST_DB)
    if isinstance(rate, TargetSsim):
        return _below(level_of(original, decoded, _ms_ssim_level), ms_ssim_db(rate.ms_ssim) - LOST_DB)
    if isinstance(rate, Quality) and stream.quality < rate.steps:
        return f"it was encoded at the quality {stream.quality / 256:g}, the policy's is {rate.quality:g}"
    try:
        (again,) = encode_at([Source(original, b"")], find_codec(stream.model_id), rate, fallbacks=False)
    except TargetError as error:
        return str(error)
    height, width = original.pixels.shape[:2]
    return _below(level, again.psnr - _ENCODED_AGAIN_DB * max(1.0, math.sqrt(_MANY_PIXELS / (height * width))))


def _below(level: float, wanted: float) -> str:
    return "" if level >= wanted else f"it comes as near as {level:.2f} dB, the policy's quality takes {wanted:.2f}"


def _ms_ssim_level(original: Pixels, decoded: Pixels) -> float:
    return ms_ssim_db(ms_ssim(original, decoded))
