from __future__ import annotations

import math

import numpy as np
import pytest

from archivae.operations.quality import ms_ssim, psnr


def noise(*shape: int, seed: int = 5) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, shape, dtype=np.uint8)


def test_psnr_of_known_differences() -> None:
    black = np.zeros((4, 6, 3), np.uint8)
    assert psnr(black, black) == math.inf
    assert psnr(black, black + np.uint8(255)) == 0
    assert psnr(black, black + np.uint8(1)) == pytest.approx(48.1308, abs=1e-4)
    one = black.copy()
    one[0, 0, 0] = 255  # one sample of 72
    assert psnr(black, one) == psnr(one, black) == pytest.approx(10 * math.log10(72))


def test_ms_ssim_falls_with_damage() -> None:
    picture = np.kron(noise(24, 24, 3), np.ones((8, 8, 1), np.uint8))
    slight = np.clip(picture + np.random.default_rng(0).normal(0, 4, picture.shape), 0, 255).astype(np.uint8)
    strong = np.clip(picture + np.random.default_rng(0).normal(0, 40, picture.shape), 0, 255).astype(np.uint8)
    assert ms_ssim(picture, picture) == pytest.approx(1, abs=1e-6)
    assert 1 > ms_ssim(picture, slight) > ms_ssim(picture, strong) > 0


@pytest.mark.parametrize("channels", [1, 3])
def test_ms_ssim_needs_161_pixels(channels: int) -> None:
    assert math.isnan(ms_ssim(noise(160, 400, channels), noise(160, 400, channels)))
    assert not math.isnan(ms_ssim(noise(161, 161, channels), noise(161, 161, channels)))


@pytest.mark.parametrize("measure", [psnr, ms_ssim])
def test_pairs_that_do_not_match_are_refused(measure) -> None:  # type: ignore[no-untyped-def]
    with pytest.raises(ValueError, match=r"found \(4, 4, 3\) and \(4, 4, 1\)"):
        measure(noise(4, 4, 3), noise(4, 4, 1))
    with pytest.raises(ValueError, match="float64"):
        measure(noise(4, 4, 3), noise(4, 4, 3).astype(float))
    with pytest.raises(ValueError, match="non-empty"):
        measure(noise(0, 4, 3), noise(0, 4, 3))
