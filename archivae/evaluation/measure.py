"""One file, measured: bytes, nearness, seconds. And the means over pictures that curves are made of."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from archivae.errors import VerificationError
from archivae.evaluation.codecs import Codec
from archivae.operations.quality import has_ssimulacra2, ms_ssim, psnr, ssimulacra2


@dataclass(frozen=True, slots=True)
class Measurement:
    """One picture through one codec at one setting.

    Attributes:
        bytes: of the whole file; bpp: its bits per pixel.
        psnr: dB, in RGB; infinite if nothing was lost.
        ms_ssim: at most 1, in RGB; NaN for a short side under 161.
        ssimulacra2: at most 100; NaN where it is not installed, or for a short side under 8.
        encode_seconds, decode_seconds: wall time of the one call, an ``.avae`` file's own verification included.
        fallback: whether an archive would have stored the picture another way; None where there is no other.
    """

    picture: str
    codec: str
    setting: float
    bytes: int
    bpp: float
    psnr: float
    ms_ssim: float
    encode_seconds: float
    decode_seconds: float
    fallback: bool | None
    ssimulacra2: float = math.nan


@dataclass(frozen=True, slots=True)
class Point:
    """The means over pictures of one codec at one setting; units as in `Measurement`.

    ``bpp`` is the mean of the pictures' bits per pixel, not all bits over all pixels: so are the published curves.
    """

    codec: str
    setting: float
    pictures: int
    bytes: float
    bpp: float
    psnr: float
    ms_ssim: float
    encode_seconds: float
    decode_seconds: float
    fallbacks: int | None
    ssimulacra2: float = math.nan


def warm_up(codec: Codec) -> None:
    """Load and compile what the first call of a codec would, so that no picture's seconds hold it."""
    grey = np.full((64, 64, 3), 128, np.uint8)
    codec.decode(codec.encode(grey, codec.settings[0]))


def measure_picture(
    codecs: Iterable[Codec], picture: str, pixels: np.ndarray, on_file: Callable[[], object] = lambda: None
) -> list[Measurement]:
    """A picture, uint8 (H, W, 1 or 3), through every codec at every setting; ``on_file`` is called after each file."""
    measurements = []
    for codec in codecs:
        for setting in codec.settings:
            measurements.append(_measure(codec, setting, picture, pixels))
            on_file()
    return measurements


def mean_points(measurements: Iterable[Measurement]) -> list[Point]:
    """One point for each codec and setting, in the order in which they first come."""
    groups: dict[tuple[str, float], list[Measurement]] = {}
    for measurement in measurements:
        groups.setdefault((measurement.codec, measurement.setting), []).append(measurement)
    return [_mean(group) for group in groups.values()]


def _measure(codec: Codec, setting: float, picture: str, pixels: np.ndarray) -> Measurement:
    started = time.perf_counter()
    data = codec.encode(pixels, setting)
    encoded = time.perf_counter()
    decoded = codec.decode(data)
    finished = time.perf_counter()
    if decoded.shape[:2] != pixels.shape[:2]:
        raise VerificationError(
            f"expected {codec.name} to give back a picture of {pixels.shape[:2]}, found {decoded.shape[:2]}; "
            "leave this codec out"
        )
    before, after = _rgb(pixels), _rgb(decoded)
    return Measurement(
        picture=picture,
        codec=codec.name,
        setting=setting,
        bytes=len(data),
        bpp=8 * len(data) / (pixels.shape[0] * pixels.shape[1]),
        psnr=psnr(before, after),
        ms_ssim=ms_ssim(before, after),
        encode_seconds=encoded - started,
        decode_seconds=finished - encoded,
        fallback=codec.falls_back(pixels, setting, data),
        ssimulacra2=ssimulacra2(before, after) if has_ssimulacra2() else math.nan,
    )


def _rgb(pixels: np.ndarray) -> np.ndarray:
    """Grey as three equal channels: some decoders give grey back so, and both must be compared alike."""
    return np.repeat(pixels, 3, axis=2) if pixels.shape[2] == 1 else pixels


def _mean(group: Sequence[Measurement]) -> Point:
    fallbacks = [m.fallback for m in group if m.fallback is not None]
    return Point(
        codec=group[0].codec,
        setting=group[0].setting,
        pictures=len(group),
        bytes=float(np.mean([m.bytes for m in group])),
        bpp=float(np.mean([m.bpp for m in group])),
        psnr=float(np.mean([m.psnr for m in group])),
        ms_ssim=float(np.mean([m.ms_ssim for m in group])),
        encode_seconds=float(np.mean([m.encode_seconds for m in group])),
        decode_seconds=float(np.mean([m.decode_seconds for m in group])),
        fallbacks=sum(fallbacks) if fallbacks else None,
        ssimulacra2=float(np.mean([m.ssimulacra2 for m in group])),
    )
