"""One picture a setting: the damaged detail, what each method makes of it, and the truth, side by side at 2:1."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from benchmarks.pictures import Pixels

DETAIL, SCALE = 160, 2
GAP, CAPTION = 8, 28
BACKGROUND, INK = (28, 28, 30), (242, 242, 244)


def sheet(rows: list[Mapping[str, Pixels]]) -> Image.Image:
    """Each row the same place of one picture by name: where the truth, its last entry, has most detail."""
    side = DETAIL * SCALE
    columns = max(len(row) for row in rows)
    image = Image.new("RGB", (GAP + columns * (side + GAP), GAP + len(rows) * (side + CAPTION + GAP)), BACKGROUND)
    draw, font = ImageDraw.Draw(image), ImageFont.load_default(16)
    for y, row in enumerate(rows):
        top, left = busiest(list(row.values())[-1])
        for x, (name, pixels) in enumerate(row.items()):
            corner = GAP + x * (side + GAP), GAP + y * (side + CAPTION + GAP)
            draw.text(corner, name, INK, font)
            detail = Image.fromarray(np.ascontiguousarray(pixels[top : top + DETAIL, left : left + DETAIL]))
            larger = detail.resize((detail.width * SCALE, detail.height * SCALE), Image.Resampling.NEAREST)
            image.paste(larger, (corner[0], corner[1] + CAPTION))
    return image


def busiest(pixels: Pixels) -> tuple[int, int]:
    """Top and left of the square, of those every 32 pixels, whose gradients are largest."""
    grey = pixels.astype(np.float32).mean(2)
    energy = np.abs(np.diff(grey, axis=0))[:, :-1] + np.abs(np.diff(grey, axis=1))[:-1]
    tops = range(0, max(energy.shape[0] - DETAIL, 1), 32)
    lefts = range(0, max(energy.shape[1] - DETAIL, 1), 32)
    places = [(top, left) for top in tops for left in lefts]
    return max(places, key=lambda place: energy[place[0] : place[0] + DETAIL, place[1] : place[1] + DETAIL].mean())
