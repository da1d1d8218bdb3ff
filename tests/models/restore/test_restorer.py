from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from archivae.errors import UsageError
from archivae.models.restore.restorer import Restorer
from archivae.models.restore.tasks import TASKS
from tests.models.restore.small_restorer import SMALL, small_restorer
from tests.training.tiny import smooth_picture

BLIND = [name for name, task in TASKS.items() if task.blind]


@pytest.fixture(scope="module")
def restorers() -> dict[str, Restorer]:
    return {name: small_restorer(name) for name in TASKS}


def some_holes(shape: tuple[int, ...], seed: int = 0) -> np.ndarray:
    mask = np.random.default_rng(seed).random(shape[:2]) < 0.5
    mask.flat[0] = False
    return mask


def restored(restorer: Restorer, picture: np.ndarray, strength: float | None = None) -> np.ndarray:
    mask = some_holes(picture.shape) if restorer.task.name == "inpaint" else None
    return restorer.restore(picture, strength, mask).pixels


@settings(max_examples=25, deadline=None)
@given(
    task=st.sampled_from(sorted(TASKS)),
    height=st.integers(1, 90),
    width=st.integers(1, 90),
    channels=st.sampled_from([1, 3]),
    dtype=st.sampled_from(["uint8", "uint16", "float32"]),
)
def test_any_size_and_depth_comes_back_as_it_was(task: str, height: int, width: int, channels: int, dtype: str) -> None:
    levels = np.random.default_rng(height * width).integers(0, 256, (height, width, channels))
    picture = (levels * {"uint8": 1, "uint16": 257, "float32": 1 / 255}[dtype]).astype(dtype)
    found = restored(small_restorer(task), picture)
    assert found.shape == picture.shape and found.dtype == picture.dtype


@pytest.mark.parametrize("task", sorted(TASKS))
def test_passes_are_averaged_and_leave_what_is_known(task: str, restorers: dict[str, Restorer]) -> None:
    picture = np.random.default_rng(5).integers(0, 256, (40, 56, 3)).astype(np.uint8) // 2
    mask = some_holes(picture.shape) if task == "inpaint" else None
    strength = None if task == "inpaint" else {"denoise": 25.0, "dejpeg": 20.0, "lowlight": 3.0}[task]
    one, eight = (restorers[task].restore(picture, strength, mask, passes).pixels for passes in (1, 8))
    assert (one != eight).any()
    if mask is not None:
        assert np.array_equal(eight[~mask], picture[~mask])
    else:  # whichever way it lies, but for rounding
        mirrored = restorers[task].restore(picture[::-1], strength, None, 8).pixels[::-1]
        assert np.abs(eight.astype(int) - mirrored).max() <= 1


def test_masks_may_be_mirrored_views(restorers: dict[str, Restorer]) -> None:
    picture = np.random.default_rng(5).integers(0, 256, (40, 56, 3)).astype(np.uint8)
    mask = some_holes(picture.shape)[::-1]
    one, other = (restorers["inpaint"].restore(picture, None, m).pixels for m in (mask, mask.copy()))
    assert np.array_equal(one, other)


@pytest.mark.parametrize("task", sorted(TASKS))
@pytest.mark.parametrize("size", [(97, 150), (64, 64), (33, 129)])
def test_tiles_equal_the_whole(task: str, size: tuple[int, int]) -> None:
    picture = smooth_picture(1, *size)
    if task == "lowlight":
        picture //= 8
    strength = None if task == "inpaint" else {"denoise": 25.0, "dejpeg": 20.0, "lowlight": 3.0}[task]
    whole, tiled = (restored(small_restorer(task, side), picture, strength).astype(int) for side in (1024, 32))
    assert np.abs(whole - tiled).max() <= 1
    assert np.mean(whole != tiled) < 0.01
    assert (whole != picture).mean() > 0.05  # or there would be nothing to compare


@pytest.mark.parametrize("task", BLIND)
def test_the_estimate_of_tiles_is_that_of_the_whole(task: str) -> None:
    picture = np.random.default_rng(0).integers(0, 65536, (97, 150, 3), np.uint16)
    whole, tiled = (small_restorer(task, side).estimate(picture) for side in (1024, 32))
    assert whole == pytest.approx(tiled, rel=1e-4)


def test_an_output_looks_no_further_than_its_architecture_says(restorers: dict[str, Restorer]) -> None:
    picture = np.full((160, 160, 3), 0.5, np.float32)
    changed = picture.copy()
    changed[80, 80] = 0
    difference = (restored(restorers["denoise"], changed, 50) != restored(restorers["denoise"], picture, 50)).any(2)
    rows, columns = np.nonzero(difference)
    assert max(np.abs(rows - 80).max(), np.abs(columns - 80).max()) <= SMALL.reach


@pytest.mark.parametrize("task", BLIND)
def test_a_clean_picture_comes_back_bit_for_bit(restorers: dict[str, Restorer], task: str) -> None:
    picture = smooth_picture(2)
    found = restorers[task].restore(picture, TASKS[task].none)
    np.testing.assert_array_equal(found.pixels, picture)
    assert found.pixels is not picture


