"""The restorers that are shipped, on parts of sample photographs: what they promise, with room to spare."""

from __future__ import annotations

from functools import cache
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
import torch
from PIL import Image

from archivae.models import TASKS, Restorer, load_restorer, restorer_path, shipped_restorers
from archivae.models.training.degrade import through_jpeg
from archivae.operations.quality import psnr

Pixels = npt.NDArray[np.uint8]
PHOTOS = Path(__file__).parents[3] / "examples" / "photos"
NAMES = ("kodim04.png", "kodim07.png", "kodim23.png")
LARGEST = 20_000_000  # bytes


@cache
def shipped(task: str) -> Restorer:
    return Restorer(load_restorer(task), torch.device("cpu"), torch.float32)


@pytest.fixture(scope="module")
def photos() -> list[Pixels]:
    return [np.asarray(Image.open(PHOTOS / name))[128:320, 128:416].copy() for name in NAMES]


def noisy(photo: Pixels, sigma: float) -> npt.NDArray[np.float32]:
    noise = np.random.default_rng(0).standard_normal(photo.shape, np.float32)
    return (photo / np.float32(255) + noise * np.float32(sigma / 255)).astype(np.float32)


def quality_of(photo: Pixels, restored: npt.NDArray[np.float32]) -> float:
    return psnr(photo, (restored * 255).round().clip(0, 255).astype(np.uint8))


def gain(task: str, photo: Pixels, damaged: Pixels) -> float:
    return psnr(photo, shipped(task).restore(damaged).pixels) - psnr(photo, damaged)


def test_all_tasks_are_shipped_and_small() -> None:
    assert {*shipped_restorers()} == {*TASKS}
    assert all(restorer_path(task).stat().st_size < LARGEST for task in TASKS)


@pytest.mark.parametrize(("sigma", "gained"), [(15, 7.0), (25, 8.5), (50, 10.5)])
def test_noise_is_estimated_and_taken_out(sigma: float, gained: float, photos: list[Pixels]) -> None:
    for photo in photos:
        restored = shipped("denoise").restore(noisy(photo, sigma))
        assert restored.strength == pytest.approx(sigma, rel=0.15)
        assert quality_of(photo, restored.pixels) - quality_of(photo, noisy(photo, sigma)) > gained


def test_clean_photographs_come_out_nearly_untouched(photos: list[Pixels]) -> None:
    for photo in photos:
        assert psnr(photo, shipped("denoise").restore(photo).pixels) > 45.0


def test_passes_help(photos: list[Pixels]) -> None:
    one, eight = (
        np.mean(
            [quality_of(photo, shipped("denoise").restore(noisy(photo, 25), 25.0, None, n).pixels) for photo in photos]
        )
        for n in (1, 8)
    )
    assert eight > one + 0.05


@pytest.mark.parametrize("quality", [10, 20, 40])
def test_jpegs_get_better(quality: int, photos: list[Pixels]) -> None:
    assert np.mean([gain("dejpeg", photo, through_jpeg(photo, quality, "4:2:0")) for photo in photos]) > 0.8


def test_lost_pixels_are_filled(photos: list[Pixels]) -> None:
    for photo in photos:
        mask = np.random.default_rng(0).random(photo.shape[:2]) < 0.25
        filled = shipped("inpaint").restore(photo * ~mask[:, :, None], mask=mask).pixels
        assert np.array_equal(filled[~mask], photo[~mask])
        assert psnr(photo, filled) > 31.0


def test_the_dark_is_brightened(photos: list[Pixels]) -> None:
    for photo in photos:
        dark = (photo // 12).astype(np.uint8)
        assert shipped("lowlight").restore(dark).pixels.mean() > 4 * dark.mean()
        assert psnr(photo, shipped("lowlight").restore(dark).pixels) > psnr(photo, dark) + 3.0
