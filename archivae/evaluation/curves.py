"""Rate-distortion curves, measured here or published, and what one saves against another."""

from __future__ import annotations

import csv
import json
import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from importlib import resources

import numpy as np

from archivae.evaluation.bd_rate import BdRate, bd_rate
from archivae.evaluation.codecs import RIVALS, Codec
from archivae.evaluation.measure import Point

TYPICAL_BPP = 0.5
"""Where seconds are compared."""
KODAK_PICTURES = frozenset(f"kodim{number:02}" for number in range(1, 25))

_LABELS = {
    "vtm": "VVC intra (VTM)",
    "hm": "HEVC intra (HM)",
    "av1": "AV1 (libaom, slow)",
    "bpg_444_x265_ycbcr": "BPG 4:4:4",
    "jpeg2000": "JPEG 2000",
    "paper-elic2022_mse": "ELIC",
    "hpcm-large": "HPCM-Large",
    "cool-chic-5.0": "Cool-chic 5.0",
    "compressai-cheng2020-anchor_mse_ans_cuda-8bit": "cheng2020-anchor",
    "compressai-mbt2018-mean_mse_ans_cuda-8bit": "mbt2018-mean",
    "compressai-bmshj2018-hyperprior_mse_ans_cuda-8bit": "bmshj2018-hyperprior",
    "jpeg": "JPEG 4:2:0",
    "webp": "WebP method 6",
    "avif": "AVIF speed 6",
    "jxl": "JPEG XL effort 7",
}


@dataclass(frozen=True, slots=True)
class RatePoint:
    """``bpp``: bits per pixel; ``psnr``: dB in RGB; ``ms_ssim``: at most 1; ``ssimulacra2``: at most 100; seconds of one
    picture. NaN where not known."""

    bpp: float
    psnr: float
    ms_ssim: float
    ssimulacra2: float = math.nan
    encode_seconds: float = math.nan
    decode_seconds: float = math.nan

    @property
    def ms_ssim_db(self) -> float:
        """-10 log10(1 - MS-SSIM), which spreads what crowds below 1; infinite at 1."""
        return math.inf if self.ms_ssim >= 1 else -10 * math.log10(1 - self.ms_ssim)


@dataclass(frozen=True, slots=True)
class Curve:
    """A codec's points by rising rate. ``measured`` in this run, or published; ``ours``: of an ArchiVAE model."""

    name: str
    label: str
    points: tuple[RatePoint, ...]
    measured: bool
    ours: bool = False

    def by_psnr(self) -> list[tuple[float, float]]:
        """(bits per pixel, dB) where finite."""
        return [(point.bpp, point.psnr) for point in self.points if math.isfinite(point.psnr)]

    def by_ms_ssim(self) -> list[tuple[float, float]]:
        """(bits per pixel, dB of MS-SSIM) where finite."""
        return [(point.bpp, point.ms_ssim_db) for point in self.points if math.isfinite(point.ms_ssim_db)]

    def by_ssimulacra2(self) -> list[tuple[float, float]]:
        """(bits per pixel, score) where known."""
        return [(point.bpp, point.ssimulacra2) for point in self.points if math.isfinite(point.ssimulacra2)]

    def seconds(self, bpp: float = TYPICAL_BPP) -> tuple[float, float]:
        """To encode and to decode a picture at ``bpp``, by straight lines; NaN where not known."""
        rates = [point.bpp for point in self.points]
        times = ([p.encode_seconds for p in self.points], [p.decode_seconds for p in self.points])
        return tuple(float(np.interp(bpp, rates, found)) for found in times)  # type: ignore[return-value]


@dataclass(frozen=True, slots=True)
class Comparison:
    """What ``codec`` needs more or less than ``anchor`` at equal quality; None where they share too little of it."""

    codec: Curve
    anchor: Curve
    by_psnr: BdRate | None
    by_ms_ssim: BdRate | None
    by_ssimulacra2: BdRate | None = None


