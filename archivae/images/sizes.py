"""Sizes judged before a pixel is decoded. Python's integers don't overflow: every product here is exact."""

from __future__ import annotations

import io

from PIL import Image

from archivae.errors import DamagedPictureError, PictureTooLargeError

LONGEST_SIDE = 2**32 - 1
"""What the bitstream's header can hold."""


def check_size(height: int, width: int, max_pixels: int, frames: int = 1) -> None:
    """DamagedPictureError for a picture of nothing, PictureTooLargeError over ``max_pixels``, all frames counted."""
    if width < 1 or height < 1 or frames < 1:
        raise DamagedPictureError(f"expected at least one pixel, found a header of {width} x {height}")
    if max(height, width) > LONGEST_SIDE:
        raise PictureTooLargeError(f"expected sides of at most {LONGEST_SIDE:,}, found {width} x {height}")
    pixels = height * width * frames
    if pixels > max_pixels:
        times = f" in {frames} frames" if frames > 1 else ""
        raise PictureTooLargeError(
            f"expected at most {max_pixels:,} pixels, found {width} x {height}{times} = {pixels:,}; "
            "raise the limit if the file can be trusted"
        )


def promised_pixels(data: bytes) -> int | None:
    """The pixels that a file's header promises, of its first frame; None where Pillow does not know the file."""
    try:
        with Image.open(io.BytesIO(data)) as image:
            return image.width * image.height
    except Exception:  # Pillow raises anything; whoever decodes the file will say what is wrong with it
        return None
