from __future__ import annotations

import numpy as np
import pytest

from archivae.pipeline.contact_sheet import SheetRow, contact_sheet

TILE_WIDTH, TILE_HEIGHT = 432, 288
FIRST_ROW = 136 + 40  # header, caption
LEFTS = (64, 504, 960, 1400)


def flat(value: int, height: int = 512, width: int = 768, channels: int = 3) -> np.ndarray:
    return np.full((height, width, channels), value, np.uint8)


def tile(sheet: np.ndarray, column: int, row: int = 0) -> np.ndarray:
    top = FIRST_ROW + row * 360
    return sheet[top : top + TILE_HEIGHT, LEFTS[column] : LEFTS[column] + TILE_WIDTH]


def test_tiles_show_original_and_decoded_whole_and_in_detail() -> None:
    sheet = np.asarray(contact_sheet([SheetRow(flat(200), flat(90), "one  0.5 bpp")] * 2))
    assert sheet.shape == (136 + 2 * 360 - 32 + 64, 1896, 3)
    for row in range(2):
        assert np.median(tile(sheet, 0, row)) == 200  # with a frame drawn over it
        assert (tile(sheet, 2, row) == 200).all()
        assert (tile(sheet, 1, row) == 90).all() and (tile(sheet, 3, row) == 90).all()


@pytest.mark.parametrize(("y", "x"), [(30, 60), (500, 900), (1150, 1850), (30, 1850)])
@pytest.mark.parametrize("size", [(1200, 1920), (2400, 3840)])
def test_detail_is_taken_where_the_detail_is(size: tuple[int, int], y: int, x: int) -> None:
    original = flat(128, *size)
    y, x = y * size[0] // 1200, x * size[1] // 1920
    original[y - 4 : y + 4, x - 4 : x + 4] = np.random.default_rng(0).integers(0, 256, (8, 8, 3))
    sheet = np.asarray(contact_sheet([SheetRow(original, original, "")]))
    assert np.count_nonzero(tile(sheet, 3) != 128) == np.count_nonzero(original != 128)  # at 1:1, whole


@pytest.mark.parametrize("shape", [(1, 1, 1), (1, 3000, 3), (3000, 1, 1), (50, 40, 3), (768, 512, 1), (289, 433, 3)])
def test_odd_shapes_fit(shape: tuple[int, int, int]) -> None:
    row = SheetRow(flat(77, *shape), flat(77, *shape), "odd")
    sheet = np.asarray(contact_sheet([row]))
    assert sheet.shape == (136 + 360 - 32 + 64, 1896, 3)
    assert (tile(sheet, 1) == 77).any()


def test_long_captions_are_shortened_to_the_sheet() -> None:
    sheet = np.asarray(contact_sheet([SheetRow(flat(9), flat(9), "a long name  " * 60)]))
    assert (sheet[136:176, 1896 - 64 :] == sheet[0, 0]).all()
    assert (sheet[136:176, 64 : 1896 - 64] != sheet[0, 0]).any()


def test_same_rows_same_pixels() -> None:
    rows = [SheetRow(flat(9), flat(8), "same")]
    assert contact_sheet(rows).tobytes() == contact_sheet(rows).tobytes()


def test_rows_that_cannot_be_drawn_are_refused() -> None:
    with pytest.raises(ValueError, match="at least one picture"):
        contact_sheet([])
    with pytest.raises(ValueError, match=r"found \(512, 768, 3\) and \(512, 767, 3\)"):
        contact_sheet([SheetRow(flat(1), flat(1, width=767), "")])
