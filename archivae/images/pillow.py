"""Where pixels meet Pillow: arrays to images and back, and Pillow's many exceptions made one."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
from PIL import Image

from archivae.errors import ArchivaeError

# Pillow's own limit is a process-wide number that first warns and then raises. Every size is checked here before a pixel
# is decoded, against a limit the caller chose, so Pillow's would only contradict it.
Image.MAX_IMAGE_PIXELS = None

STRIP = 256
"""Rows that are copied at once."""


@contextmanager
def pillow_errors_as(error_class: type[ArchivaeError], doing: str) -> Iterator[None]:
    """Turn whatever Pillow raises inside into ``error_class``, chained; our own errors and MemoryError pass through.

    Damaged files make Pillow raise OSError, SyntaxError, ValueError, struct.error, EOFError, KeyError, ZeroDivisionError
    and more, so the net is wide on purpose.
    """
    try:
        yield
    except (ArchivaeError, MemoryError):
        raise
    except Exception as error:
        raise error_class(f"{doing} failed: {type(error).__name__}: {error}") from error


def check_pixels(pixels: np.ndarray) -> None:
    """Raise ValueError unless ``pixels`` is a non-empty uint8 array of shape (H, W, 1) or (H, W, 3)."""
    if pixels.dtype != np.uint8 or pixels.ndim != 3 or pixels.shape[2] not in (1, 3) or pixels.size == 0:
        raise ValueError(
            f"expected non-empty uint8 pixels of shape (H, W, 1) or (H, W, 3), found {pixels.dtype} of shape {pixels.shape}"
        )


def to_image(pixels: np.ndarray) -> Image.Image:
    """uint8 (H, W, 1) or (H, W, 3) as a Pillow image of mode L or RGB; ValueError for anything else."""
    check_pixels(pixels)
    return Image.fromarray(pixels[:, :, 0] if pixels.shape[2] == 1 else pixels)


def with_alpha(pixels: np.ndarray, alpha: np.ndarray) -> Image.Image:
    """uint8 (H, W, 1 or 3) and (H, W) as a Pillow image of mode LA or RGBA."""
    check_pixels(pixels)
    return Image.fromarray(np.dstack([pixels, alpha]))


def to_pixels(image: Image.Image) -> np.ndarray:
    """An image as (H, W, C) of its own type, C-contiguous and read-only."""
    pixels, _ = split_alpha(image, has_alpha=False)
    pixels.setflags(write=False)
    return pixels


def split_alpha(image: Image.Image, has_alpha: bool) -> tuple[np.ndarray, np.ndarray | None]:
    """An image as (H, W, C) of its own type and byte order, and its last channel apart as (H, W) where that is alpha."""
    width, height = image.size
    channels, dtype = len(image.getbands()), np.asarray(image.crop((0, 0, 1, 1))).dtype.newbyteorder("=")
    pixels = np.empty((height, width, channels - has_alpha), dtype)
    alpha = np.empty((height, width), dtype) if has_alpha else None
    for top in range(0, height, STRIP):  # at once, Pillow would make two more copies of a picture on the way
        rows = slice(top, min(top + STRIP, height))
        strip = np.asarray(image.crop((0, top, width, rows.stop))).reshape(-1, width, channels)
        pixels[rows] = strip[:, :, : channels - has_alpha]
        if alpha is not None:
            alpha[rows] = strip[:, :, -1]
    return pixels, alpha
