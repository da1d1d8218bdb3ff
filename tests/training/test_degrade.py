from __future__ import annotations

import numpy as np
import pytest
import torch

from archivae.models.restore.brighten import brighten
from archivae.models.restore.tasks import TASKS
from archivae.models.training import masks
from archivae.models.training.camera import camera_noise, to_linear, to_srgb
from archivae.models.training.darken import darken, split_pair
from archivae.models.training.degrade import add_noise, compress_jpeg, punch_holes, through_jpeg
from archivae.models.training.restore_data import DEGRADATIONS, RestorationSampler
from tests.training.tiny import smooth_picture


def sampler(task: str, seed: int = 5, pairs: bool = False) -> RestorationSampler:
    pictures = [smooth_picture(n) for n in range(3)]
    together = [np.concatenate([p // 8, p], 2) for p in pictures] if pairs else []
    return RestorationSampler(TASKS[task], pictures, together, 64, seed)


@pytest.mark.parametrize("task", sorted(TASKS))
def test_a_batch_is_a_function_of_seed_and_step(task: str) -> None:
    first, again = (sampler(task).batch(7, range(4)) for _ in range(2))
    assert first.pixels.shape == first.clean.shape == (4, 3, 64, 64) and first.mask.shape == (4, 1, 64, 64)
    assert (first.pixels.dtype, first.clean.dtype, first.mask.dtype) == (torch.float32, torch.uint8, torch.float32)
    assert first.pixels.is_contiguous(memory_format=torch.channels_last)
    assert (first.level >= 0).all() and (first.level <= 1).all()
    assert all(torch.equal(one, other) for one, other in zip(first, again, strict=True))
    assert not torch.equal(first.pixels, sampler(task, seed=6).batch(7, range(4)).pixels)
    assert not torch.equal(first.pixels, sampler(task).batch(8, range(4)).pixels)


def test_processes_share_the_batch_that_one_would_draw() -> None:
    drawn = sampler("denoise")
    whole, halves = drawn.batch(3, range(4)), [drawn.batch(3, range(n, n + 2)) for n in (0, 2)]
    for one, parts in zip(whole, zip(*halves, strict=True), strict=True):
        assert torch.equal(one, torch.cat(parts))


def test_every_task_has_its_damage() -> None:
    assert DEGRADATIONS.keys() == TASKS.keys()


def drawn(degrade: object, count: int = 60) -> list:
    return [degrade(np.random.default_rng(n), smooth_picture(n % 5)) for n in range(count)]  # type: ignore[operator]


def test_noise_is_as_strong_as_it_says() -> None:
    for crop in drawn(add_noise):
        rms = 255 * np.sqrt(np.mean((crop.pixels - crop.clean / 255) ** 2))
        assert rms <= crop.strength * 1.1 + 0.3  # clipping makes it weaker
        assert rms >= crop.strength * 0.7


def test_some_crops_are_clean_and_some_are_grey() -> None:
    crops = drawn(add_noise, 200)
    clean = [crop for crop in crops if crop.strength == 0]
    grey = [crop for crop in crops if (crop.clean[:, :, :1] == crop.clean).all()]
    assert 2 <= len(clean) <= 25 and 4 <= len(grey) <= 40
    for crop in grey:
        np.testing.assert_array_equal(crop.pixels[:, :, :1] * np.ones(3, np.float32), crop.pixels)


def test_camera_noise_grows_with_light_and_is_seeded() -> None:
    dark, light = (np.full((200, 200, 3), level, np.float32) for level in (0.01, 0.8))
    weak, strong = (camera_noise(np.random.default_rng(1), level).std() for level in (dark, light))
    assert strong > 2 * weak


def test_light_and_levels_are_each_other_undone() -> None:
    levels = np.arange(256, dtype=np.uint8)
    np.testing.assert_allclose(to_srgb(to_linear(levels)) * 255, levels, atol=0.01)


def test_jpegs_are_real_and_some_are_shifted() -> None:
    for crop in drawn(compress_jpeg, 30):
        assert crop.pixels.shape == crop.clean.shape
        assert 10 <= crop.strength <= 95 or crop.strength == 100
    picture = smooth_picture(0)
    errors = [np.mean((through_jpeg(picture, q, "4:2:0") - picture.astype(float)) ** 2) for q in (10, 40, 90)]
    assert errors[0] > errors[1] > errors[2] > 0


def test_holes_are_black_and_the_rest_is_untouched() -> None:
    for crop in drawn(punch_holes):
        assert 0 < crop.mask.mean() < 0.95
        assert not crop.pixels[crop.mask].any()
        np.testing.assert_allclose(crop.pixels[~crop.mask] * 255, crop.clean[~crop.mask], atol=1e-3)


@pytest.mark.parametrize("draw", [masks.lost_pixels, masks.rectangles, masks.strokes, masks.writing])
def test_every_kind_of_hole(draw: object) -> None:
    shares = [draw(np.random.default_rng(n), 96, 64).mean() for n in range(20)]  # type: ignore[operator]
    assert 0.01 < np.mean(shares) < 0.9 and np.std(shares) > 0.01


def test_darkened_photographs_say_how_dark_they_are() -> None:
    for crop in drawn(darken, 20):
        assert crop.pixels.mean() <= crop.clean.mean() / 255 + 1e-6
        assert (crop.strength > 0.5) == (crop.pixels.mean() < 0.9 * crop.clean.mean() / 255)


def test_lit_parts_of_the_dark_are_what_the_curve_makes_of_them(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("archivae.models.training.darken.LIT_SHARE", 1.0)
    monkeypatch.setattr("archivae.models.training.darken.BRIGHT_SHARE", 0.0)
    errors = []
    for crop in drawn(darken, 20):
        pixels = torch.from_numpy(crop.pixels).permute(2, 0, 1)[None]
        curve = brighten(pixels, torch.full((1, 1, 1, 1), crop.strength))[0].permute(1, 2, 0).numpy()
        assert abs(curve.mean() - crop.clean.mean() / 255) < 0.1  # noise and a cast aside
        brightest, lit = np.abs(curve - crop.clean / 255).max(axis=2), crop.pixels.max(axis=2) > 0.6
        errors.append(brightest[lit])
    lit_errors = np.concatenate(errors)
    assert len(lit_errors) > 1000 and lit_errors.mean() < 0.1


def test_pairs_are_split() -> None:
    light = smooth_picture(0)
    crop = split_pair(np.concatenate([light // 8, light], 2))
    np.testing.assert_array_equal(crop.clean, light)
    np.testing.assert_allclose(crop.pixels * 255, light // 8, atol=1e-3)
    assert crop.strength > 2


def test_pairs_are_drawn_beside_photographs() -> None:
    batch = sampler("lowlight", pairs=True).batch(0, range(12))
    assert (batch.pixels.mean((1, 2, 3)) < batch.clean.float().mean((1, 2, 3)) / 255 / 6).sum() > 4
