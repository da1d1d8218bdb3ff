"""Files of classic codecs that are as near to a picture as ours is: only those are fair to time beside it."""

from __future__ import annotations

from bisect import bisect_left
from functools import cache
from typing import NamedTuple

from archivae.evaluation.codecs import Codec
from archivae.operations.quality import psnr
from benchmarks.pictures import Pixels

SETTINGS = range(101)


class Match(NamedTuple):
    """A codec's file of a picture; ``psnr`` in dB."""

    setting: int
    data: bytes
    psnr: float


def matched(codec: Codec, pixels: Pixels, wanted: float) -> Match:
    """The file whose PSNR is nearest to ``wanted``, in dB, among the two settings around it; PSNR rises with them."""

    @cache
    def at(setting: int) -> Match:
        data = codec.encode(pixels, setting)
        return Match(setting, data, psnr(pixels, codec.decode(data)))

    above = bisect_left(SETTINGS, wanted, key=lambda setting: at(setting).psnr)
    around = {min(max(setting, SETTINGS[0]), SETTINGS[-1]) for setting in (above - 1, above)}
    return min((at(setting) for setting in sorted(around)), key=lambda match: abs(match.psnr - wanted))
