"""How near a decoded picture is to its original."""

from __future__ import annotations

import importlib
import importlib.util
import io
import math

import numpy as np
import torch
from PIL import Image
from pytorch_msssim import ms_ssim as _ms_ssim  # type: ignore[import-untyped]

# Five scales, halved four times, each filtered by a window of 11: less has no room for it.
MS_SSIM_SHORTEST_SIDE = 161
SSIMULACRA2_SHORTEST_SIDE = 8


def psnr(a: np.ndarray, b: np.ndarray) -> float:
    """Peak signal-to-noise ratio in dB over all samples of two uint8 arrays; infinite if they are equal.

    Raises:
        ValueError: other types, different shapes, or no samples.
    """
    _check_pair(a, b)
    difference = a.astype(np.int32) - b
    return psnr_of(int(np.sum(difference * difference, dtype=np.int64)), a.size)


def psnr_of(squared_errors: int, samples: int) -> float:
    """The same in dB, from the sum of squared differences over so many samples."""
    return math.inf if squared_errors == 0 else 10 * math.log10(255**2 * samples / squared_errors)


def ms_ssim(a: np.ndarray, b: np.ndarray) -> float:
    """Multi-scale structural similarity of two uint8 (H, W, C) arrays, at most 1, mean over the channels.

    NaN for pictures whose short side is less than 161, where the measure isn't defined.
    Wang, Simoncelli, Bovik: Multi-scale structural similarity for image quality assessment, Asilomar 2003.

    Raises:
        ValueError: other types, different shapes, not three dimensions, or no samples.
    """
    _check_pair(a, b)
    if a.ndim != 3:
        raise ValueError(f"expected (H, W, C), found shape {a.shape}")
    if min(a.shape[:2]) < MS_SSIM_SHORTEST_SIDE:
        return math.nan
    with torch.inference_mode():
        return float(_ms_ssim(_batch(a), _batch(b), data_range=255))


def has_ssimulacra2() -> bool:
    """Whether the package that measures it is installed: the extra ``archivae[ssimulacra2]``."""
    return importlib.util.find_spec("ssimulacra2") is not None


def ssimulacra2(a: np.ndarray, b: np.ndarray) -> float:
    """SSIMULACRA 2 of two uint8 (H, W, C) arrays taken for sRGB: 100 for equal ones, 90 visually lossless, below 0 very bad.

    NaN for pictures whose short side is less than 8, where the measure isn't defined.
    Sneyers: SSIMULACRA 2, Structural Similarity Unveiling Local And Compression Related Artifacts, 2022.

    Raises:
        ValueError: other types, different shapes, not three dimensions, or no samples.
        ImportError: the package ssimulacra2 is not installed, see `has_ssimulacra2`.
    """
    _check_pair(a, b)
    if a.ndim != 3:
        raise ValueError(f"expected (H, W, C), found shape {a.shape}")
    if min(a.shape[:2]) < SSIMULACRA2_SHORTEST_SIDE:
        return math.nan
    measure = importlib.import_module("ssimulacra2").compute_ssimulacra2
    return 100.0 if np.array_equal(a, b) else float(measure(_bmp(a), _bmp(b)))


def _bmp(pixels: np.ndarray) -> io.BytesIO:
    """A file, as the package takes them."""
    file = io.BytesIO()
    Image.fromarray(np.broadcast_to(pixels, (*pixels.shape[:2], 3))).save(file, "BMP")
    file.seek(0)
    return file


def _batch(pixels: np.ndarray) -> torch.Tensor:
    """(H, W, C) uint8 as (1, C, H, W) float32 in [0, 255]."""
    return torch.from_numpy(pixels.transpose(2, 0, 1)[np.newaxis].astype(np.float32))


def _check_pair(a: np.ndarray, b: np.ndarray) -> None:
    if a.dtype != np.uint8 or b.dtype != np.uint8:
        raise ValueError(f"expected two uint8 arrays, found {a.dtype} and {b.dtype}")
    if a.shape != b.shape or a.size == 0:
        raise ValueError(f"expected two non-empty arrays of one shape, found {a.shape} and {b.shape}")
