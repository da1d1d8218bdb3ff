"""Holes of every kind that pictures have: lost pixels, writing, scratches, rectangles."""

from __future__ import annotations

import string
from collections.abc import Callable
from functools import cache

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageDraw, ImageFont

Mask = npt.NDArray[np.bool_]

LOST = (0.1, 0.8)
"""The share of pixels that are lost at random."""
MOST_HOLES = 0.9
"""A crop that other holes cover more than this is given lost pixels instead: there is nothing to learn of it."""
RECTANGLE = (8, 48)
STROKE = (2, 11)
LETTERS = (10, 40)
_CHARACTERS = string.ascii_letters + string.digits + "    .,!?"


def random_mask(rng: np.random.Generator, height: int, width: int) -> Mask:
    """(height, width), true in holes, of a kind drawn at random."""
    draw = _KINDS[rng.integers(len(_KINDS))]
    mask = draw(rng, height, width)
    return mask if 0 < mask.mean() < MOST_HOLES else lost_pixels(rng, height, width)


def lost_pixels(rng: np.random.Generator, height: int, width: int) -> Mask:
    """10 to 80 % of pixels, each by itself."""
    share = rng.uniform(*LOST)
    return np.asarray(rng.random((height, width), np.float32) < share)


def rectangles(rng: np.random.Generator, height: int, width: int) -> Mask:
    """One to four, sides of 8 to 48 pixels."""
    mask = np.zeros((height, width), np.bool_)
    for _ in range(rng.integers(1, 5)):
        tall, wide = rng.integers(RECTANGLE[0], RECTANGLE[1] + 1, 2)
        top, left = rng.integers(0, height), rng.integers(0, width)
        mask[top : top + tall, left : left + wide] = True
    return mask


def strokes(rng: np.random.Generator, height: int, width: int) -> Mask:
    """Scratches and scribbles: bent lines, thick and thin."""
    image, draw = _blank(height, width)
    for _ in range(rng.integers(1, 6)):
        turns = np.cumsum(rng.normal(0, 0.8, 6)) + rng.uniform(0, 2 * np.pi)
        lengths = rng.uniform(0.05, 0.35, 6) * max(height, width)
        path = np.cumsum(np.stack([np.cos(turns), np.sin(turns)], 1) * lengths[:, None], 0)
        path += rng.uniform(0, 1, 2) * (width, height)
        draw.line([tuple(point) for point in path.tolist()], fill=1, width=int(rng.integers(*STROKE)), joint="curve")
    return np.array(image, np.bool_)


def writing(rng: np.random.Generator, height: int, width: int) -> Mask:
    """Lines of letters across the picture."""
    image, draw = _blank(height, width)
    size = int(rng.integers(*LETTERS))
    top = float(rng.uniform(-size, size))
    while top < height:
        letters = "".join(_CHARACTERS[n] for n in rng.integers(0, len(_CHARACTERS), 2 * width // size + 2))
        draw.text((float(rng.uniform(-size, size)), top), letters, fill=1, font=_font(size))
        top += size * float(rng.uniform(1.1, 2.5))
    return np.array(image, np.bool_)


_KINDS: tuple[Callable[[np.random.Generator, int, int], Mask], ...] = (lost_pixels, rectangles, strokes, writing)


def _blank(height: int, width: int) -> tuple[Image.Image, ImageDraw.ImageDraw]:
    image = Image.new("1", (width, height))
    return image, ImageDraw.Draw(image)


@cache
def _font(size: int) -> ImageFont.FreeTypeFont | ImageFont.ImageFont:
    return ImageFont.load_default(size)
