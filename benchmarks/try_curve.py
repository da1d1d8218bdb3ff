"""The rate-distortion curve of a codec in training: bits by its likelihoods, no files."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import torch
import torch.nn.functional as F

from archivae.evaluation import bd_rate
from archivae.models.photo.architecture import ANCHORS, HYPER_STRIDE
from archivae.models.photo.trainable import TrainableCodec

QUALITIES = (5, 25, 45, 65, 85)


class CurvePoint(NamedTuple):
    """Means over the pictures at one quality: bits per pixel, and PSNR in dB of pixels rounded to 8 bits."""

    quality: int
    bpp: float
    psnr: float


@torch.no_grad()
def curve_of(model: TrainableCodec, pictures: Mapping[str, npt.NDArray[np.uint8]]) -> list[CurvePoint]:
    """The curve of ``model`` over (H, W, 3) uint8 ``pictures``; in bfloat16, as it is trained."""
    model.eval()
    points = []
    for quality in QUALITIES:
        rated = [_rate(model, picture, quality) for picture in pictures.values()]
        points.append(CurvePoint(quality, *(float(np.mean(values)) for values in zip(*rated, strict=True))))
    return points


def _rate(model: TrainableCodec, picture: npt.NDArray[np.uint8], quality: int) -> tuple[float, float]:
    height, width = picture.shape[:2]
    pixels = torch.tensor(picture).permute(2, 0, 1)[None].float().contiguous(memory_format=torch.channels_last)
    padded = F.pad(pixels, (0, -width % HYPER_STRIDE, 0, -height % HYPER_STRIDE), mode="replicate")
    with torch.autocast("cpu", dtype=torch.bfloat16):
        output = model(padded / 255, torch.tensor([quality / 100 * (ANCHORS - 1)]))
    levels = (output.pixels.float() * 255).round().clamp(0, 255)[:, :, :height, :width]
    error = (levels - pixels).square().mean().item()
    bits = (output.residual_bits + output.hyper_bits).item()
    return bits / (height * width), 10 * float(np.log10(255**2 / error))


def write_curve(path: Path, name: str, step: int, points: list[CurvePoint]) -> None:
    path.write_text(json.dumps({"try": name, "step": step, "points": [p._asdict() for p in points]}, indent=1) + "\n")


def read_curve(path: Path) -> list[CurvePoint]:
    return [CurvePoint(**point) for point in json.loads(path.read_text())["points"]]


def saved(points: list[CurvePoint], anchor: list[CurvePoint]) -> str:
    """The BD-rate of ``points`` against ``anchor``, in words."""
    rate = bd_rate([(p.bpp, p.psnr) for p in anchor], [(p.bpp, p.psnr) for p in points])
    return "too few decibels in common" if rate is None else f"BD-rate {rate.percent:+.2f} %"