@pytest.mark.parametrize("sigma", [0.5, 1.0])
def test_little_strength_changes_little(restorers: dict[str, Restorer], sigma: float) -> None:
    """Whatever the network says: here it says nonsense of size 1 or so."""
    picture = smooth_picture(3).astype(np.float32) / 255
    small, large = (restored(restorers["denoise"], picture, s) - picture for s in (sigma, 32.0))
    assert 0 < np.sqrt(np.mean(small**2)) < 2 * sigma / 32 * np.sqrt(np.mean(large**2))


def test_known_pixels_come_back_bit_for_bit(restorers: dict[str, Restorer]) -> None:
    picture = np.random.default_rng(0).integers(0, 65536, (70, 50, 3), np.uint16)
    mask = some_holes(picture.shape)
    found = restorers["inpaint"].restore(picture, mask=mask).pixels
    np.testing.assert_array_equal(found[~mask], picture[~mask])
    assert (found[mask] != picture[mask]).mean() > 0.9


def test_what_lies_in_holes_is_not_looked_at(restorers: dict[str, Restorer]) -> None:
    picture = smooth_picture(4).astype(np.float32) / 255
    mask = some_holes(picture.shape)
    other = picture.copy()
    other[mask] = np.nan
    one, two = (restorers["inpaint"].restore(p, mask=mask).pixels for p in (picture, other))
    np.testing.assert_array_equal(one, two)


def test_no_holes_no_change(restorers: dict[str, Restorer]) -> None:
    picture = smooth_picture(5)
    found = restorers["inpaint"].restore(picture, mask=np.zeros(picture.shape[:2], bool)).pixels
    np.testing.assert_array_equal(found, picture)


@pytest.mark.parametrize("task", BLIND)
def test_grey_is_restored_as_three_equal_channels(restorers: dict[str, Restorer], task: str) -> None:
    grey = smooth_picture(6)[:, :, :1] // 4
    alone = restored(restorers[task], grey)
    thrice = restored(restorers[task], np.repeat(grey, 3, 2).astype(np.float32) / 255)
    assert np.abs(alone[:, :, 0] - thrice.mean(2).clip(0, 1) * 255).max() <= 0.51


def test_deep_pictures_are_not_rounded_to_eight_bits(restorers: dict[str, Restorer]) -> None:
    shallow = smooth_picture(7)
    found = restorers["denoise"].restore(shallow.astype(np.uint16) * 257, 25).pixels
    assert len(np.unique(found % 257)) > 100


def test_bfloat16_is_near_float32() -> None:
    picture = smooth_picture(8).astype(np.float32) / 255
    exact, fast = (
        restored(small_restorer("denoise", dtype=dtype), picture, 25) - picture
        for dtype in (torch.float32, torch.bfloat16)
    )
    assert np.sqrt(np.mean((exact - fast) ** 2)) < 0.03 * np.sqrt(np.mean(exact**2))


@pytest.mark.parametrize(
    ("task", "picture", "strength", "mask", "message"),
    [
        ("denoise", np.zeros((4, 4), np.uint8), None, None, r"\(height, width, 1 or 3\), found an array of \(4, 4\)"),
        ("denoise", np.zeros((4, 4, 2), np.uint8), None, None, r"found an array of \(4, 4, 2\)"),
        ("denoise", np.zeros((0, 4, 3), np.uint8), None, None, r"found an array of \(0, 4, 3\)"),
        ("denoise", np.zeros((4, 4, 3), np.int32), None, None, "uint8, uint16 or float32, found int32"),
        ("denoise", np.zeros((4, 4, 3), np.uint8), 65, None, "denoise of 0 to 64 .*, found 65"),
        ("denoise", np.zeros((4, 4, 3), np.uint8), float("nan"), None, "found nan"),
        ("dejpeg", np.zeros((4, 4, 3), np.uint8), 5, None, "dejpeg of 10 to 100 .*, found 5"),
        ("denoise", np.zeros((4, 4, 3), np.uint8), None, np.zeros((4, 4), bool), "no mask for denoise"),
        ("inpaint", np.zeros((4, 4, 3), np.uint8), None, None, "a mask and no strength"),
        ("inpaint", np.zeros((4, 4, 3), np.uint8), 3, np.zeros((4, 4), bool), "no strength to inpaint"),
        ("inpaint", np.zeros((4, 4, 3), np.uint8), None, np.zeros((4, 5), bool), r"found \(4, 5\) of bool"),
        ("inpaint", np.zeros((4, 4, 3), np.uint8), None, np.ones((4, 4), bool), "found everything masked"),
    ],
)
def test_what_makes_no_sense_is_said(
    restorers: dict[str, Restorer],
    task: str,
    picture: np.ndarray,
    strength: float | None,
    mask: np.ndarray | None,
    message: str,
) -> None:
    with pytest.raises(UsageError, match=message):
        restorers[task].restore(picture, strength, mask)
