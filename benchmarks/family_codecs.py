"""The families as codecs of small pictures, against JPEG and WebP at equal bytes."""

from __future__ import annotations

import io
from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from PIL import Image

from archivae.bitstream import read_bitstream
from archivae.operations.codec import named_codec
from archivae.operations.decode import decode
from archivae.operations.encode import encode
from archivae.operations.quality import psnr

Pixels = npt.NDArray[np.uint8]
Decode = Callable[[bytes], Pixels]


class Point(NamedTuple):
    """Means over the pictures: bytes of whole files, of what is not the same in all files, and PSNR in dB."""

    setting: float
    whole: float
    own: float
    psnr: float


def family_points(model: str, pictures: Sequence[Pixels], qualities: Sequence[float]) -> list[Point]:
    """A family's codec at several qualities, without fallbacks: the model alone is judged."""
    named_codec(model, "cpu")

    def measure(quality: float) -> Point:
        files = [encode(p, quality=quality, model=model, fallbacks=False, accelerator="cpu") for p in pictures]
        own = [sum(len(tile.stream) for tile in read_bitstream(data).tiles) for data in files]
        return _point(quality, files, own, pictures, lambda data: decode(data, model=model, accelerator="cpu"))

    return [measure(quality) for quality in qualities]


def classic_points(kind: str, pictures: Sequence[Pixels], qualities: Sequence[int]) -> list[Point]:
    """JPEG (4:2:0, its standard tables, so that headers are alike) or WebP (method 6) at several qualities."""

    def measure(quality: int) -> Point:
        files = [_classic(kind, picture, quality) for picture in pictures]
        own = [len(data) - _head(kind, data) for data in files]
        return _point(
            quality, files, own, pictures, lambda data: np.asarray(Image.open(io.BytesIO(data)).convert("RGB"))
        )

    return [measure(quality) for quality in qualities]


def at_bytes(points: Sequence[Point], size: float, field: str) -> float | None:
    """PSNR at so many bytes, between the measured points; None beyond them."""
    ordered = sorted(points, key=lambda point: getattr(point, field))
    sizes = [getattr(point, field) for point in ordered]
    if not sizes[0] <= size <= sizes[-1]:
        return None
    return float(np.interp(np.log(size), np.log(sizes), [point.psnr for point in ordered]))


def _point(
    setting: float, files: Sequence[bytes], own: Sequence[int], pictures: Sequence[Pixels], decode_file: Decode
) -> Point:
    errors = [psnr(picture, decode_file(data)) for picture, data in zip(pictures, files, strict=True)]
    return Point(setting, float(np.mean([len(data) for data in files])), float(np.mean(own)), float(np.mean(errors)))


def _classic(kind: str, picture: Pixels, quality: int) -> bytes:
    buffer = io.BytesIO()
    options = {"method": 6} if kind == "webp" else {}
    Image.fromarray(picture).save(buffer, kind, quality=quality, **options)
    return buffer.getvalue()


def _head(kind: str, data: bytes) -> int:
    """Bytes before a JPEG's scan begins, or before a WebP's key frame does: the same in all files of one quality and size."""
    if kind == "jpeg":
        start = data.index(b"\xff\xda")
        return start + 2 + int.from_bytes(data[start + 2 : start + 4], "big") + 2
    return 30
