"""One picture that shows a job's work: before and after, whole and in the detail where a difference would show first."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from archivae.images.pillow import to_image

# Everything in pixels. Four tiles, the gaps and the margins make a sheet 1,896 wide.
_TILE = (432, 288)  # width, height: 3:2, so that most photographs fill theirs
_MARGIN = 64
_GAP_IN_PAIR, _GAP_BETWEEN_PAIRS = 8, 24
_GAP_AFTER_NAME = 24
_HEADER_HEIGHT, _CAPTION_HEIGHT, _GAP_BETWEEN_ROWS = 136, 40, 32

_BACKGROUND, _TILE_BACKGROUND, _RULE = (28, 28, 30), (38, 38, 41), (62, 62, 66)
_BRIGHT, _DIM = (242, 242, 244), (158, 158, 164)
_FRAME_LIGHT, _FRAME_DARK, _SMALLEST_FRAME = (255, 255, 255), (0, 0, 0), 6

_TITLE, _TITLE_SIZE, _TEXT_SIZE = "Original and decoded", 34, 20
_COLUMNS = ("Original", "Decoded", "Original, detail at 100%", "Decoded, detail at 100%")

# Detail is looked for in a reduction to about this many pixels a side, which is quick for pictures of any size.
_SEARCH_SIDE = 1024


@dataclass(frozen=True, slots=True, eq=False)
class SheetRow:
    """One picture of the sheet.

    Attributes:
        original, decoded: uint8 of one shape, (H, W, 1) or (H, W, 3).
        caption: such as "kodim01  0.81 bpp  34.2 dB"; what stands before the first double space is shown brighter.
    """

    original: np.ndarray
    decoded: np.ndarray
    caption: str


class _Box(NamedTuple):
    left: int
    top: int
    right: int
    bottom: int


def contact_sheet(rows: Sequence[SheetRow]) -> Image.Image:
    """Draw a sheet, 1,896 pixels wide: for each picture its caption, both thumbnails and both details at 1:1.

    The detail is the part with the highest gradient energy; a thin frame in the original's thumbnail shows where it lies.

    Raises:
        ValueError: no rows, or a row whose two pictures differ in shape or aren't uint8 (H, W, 1 or 3).
    """
    if not rows:
        raise ValueError("expected at least one picture, found none; draw no sheet for an empty job")
    sheet = Image.new("RGB", _sheet_size(len(rows)), _BACKGROUND)
    draw = ImageDraw.Draw(sheet)
    _draw_header(draw, len(rows))
    for number, row in enumerate(rows):
        _draw_row(sheet, draw, row, _HEADER_HEIGHT + number * _row_pitch())
    return sheet


def _draw_header(draw: ImageDraw.ImageDraw, pictures: int) -> None:
    draw.text((_MARGIN, 56), _TITLE, _BRIGHT, _font(_TITLE_SIZE), anchor="ls")
    right = _sheet_size(pictures)[0] - _MARGIN
    draw.text((right, 56), f"{pictures} picture{'s' * (pictures != 1)}", _DIM, _font(_TEXT_SIZE), anchor="rs")
    for left, name in zip(_column_lefts(), _COLUMNS, strict=True):
        draw.text((left, 102), name, _DIM, _font(_TEXT_SIZE), anchor="ls")
    draw.line((_MARGIN, 118, right - 1, 118), _RULE)


def _draw_row(sheet: Image.Image, draw: ImageDraw.ImageDraw, row: SheetRow, top: int) -> None:
    if row.original.shape != row.decoded.shape:
        raise ValueError(f"expected two pictures of one shape, found {row.original.shape} and {row.decoded.shape}")
    _draw_caption(draw, row.caption, top + _CAPTION_HEIGHT - 14)
    original, decoded = to_image(row.original).convert("RGB"), to_image(row.decoded).convert("RGB")
    detail = _most_detailed(original)
    tiles = (_thumbnail(original, detail), _thumbnail(decoded), original.crop(detail), decoded.crop(detail))
    for left, tile in zip(_column_lefts(), tiles, strict=True):
        _place(sheet, draw, tile, left, top + _CAPTION_HEIGHT)


def _draw_caption(draw: ImageDraw.ImageDraw, caption: str, baseline: int) -> None:
    font = _font(_TEXT_SIZE)
    right = _column_lefts()[-1] + _TILE[0]
    name, _, figures = caption.partition("  ")
    name = _shortened(draw, name, right - _MARGIN)
    draw.text((_MARGIN, baseline), name, _BRIGHT, font, anchor="ls")
    start = _MARGIN + draw.textlength(name, font) + _GAP_AFTER_NAME
    figures = _shortened(draw, figures.strip().replace("  ", "     "), right - start)
    draw.text((start, baseline), figures, _DIM, font, anchor="ls")


def _shortened(draw: ImageDraw.ImageDraw, text: str, room: float) -> str:
    """``text`` cut to fit ``room`` pixels, with dots where something is missing; empty if not even they fit."""
    font = _font(_TEXT_SIZE)
    if draw.textlength(text, font) <= room:
        return text
    while text and draw.textlength(text + "...", font) > room:
        text = text[:-1]
    return text and text.rstrip() + "..."


def _thumbnail(image: Image.Image, detail: _Box | None = None) -> Image.Image:
    """The picture within a tile, never enlarged, with a frame around ``detail`` where that is only a part."""
    small = image.copy()
    small.thumbnail(_TILE, Image.Resampling.LANCZOS)
    if detail is not None and detail != (0, 0, *image.size):
        scale = small.width / image.width
        left, top, right, bottom = (round(edge * scale) for edge in detail)
        frame = ImageDraw.Draw(small)
        if min(right - left, bottom - top) >= _SMALLEST_FRAME:
            frame.rectangle((left, top, right - 1, bottom - 1), outline=_FRAME_DARK, width=3)
            frame.rectangle((left + 1, top + 1, right - 2, bottom - 2), outline=_FRAME_LIGHT)
    return small


def _place(sheet: Image.Image, draw: ImageDraw.ImageDraw, tile: Image.Image, left: int, top: int) -> None:
    width, height = _TILE
    draw.rectangle((left, top, left + width - 1, top + height - 1), _TILE_BACKGROUND)
    sheet.paste(tile, (left + (width - tile.width) // 2, top + (height - tile.height) // 2))


def _most_detailed(image: Image.Image) -> _Box:
    """The tile-sized part of the picture (all of it, if smaller) with the highest gradient energy."""
    width, height = min(_TILE[0], image.width), min(_TILE[1], image.height)
    step = max(1, max(image.size) // _SEARCH_SIDE)
    grey = np.asarray(image.convert("L").reduce(step), dtype=np.float64)
    energy = np.zeros_like(grey)
    energy[1:] += np.diff(grey, axis=0) ** 2
    energy[:, 1:] += np.diff(grey, axis=1) ** 2
    edge = min(grey.shape) // 50  # scans have frames, which are sharp but no detail
    energy[:edge], energy[:, :edge], energy[energy.shape[0] - edge :], energy[:, energy.shape[1] - edge :] = 0, 0, 0, 0
    sums = _window_sums(energy, max(1, height // step), max(1, width // step))
    row, column = np.unravel_index(int(np.argmax(sums)), sums.shape)
    left = min(int(column) * step, image.width - width)
    top = min(int(row) * step, image.height - height)
    return _Box(left, top, left + width, top + height)


def _window_sums(values: np.ndarray, height: int, width: int) -> np.ndarray:
    """Sums of (H, W) over every window of the given size, (H - height + 1, W - width + 1), by an integral image."""
    integral = np.pad(values.cumsum(0).cumsum(1), ((1, 0), (1, 0)))
    below, above = integral[height:], integral[:-height]
    sums: np.ndarray = below[:, width:] - above[:, width:] - below[:, :-width] + above[:, :-width]
    return sums


def _column_lefts() -> tuple[int, int, int, int]:
    width = _TILE[0]
    second = _MARGIN + width + _GAP_IN_PAIR
    third = second + width + _GAP_BETWEEN_PAIRS
    return _MARGIN, second, third, third + width + _GAP_IN_PAIR


def _row_pitch() -> int:
    return _CAPTION_HEIGHT + _TILE[1] + _GAP_BETWEEN_ROWS


def _sheet_size(rows: int) -> tuple[int, int]:
    width = _column_lefts()[-1] + _TILE[0] + _MARGIN
    return width, _HEADER_HEIGHT + rows * _row_pitch() - _GAP_BETWEEN_ROWS + _MARGIN


def _font(size: int) -> ImageFont.FreeTypeFont | ImageFont.ImageFont:
    return ImageFont.load_default(size)
