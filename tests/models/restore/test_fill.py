from __future__ import annotations

import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from archivae.models.restore.fill import Coarse, complete, fill_alone


def test_known_pixels_stay() -> None:
    pixels, mask = torch.rand(2, 3, 64, 96), (torch.rand(2, 1, 64, 96) < 0.6).float()
    filled = fill_alone(pixels, mask)
    assert torch.equal(filled * (1 - mask), pixels * (1 - mask))
    assert filled.min() >= 0 and filled.max() <= 1


def test_one_known_pixel_fills_everything() -> None:
    mask = torch.ones(1, 1, 64, 64)
    mask[0, 0, 40, 3] = 0
    torch.testing.assert_close(fill_alone(torch.full((1, 3, 64, 64), 0.3), mask), torch.full((1, 3, 64, 64), 0.3))


def test_nothing_known_gives_grey() -> None:
    assert (fill_alone(torch.rand(1, 3, 32, 32), torch.ones(1, 1, 32, 32)) == 0.5).all()


def test_a_hole_takes_the_colours_around_it() -> None:
    pixels = torch.zeros(1, 3, 64, 64)
    pixels[..., 32:] = 1
    mask = torch.zeros(1, 1, 64, 64)
    mask[..., 20:30, 4:14] = 1
    mask[..., 20:30, 50:60] = 1
    torch.testing.assert_close(fill_alone(pixels, mask), pixels)


@settings(max_examples=40, deadline=None)
@given(height=st.integers(1, 9), width=st.integers(1, 9), seed=st.integers(0, 99))
def test_coarse_pictures_of_any_size_are_completed(height: int, width: int, seed: int) -> None:
    random = torch.Generator().manual_seed(seed)
    known = (torch.rand(1, 1, height, width, generator=random) < 0.3).float()
    colours = torch.rand(1, 3, height, width, generator=random)
    found = complete(Coarse(colours * known, known))
    assert found.shape == colours.shape
    assert torch.equal(found * known, colours * known)
    assert found.min() >= 0 and found.max() <= 1
