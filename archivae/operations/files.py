"""Files of pictures that never had one."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from archivae.images import Metadata, OutputFormat, Picture, write_picture
from archivae.images.notes import NO_NOTES


def pixels_file(pixels: npt.NDArray[np.uint8], format: OutputFormat) -> bytes:
    """A file of uint8 (H, W, 1 or 3). UsageError where the format cannot hold it."""
    return write_picture(Picture(pixels, "array", Metadata(), NO_NOTES), format)
