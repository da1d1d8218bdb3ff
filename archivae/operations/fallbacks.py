"""Files that lose nothing, for where the codec would lose: lossless coding, or the source's own bytes."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import numpy.typing as npt

from archivae.bitstream import Coding, read_bitstream
from archivae.bitstream.container import REBUILT_TAG
from archivae.errors import TargetError, VerificationError
from archivae.images import pack_jpeg, pack_lossless
from archivae.images.notes import said
from archivae.operations.chunks import same_samples
from archivae.operations.codec import Pixels
from archivae.operations.decode import own_bytes, stored_picture
from archivae.operations.rate import Lossless, MaxBytes, Rate, TargetBpp
from archivae.operations.source import Encoded, Source, archive_file, own_bytes_notes

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


def smallest_exact(source: Source, rebuild: bool = False) -> Encoded:
    """The smallest of a losslessly coded file and those that hold the source's own bytes; not verified.

    ``rebuild``: a JPEG may be held as the JPEG XL file that rebuilds it, which only a decoder with that library reads.
    """
    picture, exact = source.picture, []
    if picture.own_bytes != "must":
        samples = picture.pixels if picture.deep is None else picture.deep
        packed = archive_file(source, Coding.LOSSLESS, payload=pack_lossless(samples))
        exact.append(Encoded(packed, Coding.LOSSLESS, math.inf, picture.notes))
    if source.data and picture.own_bytes != "never":
        own = archive_file(source, Coding.ORIGINAL, payload=source.data)
        notes = own_bytes_notes(picture)
        exact.append(Encoded(own, Coding.ORIGINAL, math.inf, notes))
        rebuilt = pack_jpeg(source.data) if rebuild and picture.format == "jpeg" else None
        if rebuilt is not None:
            packed = archive_file(source, Coding.ORIGINAL, payload=rebuilt, optional={REBUILT_TAG: b""})
            exact.append(Encoded(packed, Coding.ORIGINAL, math.inf, notes))
    return min(exact, key=lambda encoded: len(encoded.data))


def keep_exact(source: Source, exact: Encoded, why: str = "") -> Encoded:
    """``exact``, read back before it counts, with a note that says ``why`` unless that was the wish.

    VerificationError where it is not as it was.
    """
    stream = read_bitstream(exact.data)
    if exact.coding is Coding.ORIGINAL:
        whole = own_bytes(stream) == source.data
    else:
        whole = same_samples(stored_picture(stream), source.picture)
    if not whole:
        raise VerificationError(f"what was just stored ({exact.coding.name.lower()}) does not read back as it was")
    return replace(exact, notes=exact.notes + said(f"{_SAID[exact.coding]}: {why}")) if why else exact


def keep_exact_within(source: Source, rate: Rate) -> Encoded:
    """A picture that only a file without loss holds. TargetError where that takes more than ``rate`` allows."""
    exact = smallest_exact(source, rebuild=isinstance(rate, Lossless))
    height, width = source.picture.pixels.shape[:2]
    if isinstance(rate, TargetBpp | MaxBytes) and len(exact.data) > rate.most_bytes(height, width):
        raise TargetError(
            f"expected at most {rate.most_bytes(height, width):,} bytes, found that without loss, as its depth or what "
            f"stands beside it asks for, it takes {len(exact.data):,}: allow as many, reduce it to 8 bits, or leave out "
            "--keep-bytes-of"
        )
    return keep_exact(source, exact)


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
