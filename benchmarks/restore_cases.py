"""What is restored in the benchmark: good pictures, damaged the same way in every run."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageDraw, ImageFont

from archivae.models.training.degrade import through_jpeg
from benchmarks.pictures import Pixels, read_pictures

SIGMAS = (0, 15, 25, 50)
QUALITIES = (10, 20, 40)
LOST_SHARE = 0.25
HOLE_SIDE, HOLES = 32, 24
TEXT = "The quick brown fox jumps over the lazy dog. "
TEXT_SIZE, TEXT_LINES = 28, 1.6
"""In pixels, and a line's height in letters."""


@dataclass(frozen=True)
class Case:
    """One damaged picture.

    Attributes:
        task: whose damage it is.
        setting: how bad, for people and as a row of the table.
        name: of the picture.
        clean: (H, W, 3) uint8.
        damaged: (H, W, 3) uint8, or float32 about [0, 1] for noise, which papers neither clip nor round.
        mask: (H, W) bool, true in holes; for inpaint.
        strength: in the unit of the task, where it is known.
    """

    task: str
    setting: str
    name: str
    clean: Pixels
    damaged: npt.NDArray[Any]
    mask: npt.NDArray[np.bool_] | None = None
    strength: float | None = None

    @property
    def shown(self) -> Pixels:
        """The damaged picture as people and OpenCV see it: uint8."""
        return as_bytes(self.damaged)


def as_bytes(pixels: npt.NDArray[Any]) -> Pixels:
    """uint8 of uint8, or of floats in [0, 1]."""
    return pixels if pixels.dtype == np.uint8 else (pixels * 255).round().clip(0, 255).astype(np.uint8)


def cases_of(task: str, restore_sets: Path, kodak: Path, count: int | None) -> Iterator[Case]:
    """Every case of a task, setting by setting; of ``count`` pictures, or all."""
    if task == "lowlight":
        yield from _pairs(restore_sets / "lowlight" / "eval15", count)
        return
    pictures = read_pictures(restore_sets / "cbsd68" if task == "denoise" else kodak, count)
    for damage in _DAMAGES[task]:
        for name, clean in pictures.items():
            yield damage(name, clean)


def _noise(sigma: int) -> Callable[[str, Pixels], Case]:
    def damage(name: str, clean: Pixels) -> Case:
        noise = np.random.default_rng(0).standard_normal(clean.shape, np.float32)
        return Case(
            "denoise",
            f"sigma {sigma}",
            name,
            clean,
            clean / np.float32(255) + noise * np.float32(sigma / 255),
            strength=float(sigma),
        )

    return damage


def _jpeg(quality: int) -> Callable[[str, Pixels], Case]:
    def damage(name: str, clean: Pixels) -> Case:
        damaged = through_jpeg(clean, quality, "4:2:0")
        return Case("dejpeg", f"quality {quality}", name, clean, damaged, strength=float(quality))

    return damage


def _holes(setting: str, draw: Callable[[int, int], npt.NDArray[np.bool_]]) -> Callable[[str, Pixels], Case]:
    def damage(name: str, clean: Pixels) -> Case:
        mask = draw(*clean.shape[:2])
        return Case("inpaint", setting, name, clean, clean * ~mask[:, :, None], mask)

    return damage


def _lost_pixels(height: int, width: int) -> npt.NDArray[np.bool_]:
    return np.asarray(np.random.default_rng(0).random((height, width)) < LOST_SHARE)


def _text(height: int, width: int) -> npt.NDArray[np.bool_]:
    image = Image.new("1", (width, height))
    draw, font = ImageDraw.Draw(image), ImageFont.load_default(TEXT_SIZE)
    for line, top in enumerate(range(8, height, round(TEXT_SIZE * TEXT_LINES))):
        draw.text((8 - 37 * line % 160, top), TEXT * (width // 200 + 2), fill=1, font=font)
    return np.array(image, np.bool_)


def _squares(height: int, width: int) -> npt.NDArray[np.bool_]:
    rng, mask = np.random.default_rng(0), np.zeros((height, width), np.bool_)
    for top, left in zip(
        rng.integers(0, height - HOLE_SIDE, HOLES), rng.integers(0, width - HOLE_SIDE, HOLES), strict=True
    ):
        mask[top : top + HOLE_SIDE, left : left + HOLE_SIDE] = True
    return mask


def _pairs(folder: Path, count: int | None) -> Iterator[Case]:
    dark, light = (read_pictures(folder / half, count) for half in ("low", "high"))
    for name, clean in light.items():
        yield Case("lowlight", "LOL eval15", name, clean, dark[name])


_DAMAGES: dict[str, list[Callable[[str, Pixels], Case]]] = {
    "denoise": [_noise(sigma) for sigma in SIGMAS],
    "dejpeg": [_jpeg(quality) for quality in QUALITIES],
    "inpaint": [
        _holes(f"{LOST_SHARE:.0%} of pixels", _lost_pixels),
        _holes("text", _text),
        _holes(f"{HOLE_SIDE}x{HOLE_SIDE} holes", _squares),
    ],
}
