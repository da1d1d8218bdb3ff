from __future__ import annotations

import io
import math

import numpy as np
import pytest
from PIL import Image

from archivae.operations.quality import has_ssimulacra2, ms_ssim, psnr, ssimulacra2
from tests.models.small_codec import picture


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


@pytest.mark.parametrize("measure", [psnr, ms_ssim, ssimulacra2])
def test_pairs_that_do_not_match_are_refused(measure) -> None:  # type: ignore[no-untyped-def]
    with pytest.raises(ValueError, match=r"found \(4, 4, 3\) and \(4, 4, 1\)"):
        measure(noise(4, 4, 3), noise(4, 4, 1))
    with pytest.raises(ValueError, match="float64"):
        measure(noise(4, 4, 3), noise(4, 4, 3).astype(float))
    with pytest.raises(ValueError, match="non-empty"):
        measure(noise(0, 4, 3), noise(0, 4, 3))


needs_ssimulacra2 = pytest.mark.skipif(not has_ssimulacra2(), reason="the extra ssimulacra2 is not installed")


@needs_ssimulacra2
def test_ssimulacra2_falls_with_damage_and_knows_its_scale() -> None:
    """Equal is 100; a JPEG of quality 90 is near it, one of quality 10 is bad: the scale's own description."""
    original = picture(120, 160)
    smooth = (np.add.outer(np.arange(120), np.arange(160))[:, :, None] // 2 + np.arange(3) * 9).astype(np.uint8)
    assert ssimulacra2(original, original) == 100
    scores = []
    for quality in (90, 50, 10):
        file = io.BytesIO()
        Image.fromarray(smooth).save(file, "JPEG", quality=quality)
        scores.append(ssimulacra2(smooth, np.asarray(Image.open(file))))
    assert 100 > scores[0] > scores[1] > scores[2] and scores[0] > 75


@needs_ssimulacra2
def test_ssimulacra2_of_grey_is_that_of_three_equal_channels() -> None:
    grey = picture(40, 50)[:, :, :1]
    noisy = np.clip(grey.astype(int) + np.arange(50)[None, :, None] % 7 - 3, 0, 255).astype(np.uint8)
    assert ssimulacra2(grey, noisy) == ssimulacra2(np.repeat(grey, 3, 2), np.repeat(noisy, 3, 2))
    assert math.isnan(ssimulacra2(grey[:7], noisy[:7]))
