"""Files that lose nothing, for where the codec would lose: lossless coding, or the source's own bytes."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import numpy.typing as npt

from archivae.bitstream import Coding, read_bitstream
from archivae.errors import VerificationError
from archivae.images import pack_lossless
from archivae.operations.codec import Pixels
from archivae.operations.decode import stored_picture
from archivae.operations.source import Encoded, Source, archive_file

SMALL_PIXELS = 64 * 64
"""Below this many pixels lossless coding is always tried."""
FEW_COLOURS = 256
"""With at most this many colours lossless coding is always tried."""
COUNTED_AT_ONCE = 2**20
"""Pixels whose colours are counted together: sorting takes several times their memory."""
PSNR_FLOOR = 15.0
"""A learned file that decodes to less than this, in dB, does not count as the picture."""

_SAID = {Coding.LOSSLESS: "stored losslessly", Coding.ORIGINAL: "source's own bytes stored"}


def keep_best(source: Source, learned: Encoded) -> Encoded:
    """The learned file, or what is smaller and loses nothing."""
    counts = learned.psnr >= PSNR_FLOOR
    if counts and not fallback_may_win(source, len(learned.data)):
        return learned
    exact = smallest_exact(source)
    limit = len(learned.data) - (exact.coding is Coding.ORIGINAL)  # of equals the codec's goes before the source's
    if counts and len(exact.data) > limit:
        return learned
    return replace(keep_exact(source, exact, "smaller so"), quality=learned.quality, encodes=learned.encodes)


def fallback_may_win(source: Source, size: int) -> bool:
    """Whether it is worth trying to do without loss in less than ``size`` bytes."""
    pixels = source.picture.pixels
    small = pixels.shape[0] * pixels.shape[1] < SMALL_PIXELS
    return small or (source.data != b"" and 2 * size > len(source.data)) or _few_colours(pixels)


def smallest_exact(source: Source) -> Encoded:
    """The smaller of a losslessly coded file and one that holds the source's own bytes; not verified."""
    notes = source.picture.notes
    packed = archive_file(source, Coding.LOSSLESS, payload=pack_lossless(source.picture.pixels))
    exact = [Encoded(packed, Coding.LOSSLESS, math.inf, notes)]
    if source.data:
        own = archive_file(source, Coding.ORIGINAL, payload=source.data)
        exact.append(Encoded(own, Coding.ORIGINAL, math.inf, notes))
    return min(exact, key=lambda encoded: len(encoded.data))


def keep_exact(source: Source, exact: Encoded, why: str = "") -> Encoded:
    """``exact``, read back before it counts, with a note that says ``why`` unless that was the wish.

    VerificationError where it is not as it was.
    """
    stream = read_bitstream(exact.data)
    if exact.coding is Coding.ORIGINAL:
        whole = stream.payload == source.data
    else:
        whole = np.array_equal(stored_picture(stream).pixels, source.picture.pixels)
    if not whole:
        raise VerificationError(f"what was just stored ({exact.coding.name.lower()}) does not read back as it was")
    return replace(exact, notes=(*exact.notes, f"{_SAID[exact.coding]}: {why}")) if why else exact


def _few_colours(pixels: Pixels) -> bool:
    flat = pixels.reshape(-1, pixels.shape[2])
    # A coarse sample settles most photographs at once.
    seen = np.unique(_colours(flat[:: max(1, len(flat) // 4096)]))
    for start in range(0, len(flat), COUNTED_AT_ONCE):
        if len(seen) > FEW_COLOURS:
            return False
        seen = np.union1d(seen, _colours(flat[start : start + COUNTED_AT_ONCE]))
    return len(seen) <= FEW_COLOURS


def _colours(flat: Pixels) -> npt.NDArray[np.uint32]:
    """A number for each pixel of (count, channels)."""
    return flat.astype(np.uint32) @ (256 ** np.arange(flat.shape[1], dtype=np.uint32))
