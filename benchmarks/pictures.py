"""The pictures that are measured."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import numpy.typing as npt

from archivae.images import open_picture

KODAK = Path("/work/shared/data/kodak")
"""The 24 pictures of the Kodak set; elsewhere `--pictures` says where they are."""
ENDINGS = {".png", ".jpg", ".jpeg", ".webp", ".avif", ".tif", ".tiff"}

Pixels = npt.NDArray[np.uint8]


def find_pictures(folder: Path, count: int | None = None) -> list[Path]:
    """``count`` picture files of ``folder``, spread evenly over their sorted names; all without a count."""
    paths = sorted(path for path in folder.glob("*") if path.suffix.lower() in ENDINGS)
    if not paths:
        raise SystemExit(f"expected pictures in {folder}, found none: give a folder with --pictures")
    count = min(count or len(paths), len(paths))
    return [paths[n * len(paths) // count] for n in range(count)]


def read_pixels(path: Path) -> Pixels:
    """(H, W, 3) uint8; grey three times."""
    pixels = open_picture(path.read_bytes()).pixels
    return np.ascontiguousarray(np.broadcast_to(pixels, (*pixels.shape[:2], 3)))


def read_pictures(folder: Path, count: int | None = None) -> dict[str, Pixels]:
    """Pixels by name, of the files that `find_pictures` finds."""
    return {path.stem: read_pixels(path) for path in find_pictures(folder, count)}


def mirrored(picture: Pixels, height: int, width: int, shift: int = 0) -> Pixels:
    """``picture`` continued by its mirror images, without a seam, from row and column ``shift`` on.

    >>> mirrored(np.array([[[1], [2], [3]]], np.uint8), 1, 8, shift=1).ravel().tolist()
    [2, 3, 3, 2, 1, 1, 2, 3]
    """
    rows, columns = (
        np.pad(np.arange(side), (0, max(wanted + shift - side, 0)), mode="symmetric")[shift : shift + wanted]
        for side, wanted in zip(picture.shape[:2], (height, width), strict=True)
    )
    return np.asarray(picture[rows][:, columns])
