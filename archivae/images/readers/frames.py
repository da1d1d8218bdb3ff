"""What all readers through Pillow share: open, check the size, and load the frames that are wished for."""

from __future__ import annotations

import io
from collections.abc import Callable

from PIL import Image, ImageFile

from archivae.errors import DamagedPictureError
from archivae.images.picture import Raster, Rasters, ReadOptions
from archivae.images.sizes import check_size

OpenFrame = Callable[[], ImageFile.ImageFile]
"""The file opened at one frame, nothing of that decoded yet; opened anew at each call, but for animations."""
_PAGED = ("TIFF",)

ToRaster = Callable[[OpenFrame, ReadOptions], tuple[Raster, str]]
"""One frame decoded; the text says what is damaged, empty if nothing is."""


def read_frames(data: bytes, kind: str, options: ReadOptions, max_pixels: int, to_raster: ToRaster) -> Rasters:
    """The first frame or all, each made by ``to_raster``; ``kind`` is Pillow's name of the format."""
    image = _open(data, kind, 0)
    count = getattr(image, "n_frames", 1)
    wished = range(count if options.frames == "all" else 1)
    check_size(image.height, image.width, max_pixels, len(wished))
    loops = int(image.info.get("loop") or 0)
    rasters, times, damage = [], [], ""
    for index in wished:
        opener = (
            _pages(data, kind, index, max_pixels) if kind in _PAGED else _played(data, kind, image, index, len(wished))
        )
        raster, broken = to_raster(opener, options)
        rasters.append(raster)
        times.append(max(0, round(float(image.info.get("duration", 0)))) if len(wished) > 1 else 0)
        damage = damage or broken
    return Rasters(rasters[0], tuple(rasters[1:]), count, tuple(times), loops, damage)


def _pages(data: bytes, kind: str, index: int, max_pixels: int) -> OpenFrame:
    """A page, which has a size of its own and needs no other."""
    ready = [_open(data, kind, index)]
    check_size(ready[0].height, ready[0].width, max_pixels)
    return lambda: ready.pop() if ready else _open(data, kind, index)


def _played(data: bytes, kind: str, image: ImageFile.ImageFile, index: int, frames: int) -> OpenFrame:
    """A frame, which may build upon those before: played on in one opened file. A still picture may be opened again."""
    if frames > 1:
        _seek(image, index)
        return lambda: image
    ready = [image]
    return lambda: ready.pop() if ready else _open(data, kind, index)


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


def _open(data: bytes, kind: str, index: int) -> ImageFile.ImageFile:
    image = Image.open(io.BytesIO(data), formats=[kind])
    _seek(image, index)
    return image


def _seek(image: ImageFile.ImageFile, index: int) -> None:
    if index == 0:
        return
    try:
        image.seek(index)
    except EOFError as error:
        raise DamagedPictureError(f"expected a frame {index + 1}, found the file's end: {error}") from error
