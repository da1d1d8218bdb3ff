"""What is timed beside what: one picture through three codecs at about equal PSNR."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import archivae
from archivae.evaluation.codecs import CLASSIC
from archivae.models import PhotoCodec
from archivae.operations.quality import psnr
from benchmarks.matched import Match, matched
from benchmarks.pictures import Pixels
from benchmarks.unverified import encode_unverified

AVIF, WEBP = CLASSIC["avif"], CLASSIC["webp"]


@dataclass(frozen=True)
class Case:
    """A picture at one of our qualities: our file, and the others' that are about as near to the picture."""

    picture: str
    quality: float
    pixels: Pixels
    ours: Match
    avif: Match
    webp: Match


def make_case(model: str, name: str, pixels: Pixels, quality: float) -> Case:
    """Our file and those that match it."""
    data = archivae.encode(pixels, quality=quality, model=model, fallbacks=False, accelerator="cpu")
    nearness = psnr(pixels, archivae.decode(data, model=model, accelerator="cpu"))
    ours = Match(round(quality), data, nearness)
    return Case(name, quality, pixels, ours, matched(AVIF, pixels, nearness), matched(WEBP, pixels, nearness))


def actions(codec: PhotoCodec, model: str, case: Case) -> dict[str, Callable[[], object]]:
    """What is timed on a picture at one quality."""
    pixels, quality = case.pixels, case.quality
    return {
        "encode": lambda: encode_unverified(codec, pixels, quality),
        "AVIF encode": lambda: AVIF.encode(pixels, case.avif.setting),
        "encode and verify": lambda: archivae.encode(pixels, quality=quality, model=model, accelerator="cpu"),
        "WebP encode": lambda: WEBP.encode(pixels, case.webp.setting),
        "decode": lambda: archivae.decode(case.ours.data, model=model, accelerator="cpu"),
        "WebP decode": lambda: WEBP.decode(case.webp.data),
        "AVIF decode": lambda: AVIF.decode(case.avif.data),
    }


def as_row(case: Case) -> dict[str, Any]:
    """Settings, sizes and PSNR of the files of a case."""
    files = {"ours": case.ours, "avif": case.avif, "webp": case.webp}
    described = {n: {"setting": f.setting, "bytes": len(f.data), "psnr": round(f.psnr, 3)} for n, f in files.items()}
    return {"picture": case.picture, "quality": case.quality, **described}
