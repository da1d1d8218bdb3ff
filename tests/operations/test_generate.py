"""New pictures are functions of the order alone."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from archivae.errors import ModelError, UsageError
from archivae.models import ModelName, RunningModel, open_model
from archivae.models.texture.synthesis import synthesise
from archivae.operations.generate import CHUNK, Between, Samples, Texture, chunk_seed, generate, interpolate
from archivae.operations.sheet import MOST, sheet
from tests.autoencoders import pictures, weight_file


@pytest.fixture
def cvae(tmp_path: Path) -> RunningModel:
    return open_model(ModelName(weight_file(tmp_path, "cvae")), "cpu")


def test_equal_seeds_give_equal_pictures_and_others_others(cvae: RunningModel) -> None:
    first, again, other = (np.stack(generate(cvae, 5, seed=seed)) for seed in (3, 3, 4))
    assert first.dtype == np.uint8 and first.shape == (5, 12, 12, 1)
    assert np.array_equal(first, again) and not np.array_equal(first, other)


def test_more_pictures_begin_with_the_same(cvae: RunningModel) -> None:
    few, many = np.stack(generate(cvae, CHUNK - 3, seed=1)), np.stack(generate(cvae, CHUNK + 5, seed=1))
    assert len(many) == CHUNK + 5 and np.array_equal(many[: len(few)], few)


def test_threads_change_no_picture(cvae: RunningModel) -> None:
    before = torch.get_num_threads()
    made = []
    try:
        for threads in (1, 2):
            torch.set_num_threads(threads)
            made.append(np.stack(generate(cvae, 70, seed=9)))
    finally:
        torch.set_num_threads(before)
    assert np.array_equal(*made)


def test_the_seeds_of_chunks_have_nothing_in_common() -> None:
    assert len({chunk_seed(seed, chunk) for seed in range(20) for chunk in range(20)}) == 400
    assert chunk_seed(7, 0) == 8460147692890830636  # part of what a seed means: must not change


def test_labels_are_of_the_model(cvae: RunningModel, tmp_path: Path) -> None:
    assert len(generate(cvae, 2, label="square")) == 2
    with pytest.raises(UsageError, match="has the labels round, square; found 'blue'"):
        generate(cvae, 2, label="blue")
    with pytest.raises(UsageError, match="count of at least 1"):
        Samples(0)
    with pytest.raises(ModelError, match="cannot sample"):
        generate(open_model(ModelName(weight_file(tmp_path, "conv")), "cpu"), 2)


def test_the_way_between_two_pictures_has_both_ends(cvae: RunningModel) -> None:
    first, last = pictures(2)
    way = interpolate(cvae, first, last, 5)
    assert len(way) == 5
    ends = cvae.decode(cvae.encode([first, last]))
    for found, wanted in zip((way[0], way[-1]), ends, strict=True):
        assert np.abs(found.astype(int) - wanted).max() <= 1
    with pytest.raises(UsageError, match="at least 2 steps"):
        Between("a", "b", 1)


def stripes(side: int = 48) -> np.ndarray:
    """A texture of slanted stripes of uneven widths, (side, side, 3) uint8."""
    rng = np.random.default_rng(2)
    y, x = np.mgrid[:side, :side]
    waves = np.sin((x + y / 2) / 2.5) * 70 + rng.normal(0, 5, (side, side)) + 120
    return np.repeat(waves.clip(0, 255).astype(np.uint8)[..., None], 3, 2)


def test_a_texture_looks_like_its_sample_everywhere() -> None:
    sample = stripes()
    made = synthesise(sample, 100, 131, seed=3)
    assert made.shape == (100, 131, 3) and made.dtype == np.uint8
    assert np.array_equal(made, synthesise(sample, 100, 131, seed=3))
    assert not np.array_equal(made, synthesise(sample, 100, 131, seed=4))
    assert abs(made.mean() - sample.mean()) < 15 and abs(made.std() - sample.std()) < 15
    # Steps from pixel to pixel are as large as in the sample, and nowhere much larger: no seams.
    for axis in (0, 1):
        ours, theirs = (np.abs(np.diff(p[..., 0].astype(int), axis=axis)) for p in (made, sample))
        assert ours.mean() < 1.5 * theirs.mean()
        assert ours.mean(1 - axis).max() < 2.2 * theirs.mean()


def cobbles(side: int = 128) -> np.ndarray:
    """Dark, middling and bright blotches with flat ground between them, (side, side, 3) uint8."""
    rng = np.random.default_rng(4)
    small = rng.choice([40, 110, 120, 130, 220], (side // 8, side // 8))
    blotches = np.kron(small, np.ones((8, 8))) + rng.normal(0, 6, (side, side))
    return np.repeat(blotches.clip(0, 255).astype(np.uint8)[..., None], 3, 2)


def test_a_texture_has_of_everything_what_its_sample_has() -> None:
    """Not the flattest parts alone, which fit nearly everywhere."""
    sample = cobbles()
    made = synthesise(sample, 200, 200, seed=0)
    for low, high in ((0, 80), (80, 170), (170, 256)):
        parts = [((low <= picture) & (picture < high)).mean() for picture in (made, sample)]
        assert 0.5 < parts[0] / parts[1] < 1.5, (low, parts)


def test_a_texture_does_not_repeat_itself() -> None:
    """Shifted against itself by any distance beyond the stripes' own, it never fits as a copy would."""
    made = synthesise(stripes(), 96, 96, seed=5)[..., 0].astype(float)
    grain = made - (np.roll(made, 1, 0) + np.roll(made, -1, 0) + np.roll(made, 2, 0) + np.roll(made, -2, 0)) / 4
    spectrum = np.abs(np.fft.fft2(grain - grain.mean())) ** 2
    likeness = np.fft.ifft2(spectrum).real
    likeness /= likeness[0, 0]
    likeness[:8, :8] = likeness[-8:, :8] = likeness[:8, -8:] = likeness[-8:, -8:] = 0
    assert likeness.max() < 0.6


def test_textures_that_cannot_be_are_refused() -> None:
    with pytest.raises(UsageError, match="at least 32 pixels a side, found 48x20"):
        synthesise(stripes()[:20], 10, 10, seed=0)
    with pytest.raises(UsageError, match="expected a size of 1 to"):
        Texture("a.png", 0, 10)


def test_sheets_show_so_many_and_no_more() -> None:
    assert sheet(list(pictures(3))).ndim == 3
    assert sheet(list(pictures(MOST + 20))).shape == sheet(list(pictures(MOST))).shape
    assert max(sheet([np.zeros((5000, 40, 3), np.uint8)]).shape) < 1100