@dataclass(frozen=True, slots=True)
class Contest:
    """``codec`` against a rival, ``anchors`` being all its variants measured: by each measure the best of them."""

    codec: Curve
    rival: str
    anchors: tuple[Curve, ...]
    by_psnr: BdRate | None
    by_ms_ssim: BdRate | None
    by_ssimulacra2: BdRate | None

    @property
    def seconds(self) -> tuple[float, float]:
        """The rival's, to encode and to decode: those of its slowest variant."""
        both = [anchor.seconds() for anchor in self.anchors]
        return max(b[0] for b in both), max(b[1] for b in both)


def measured_curves(codecs: Iterable[Codec], points: Sequence[Point]) -> list[Curve]:
    """The curve of each codec from a run's points."""
    return [
        _curve(codec.name, [_rate_point(p) for p in points if p.codec == codec.name], codec.label, True, codec.ours)
        for codec in codecs
    ]


def reference_curves(reference: str | None, measured: Iterable[Curve] = ()) -> list[Curve]:
    """The published curves of a set of pictures; none of a codec that was measured itself, and none for None."""
    if reference is None:
        return []
    points = _published(reference) | _classic(reference)
    known = {curve.name for curve in measured}
    return [_curve(name, found, _LABELS[name], False) for name, found in points.items() if name not in known]


def compare(measured: Sequence[Curve], references: Sequence[Curve]) -> list[Comparison]:
    """Every measured curve against every other, measured or published."""
    return [
        Comparison(
            codec,
            anchor,
            bd_rate(anchor.by_psnr(), codec.by_psnr()),
            bd_rate(anchor.by_ms_ssim(), codec.by_ms_ssim()),
            bd_rate(anchor.by_ssimulacra2(), codec.by_ssimulacra2()),
        )
        for codec in measured
        for anchor in [*measured, *references]
        if anchor is not codec
    ]


def contests(comparisons: Iterable[Comparison]) -> list[Contest]:
    """``comparisons`` with the variants of each rival together, in the order in which they come."""
    groups: dict[tuple[str, str], list[Comparison]] = {}
    for comparison in comparisons:
        groups.setdefault((comparison.codec.name, rival_of(comparison.anchor)), []).append(comparison)
    return [
        Contest(
            group[0].codec,
            rival,
            tuple(comparison.anchor for comparison in group),
            _hardest(comparison.by_psnr for comparison in group),
            _hardest(comparison.by_ms_ssim for comparison in group),
            _hardest(comparison.by_ssimulacra2 for comparison in group),
        )
        for (_, rival), group in groups.items()
    ]


def rival_of(curve: Curve) -> str:
    """The name that the variants of one codec share; any other curve's label."""
    return RIVALS.get(curve.name, curve.label)


def _hardest(rates: Iterable[BdRate | None]) -> BdRate | None:
    return max((rate for rate in rates if rate is not None), key=lambda rate: rate.percent, default=None)


def _curve(name: str, points: list[RatePoint], label: str, measured: bool, ours: bool = False) -> Curve:
    return Curve(name, label, tuple(sorted(points, key=lambda point: point.bpp)), measured, ours)


def _rate_point(point: Point) -> RatePoint:
    seconds = point.encode_seconds, point.decode_seconds
    return RatePoint(point.bpp, point.psnr, point.ms_ssim, point.ssimulacra2, *seconds)


def _published(reference: str) -> dict[str, list[RatePoint]]:
    points: dict[str, list[RatePoint]] = {}
    for row in csv.DictReader(_text(f"{reference}_rd.csv").splitlines()):
        ms_ssim = float(row["msssim"] or math.nan)
        points.setdefault(row["codec"], []).append(RatePoint(float(row["bpp"]), float(row["psnr_rgb_db"]), ms_ssim))
    return points


def _classic(reference: str) -> dict[str, list[RatePoint]]:
    points: dict[str, list[RatePoint]] = {}
    for row in json.loads(_text(f"{reference}_classic.json")):
        points.setdefault(row["codec"], []).append(RatePoint(row["bpp"], row["psnr"], row["msssim"]))
    return points


def _text(name: str) -> str:
    return resources.files("archivae.evaluation").joinpath("reference", name).read_text("utf-8")
