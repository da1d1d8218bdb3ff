from __future__ import annotations

import numpy as np
import pytest
import torch

from archivae.errors import UsageError
from archivae.models.training.ahead import map_ahead
from archivae.models.training.copies import damaged_copy
from archivae.models.training.data import CropSampler
from tests.training.tiny import smooth_picture


def test_a_batch_is_a_function_of_seed_and_step() -> None:
    pictures = [smooth_picture(n) for n in range(3)]
    first, again = (CropSampler(pictures, 64, seed=5).batch(7, range(4)) for _ in range(2))
    assert first.pixels.shape == (4, 3, 64, 64) and first.pixels.dtype == torch.uint8
    assert first.pixels.is_contiguous(memory_format=torch.channels_last)
    assert torch.equal(first.pixels, again.pixels) and torch.equal(first.quality, again.quality)
    for seed, step in ((6, 7), (5, 8)):
        assert not torch.equal(first.pixels, CropSampler(pictures, 64, seed).batch(step, range(4)).pixels)


def test_processes_share_the_batch_that_one_would_draw() -> None:
    sampler = CropSampler([smooth_picture(0)], 64, seed=0)
    whole, halves = sampler.batch(3, range(4)), [sampler.batch(3, range(n, n + 2)) for n in (0, 2)]
    assert torch.equal(whole.pixels, torch.cat([half.pixels for half in halves]))
    assert torch.equal(whole.quality, torch.cat([half.quality for half in halves]))


def test_batches_come_in_order() -> None:
    sampler = CropSampler([smooth_picture(0)], 64, seed=0)
    drawn = list(sampler.batches(range(4, 9), range(2)))
    assert len(drawn) == 5
    for step, batch in zip(range(4, 9), drawn, strict=True):
        assert torch.equal(batch.pixels, sampler.batch(step, range(2)).pixels)


def test_larger_pictures_are_seen_more_often_and_small_ones_not_at_all() -> None:
    values = {1: (64, 64), 2: (64, 192), 3: (63, 500)}
    sampler = CropSampler([np.full((*size, 3), value, np.uint8) for value, size in values.items()], 64, seed=0)
    seen = sampler.batch(0, range(400)).pixels[:, 0, 0, 0]
    assert set(seen.tolist()) == {1, 2}
    assert 0.68 < (seen == 2).float().mean() < 0.82


def test_no_picture_large_enough_is_an_error() -> None:
    with pytest.raises(UsageError, match="at least 64 pixels on both sides, found none among 1"):
        CropSampler([smooth_picture(0, 63, 100)], 64, seed=0)


def test_map_ahead_works_no_further_ahead_than_its_window() -> None:
    done: list[int] = []

    def note(n: int) -> int:
        done.append(n)
        return n

    answers = map_ahead(note, range(100), threads=1, window=2)
    assert [next(answers) for _ in range(3)] == [0, 1, 2]
    answers.close()
    assert len(done) <= 5


def test_damaged_copies_come_in_the_share_asked_for_and_leave_other_crops_alone() -> None:
    pictures = [smooth_picture(n) for n in range(3)]
    clean = CropSampler(pictures, 64, seed=5).batch(2, range(200))
    mixed = CropSampler(pictures, 64, 5, damaged=0.3, damage=damaged_copy).batch(2, range(200))
    assert torch.equal(clean.quality, mixed.quality)
    differing = (clean.pixels != mixed.pixels).flatten(1).any(1)
    assert 0.15 < differing.float().mean() < 0.35  # some damages are none
    assert torch.equal(mixed.pixels, CropSampler(pictures, 64, 5, 0.3, damaged_copy).batch(2, range(200)).pixels)


def test_copies_are_noisy_recompressed_or_dark() -> None:
    clean = smooth_picture(1, 64, 64)
    copies = [damaged_copy(np.random.default_rng(n), clean) for n in range(60)]
    assert all(copy.dtype == np.uint8 and copy.shape == clean.shape for copy in copies)
    roughness = [np.abs(np.diff(copy.astype(int), axis=0)).mean() for copy in copies]
    usual = np.abs(np.diff(clean.astype(int), axis=0)).mean()
    assert sum(copy.mean() < 0.6 * clean.mean() for copy in copies) >= 5
    assert sum(rough > 1.5 * usual for rough in roughness) >= 5
