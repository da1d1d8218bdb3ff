"""One picture to a file that meets a target: as near to the picture as asked, as small as asked, or without loss."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial

from archivae.bitstream import Coding
from archivae.errors import TargetError
from archivae.images.notes import said
from archivae.operations.codec import Codec, Pixels, without_effort
from archivae.operations.fallbacks import PSNR_FLOOR, fallback_may_win, keep_best, keep_exact, smallest_exact
from archivae.operations.goals import Nearness, Smallness, nearness, smallness
from archivae.operations.learned import decode_again, learned_files
from archivae.operations.quality import psnr
from archivae.operations.rate import Distortion, Lossless, Size
from archivae.operations.search import TOP, Curve, Found, Goal, search
from archivae.operations.source import Encoded, Source


def encode_to_target(
    source: Source, codec: Codec, target: Distortion | Size | Lossless, fallbacks: bool = True
) -> Encoded:
    """The file, verified, with the quality that was chosen and the encodes that took.

    What no quality gives is stored losslessly, or is a TargetError where that is too large or, without ``fallbacks``,
    not wanted. Whatever loses nothing and fits is taken before anything learned.
    """
    if isinstance(target, Lossless):
        return keep_exact(source, smallest_exact(source, rebuild=True))
    if isinstance(target, Distortion):
        return _near_enough(source, codec, nearness(target, source), fallbacks)
    return _small_enough(source, codec, smallness(target, source), fallbacks)


@dataclass(frozen=True)
class _Try:
    """A learned file of one quality; ``value`` is what the target measures, ``decoded`` the picture where that took it."""

    data: bytes
    quality: int
    value: float
    decoded: Pixels | None = None


def _search(attempt: Callable[[Codec, int], _Try], codec: Codec, goal: Goal, typical: Curve) -> Found[_Try]:
    """Search without effort first, for that is quick; what is found there is where the search with effort begins."""
    plain = without_effort(codec)
    found = search(partial(attempt, plain), goal, typical)
    if codec is plain:
        return found
    near = typical.through(found.best.quality, found.best.value) if math.isfinite(found.best.value) else typical
    hard = search(partial(attempt, codec), goal, near)
    return replace(hard, tries=found.tries + hard.tries)


def _near_enough(source: Source, codec: Codec, asked: Nearness, fallbacks: bool) -> Encoded:
    def attempt(with_codec: Codec, quality: int) -> _Try:
        (data,) = learned_files([source], with_codec, quality)
        (decoded,) = decode_again([source], [data], codec)
        return _Try(data, quality, asked.measure(source.picture.pixels, decoded), decoded)

    found = _search(attempt, codec, asked.goal, asked.typical)
    if not found.met:
        return _out_of_reach(source, asked, found, fallbacks)
    learned = _verified(source, codec, found)
    if found.best.quality == 0 and not asked.goal.is_hit(found.best.value):
        note = f"quality 0 gives {asked.show(found.best.value)}, more than the {asked.show(asked.goal.limit)} asked for"
        learned = replace(learned, notes=learned.notes + said(note))
    return keep_best(source, learned) if fallbacks else learned


def _out_of_reach(source: Source, asked: Nearness, found: Found[_Try], fallbacks: bool) -> Encoded:
    reached, wanted = asked.show(found.best.value), asked.show(asked.goal.limit)
    if not fallbacks:
        raise TargetError(f"expected {wanted}, found {reached} at quality 100: ask for less, or allow fallbacks")
    why = f"quality 100 gives {reached}, less than the {wanted} asked for"
    return replace(keep_exact(source, smallest_exact(source), why), encodes=found.tries)


def _small_enough(source: Source, codec: Codec, asked: Smallness, fallbacks: bool) -> Encoded:
    def attempt(with_codec: Codec, quality: int) -> _Try:
        (data,) = learned_files([source], with_codec, quality)
        return _Try(data, quality, asked.measure(len(data)))

    tried_exact = fallbacks and fallback_may_win(source, asked.most)
    exact = _exact_within(source, asked.most) if tried_exact else None
    if exact:
        return exact
    found = _search(attempt, codec, asked.goal, asked.typical)
    if fallbacks and not tried_exact and (not found.met or found.best.quality == TOP):
        exact = _exact_within(source, asked.most)
    if exact:
        return replace(exact, encodes=found.tries)
    return _within(source, codec, asked, found, fallbacks)


def _exact_within(source: Source, most: int) -> Encoded | None:
    exact = smallest_exact(source)
    return keep_exact(source, exact, f"fits into {most:,} bytes") if len(exact.data) <= most else None


def _within(source: Source, codec: Codec, asked: Smallness, found: Found[_Try], fallbacks: bool) -> Encoded:
    """The learned file. TargetError if it is too large, or too bad to count as the picture."""
    if not found.met:
        raise _too_few(source, asked, len(found.best.data), fallbacks)
    learned = _verified(source, codec, found)
    if fallbacks and learned.psnr < PSNR_FLOOR:
        raise TargetError(
            f"{asked.most:,} bytes give {learned.psnr:.1f} dB, too little to count as the picture "
            f"({PSNR_FLOOR:g} dB): allow more, or ask for lossless"
        )
    return learned


def _too_few(source: Source, asked: Smallness, learned: int, fallbacks: bool) -> TargetError:
    """What to raise where not even the ``learned`` bytes of quality 0 are allowed; it says how many would be enough."""
    exact = len(smallest_exact(source).data) if fallbacks else learned
    enough = f"without loss it takes {exact:,}" if exact < learned else f"quality 0 takes {learned:,}"
    return TargetError(f"expected at most {asked.most:,} bytes, found that {enough}: allow as many")


def _verified(source: Source, codec: Codec, found: Found[_Try]) -> Encoded:
    """The file that was found, decoded unless its try did that."""
    best = found.best
    decoded = best.decoded
    if decoded is None:
        (decoded,) = decode_again([source], [best.data], codec)
    level = psnr(source.picture.pixels, decoded)
    return Encoded(best.data, Coding.LEARNED, level, source.picture.notes, best.quality, found.tries)
