from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from archivae.images import open_picture
from archivae.models.restore.assess import assess
from archivae.models.training.degrade import through_jpeg

PHOTOS = sorted((Path(__file__).resolve().parents[3] / "examples" / "photos").glob("*.png"))
rng = np.random.default_rng(0)


@pytest.fixture(scope="module")
def photos() -> list[np.ndarray]:
    return [open_picture(path.read_bytes()).pixels for path in PHOTOS[:4]]


def noisy(photo: np.ndarray, sigma: float) -> np.ndarray:
    return (photo + rng.normal(0, sigma, photo.shape)).round().clip(0, 255).astype(np.uint8)


def test_good_photographs_are_left_alone(photos: list[np.ndarray]) -> None:
    assert [assess(photo).tasks for photo in photos] == [()] * len(photos)


@pytest.mark.parametrize("sigma", [10, 25])
def test_noise_is_measured(photos: list[np.ndarray], sigma: float) -> None:
    for photo in photos:
        found = assess(noisy(photo, sigma))
        assert found.noise == pytest.approx(sigma, rel=0.3)
        assert found.tasks == ("denoise",)


@pytest.mark.parametrize("crop", [(0, 0), (3, 5)])
def test_jpegs_are_seen_wherever_their_blocks_begin(photos: list[np.ndarray], crop: tuple[int, int]) -> None:
    for photo in photos:
        found = assess(through_jpeg(photo, 20, "4:2:0")[crop[0] :, crop[1] :])
        assert found.blocking > 0.8 and found.tasks == ("dejpeg",)


def test_dark_pictures_are_seen_and_their_noise_is_left_to_lowlight(photos: list[np.ndarray]) -> None:
    for photo in photos:
        assert assess(photo // 8).tasks == ("lowlight",)
        assert "denoise" not in assess(noisy(photo // 6, 8)).tasks


def test_depth_does_not_matter(photos: list[np.ndarray]) -> None:
    shallow, deep = assess(photos[0]), assess(photos[0].astype(np.uint16) * 257)
    assert deep.noise == pytest.approx(shallow.noise, rel=1e-3) and deep.tasks == shallow.tasks


@pytest.mark.parametrize("size", [(1, 1), (7, 300), (9, 9), (1, 2000)])
def test_tiny_pictures_need_nothing(size: tuple[int, int]) -> None:
    assert assess(np.full((*size, 1), 128, np.uint8)).tasks == ()


def test_large_pictures_are_judged_by_windows() -> None:
    found = assess(np.tile(through_jpeg(rng.integers(0, 256, (64, 64, 3), np.uint8), 10, "4:4:4"), (40, 20, 1)))
    assert found.blocking > 0.3
