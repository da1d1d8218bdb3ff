"""The pictures that restorers take, and how they become numbers about [0, 1] and pictures again."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from archivae.errors import MaskError, UsageError

Picture = npt.NDArray[Any]
"""(H, W, 1) or (H, W, 3): uint8, uint16, or float32 about [0, 1], which is neither clipped nor rounded."""
Mask = npt.NDArray[np.bool_]
"""(H, W), true in holes."""

_PEAKS = {"uint8": 255, "uint16": 65535}


def check_picture(picture: Picture) -> None:
    """UsageError for what is none."""
    if picture.ndim != 3 or picture.shape[2] not in (1, 3) or not picture.size:
        raise UsageError(f"expected a picture of (height, width, 1 or 3), found an array of {picture.shape}")
    if picture.dtype.name not in (*_PEAKS, "float32"):
        raise UsageError(f"expected samples of uint8, uint16 or float32, found {picture.dtype}")


def check_mask(mask: Mask, picture: Picture) -> None:
    """MaskError for a mask that does not fit the picture, or that leaves nothing of it."""
    if mask.shape != picture.shape[:2] or mask.dtype != np.bool_:
        raise MaskError(
            f"expected a mask of {picture.shape[:2]} booleans, as the picture is, found {mask.shape} of {mask.dtype}: "
            "make it as large as the picture, turned upright"
        )
    if mask.all():
        raise MaskError(
            "expected a mask that leaves something of the picture, found everything masked: "
            "see that holes are white in it, and the rest black"
        )


def to_float(pixels: Picture) -> npt.NDArray[np.float32]:
    """Three channels of float32, (H, W, 3); grey is repeated."""
    rgb = np.broadcast_to(pixels, (*pixels.shape[:2], 3))
    if pixels.dtype == np.float32:
        return np.array(rgb)  # torch wants it writable, which a broadcast view is not
    return rgb * np.float32(1 / _PEAKS[pixels.dtype.name])


def from_float(rgb: npt.NDArray[np.float32], like: Picture) -> Picture:
    """(H, W, 3) float32 to the channels and the dtype of ``like``; grey is the mean."""
    values = rgb if like.shape[2] == 3 else rgb.mean(axis=2, keepdims=True)
    if like.dtype == np.float32:
        return values
    peak = _PEAKS[like.dtype.name]
    return (values * peak).round().clip(0, peak).astype(like.dtype)
