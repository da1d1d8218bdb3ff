"""What may be asked of each picture's file: a quality, how near it comes to the picture, or how small it is."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from archivae.bitstream.container import QUALITY_MAX, QUALITY_STEP
from archivae.errors import UsageError

DEFAULT_QUALITY = 60.0


@dataclass(frozen=True)
class Quality:
    """The same quality for every picture, 0 to 100."""

    quality: float = DEFAULT_QUALITY

    def __post_init__(self) -> None:
        fixed_quality(self.quality)

    @property
    def steps(self) -> int:
        """In steps of 1/256, as the bitstream holds it."""
        return fixed_quality(self.quality)

    def asked(self) -> dict[str, Any]:
        return {"quality": self.steps / QUALITY_STEP}


@dataclass(frozen=True)
class TargetPsnr:
    """At least so many dB of PSNR, and hardly more."""

    db: float

    def __post_init__(self) -> None:
        _check(0 < self.db < math.inf, "a PSNR is asked for in dB above 0", self.db)

    def asked(self) -> dict[str, Any]:
        return {"target_psnr": self.db}


@dataclass(frozen=True)
class TargetSsim:
    """At least this MS-SSIM, and hardly more."""

    ms_ssim: float

    def __post_init__(self) -> None:
        _check(0 < self.ms_ssim < 1, "an MS-SSIM is asked for between 0 and 1 (1 is lossless)", self.ms_ssim)

    def asked(self) -> dict[str, Any]:
        return {"target_ssim": self.ms_ssim}


@dataclass(frozen=True)
class TargetSsimulacra2:
    """At least this SSIMULACRA 2 score, and hardly more."""

    score: float

    def __post_init__(self) -> None:
        _check(0 < self.score < 100, "a SSIMULACRA 2 is asked for between 0 and 100 (100 is lossless)", self.score)

    def asked(self) -> dict[str, Any]:
        return {"target_ssimulacra2": self.score}


@dataclass(frozen=True)
class TargetBpp:
    """At most so many bits a pixel, every byte of the file counted, and hardly fewer."""

    bits: float

    def __post_init__(self) -> None:
        _check(0 < self.bits < math.inf, "bits per pixel must be above 0", self.bits)

    def asked(self) -> dict[str, Any]:
        return {"target_bpp": self.bits}

    def most_bytes(self, height: int, width: int) -> int:
        """What a picture of that size may have."""
        return math.floor(self.bits * height * width / 8)


@dataclass(frozen=True)
class MaxBytes:
    """At most so many bytes a file, and hardly fewer."""

    count: int

    def __post_init__(self) -> None:
        _check(self.count >= 1, "a file has at least 1 byte", self.count)

    def asked(self) -> dict[str, Any]:
        return {"max_bytes": self.count}

    def most_bytes(self, height: int, width: int) -> int:
        """The same for every size."""
        return self.count


@dataclass(frozen=True)
class Lossless:
    """The very pixels back, in as few bytes as that takes."""

    def asked(self) -> dict[str, Any]:
        return {"lossless": True}


Distortion = TargetPsnr | TargetSsim | TargetSsimulacra2
Size = TargetBpp | MaxBytes
Rate = Quality | Distortion | Size | Lossless
"""``asked()`` gives it as the keyword that `pick_rate`, `archivae.encode` and `EncodeImages` take."""

_RATES: Mapping[str, Callable[[Any], Rate]] = {
    "quality": Quality,
    "target_psnr": TargetPsnr,
    "target_ssim": TargetSsim,
    "target_ssimulacra2": TargetSsimulacra2,
    "target_bpp": TargetBpp,
    "max_bytes": MaxBytes,
    "lossless": lambda _: Lossless(),
}
RATE_WORDS = tuple(_RATES)


def pick_rate(**asked: float | None) -> Rate:
    """The one thing asked for among `RATE_WORDS`, None and False aside; quality 60 if nothing is.

    UsageError where two are asked for at once, or a value is out of range.

    >>> pick_rate(quality=None, target_psnr=38), pick_rate(lossless=False)
    (TargetPsnr(db=38), Quality(quality=60.0))
    """
    given = {word: value for word, value in asked.items() if value is not None and value is not False}
    if len(given) > 1:
        raise UsageError(f"expected one of {', '.join(RATE_WORDS)}, found {' and '.join(given)} at once: choose one")
    return next((_RATES[word](value) for word, value in given.items()), Quality())


def fixed_quality(quality: float) -> int:
    """Quality in steps of 1/256. UsageError unless within 0 to 100.

    >>> fixed_quality(50)
    12800
    """
    if not 0 <= quality <= QUALITY_MAX:
        raise UsageError(f"quality goes from 0 to {QUALITY_MAX}, found {quality}")
    return round(quality * QUALITY_STEP)


def _check(good: bool, rule: str, found: float) -> None:
    if not good:
        raise UsageError(f"{rule}, found {found}")
