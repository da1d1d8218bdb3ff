"""What all readers through Pillow share: open, check the size, and load the frames that are wished for."""

from __future__ import annotations

import io
from collections.abc import Callable
from typing import Any

from PIL import Image, ImageFile

from archivae.errors import DamagedPictureError
from archivae.images.picture import Raster, Rasters, ReadOptions
from archivae.images.sizes import check_size

OpenFrame = Callable[[], ImageFile.ImageFile]
"""The file opened anew at one frame, nothing of it decoded yet."""
ToRaster = Callable[[OpenFrame, ReadOptions], tuple[Raster, str]]
"""One frame decoded; the text says what is damaged, empty if nothing is."""


def read_frames(data: bytes, kind: str, options: ReadOptions, max_pixels: int, to_raster: ToRaster) -> Rasters:
    """The first frame or all, each made by ``to_raster``; ``kind`` is Pillow's name of the format."""
    image = _open(data, kind, 0)
    count = getattr(image, "n_frames", 1)
    wished = range(count if options.frames == "all" else 1)
    check_size(image.height, image.width, max_pixels, len(wished))
    rasters, times, damage = [], [], ""
    for index in wished:
        opener = _opener(data, kind, index)
        check_size(*opener().size[::-1], max_pixels)  # pages differ in size
        raster, broken = to_raster(opener, options)
        rasters.append(raster)
        times.append(_milliseconds(data, kind, index) if len(wished) > 1 else 0)
        damage = damage or broken
    loops = image.info.get("loop", 0)
    return Rasters(rasters[0], tuple(rasters[1:]), count, tuple(times), int(loops or 0), damage)


def load(image: ImageFile.ImageFile, tolerant: bool) -> str:
    """Decode ``image``; if it is cut short and ``tolerant``, keep what there is and say so. Raises OSError otherwise."""
    try:
        image.load()
    except OSError as error:
        # Pillow's switch for this is one for the whole process; what was decoded is there without it.
        if not tolerant or image._im is None:
            raise
        image.tile = []
        return str(error)
    return ""


def _opener(data: bytes, kind: str, index: int) -> OpenFrame:
    return lambda: _open(data, kind, index)


def _open(data: bytes, kind: str, index: int) -> ImageFile.ImageFile:
    image: Any = Image.open(io.BytesIO(data), formats=[kind])
    if index:
        try:
            image.seek(index)
        except EOFError as error:
            raise DamagedPictureError(f"expected a frame {index + 1}, found the file's end: {error}") from error
    return image


def _milliseconds(data: bytes, kind: str, index: int) -> int:
    """How long a frame is shown; some plugins know only after they have decoded it."""
    image = _open(data, kind, index)
    if kind in ("WEBP", "AVIF"):
        image.load()
    return max(0, round(float(image.info.get("duration", 0))))
