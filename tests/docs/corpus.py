"""Small files of every kind, each with what makes it difficult."""

from __future__ import annotations

import io
import struct
from collections.abc import Iterator
from typing import Any, NamedTuple

import imagecodecs
import numpy as np
import tifffile
from PIL import ExifTags, Image

from archivae.images import ReadOptions
from archivae.images.deep_png import write_deep_png
from tests.kinds import losing
from tests.profiles import ADOBE_RGB, DISPLAY_P3, grey_profile, ink_profile, rgb_profile
from tests.samples import file_of, photo

SIZE = 64, 96
_LOSING = (
    "thermal-app3.jpg", "flir.jpg", "c2pa.jpg", "mpf.jpg", "film.jpg", "paths.jpg", "text.png", "private.webp", "comment.gif",
    "comment.ppm", "uuid.avif",
)  # fmt: skip


class Case(NamedTuple):
    """A file, what to call it, and how it is asked to be read."""

    name: str
    data: bytes
    options: ReadOptions = ReadOptions()
    asked: str = ""


def corpus() -> Iterator[Case]:
    """Every case; needs the plugin for HEIC."""
    yield from _plain()
    yield from _colours()
    yield from _deep()
    yield from _transparent()
    yield from _several()
    yield from _metadata()
    yield from _broken()


def _plain() -> Iterator[Case]:
    pixels = photo(*SIZE)
    for kind in ("JPEG", "PNG", "TIFF", "BMP", "PPM", "JPEG2000"):
        yield Case(f"{kind}, RGB", file_of(pixels, kind))
    yield Case("JPEG, progressive, grey", file_of(pixels[:, :, :1], "JPEG", progressive=True))
    yield Case("WebP, lossy", file_of(pixels, "WEBP"))
    yield Case("AVIF", file_of(pixels, "AVIF"))
    yield Case("TIFF, LZW", file_of(pixels, "TIFF", compression="tiff_lzw"))
    yield Case("TIFF, JPEG inside", file_of(pixels, "TIFF", compression="jpeg"))
    yield Case("JPEG XL", bytes(imagecodecs.jpegxl_encode(pixels, lossless=True)))
    yield Case("HEIC (archivae[heic])", file_of(pixels, "HEIF", quality=90))
    yield Case("PNG, palette", _saved(Image.fromarray(pixels).quantize(64), "PNG"))
    yield Case("PNG, 1 bit", _saved(Image.fromarray(pixels[:, :, 0] > 110), "PNG"))
    yield Case("GIF", _saved(Image.fromarray(pixels).quantize(64), "GIF"))


def _colours() -> Iterator[Case]:
    pixels = photo(*SIZE)
    yield Case(
        "JPEG, Adobe RGB", file_of(pixels, "JPEG", quality=95, icc_profile=rgb_profile(ADOBE_RGB, 2.2, "Adobe RGB"))
    )
    yield Case("PNG, Display P3", file_of(pixels, icc_profile=rgb_profile(DISPLAY_P3, 2.2, "Display P3")))
    yield Case("PNG, grey of gamma 1.8", file_of(pixels[:, :, :1], icc_profile=grey_profile(1.8)))
    inks = Image.fromarray(pixels).convert("CMYK")
    yield Case("JPEG, CMYK with a profile", _saved(inks, "JPEG", quality=95, icc_profile=ink_profile()))
    yield Case("TIFF, CMYK without one", _saved(inks, "TIFF"))
    yield Case("JPEG, damaged profile", file_of(pixels, "JPEG", quality=95, icc_profile=bytes(140)))


def _deep() -> Iterator[Case]:
    y, x = np.mgrid[: SIZE[0], : SIZE[1]]
    deep = np.stack([x * 600, y * 900, (x + y) * 300], axis=2).astype(np.uint16)
    keep = ReadOptions(depth="keep")
    yield Case("PNG, RGB of 16 bits", write_deep_png(deep))
    yield Case("PNG, RGB of 16 bits", write_deep_png(deep), keep, "--depth keep")
    yield Case("TIFF, grey of 16 bits", _saved(Image.fromarray(deep[:, :, 0]), "TIFF"), keep, "--depth keep")
    floats = Image.fromarray((x * y / 6000).astype(np.float32))
    yield Case("TIFF, float", _saved(floats, "TIFF"))
    heights = (deep[:, :, :1] // 30 - 500).astype(np.int16)
    yield Case("TIFF of signed heights", _tiff(heights), keep, "--depth keep")
    bands: dict[str, Any] = {"photometric": "rgb", "extrasamples": ("unspecified",)}
    yield Case("TIFF, RGB and a band that is no alpha", _tiff(np.dstack([deep, deep[:, :, 0]]), **bands))
    yield Case(
        "TIFF with GeoTIFF tags", _tiff(photo(*SIZE), photometric="rgb", extratags=[(33550, 12, 3, (1.0, 1.0, 0.0))])
    )
    yield Case("TIFF, float", _saved(floats, "TIFF"), keep, "--depth keep")
    yield Case(
        "PGM of 12 bits", b"P5 96 64 4095 " + (deep[:, :, :1] % 4096).astype(">u2").tobytes(), keep, "--depth keep"
    )


def _transparent() -> Iterator[Case]:
    pixels = photo(*SIZE)
    alpha = (np.indices(SIZE).sum(0) % 256).astype(np.uint8)
    yield Case("PNG, RGB with alpha", file_of(np.dstack([pixels, alpha])))
    yield Case("PNG, grey with alpha", file_of(np.dstack([pixels[:, :, 0], alpha])))
    yield Case("WebP with alpha", file_of(np.dstack([pixels, alpha]), "WEBP", lossless=True))
    yield Case("PNG, one transparent colour", file_of(pixels, transparency=tuple(int(v) for v in pixels[0, 0])))
    yield Case("PNG, alpha everywhere opaque", file_of(np.dstack([pixels, np.full_like(alpha, 255)])))


def _several() -> Iterator[Case]:
    first, *rest = (Image.fromarray(photo(*SIZE, seed)) for seed in range(3))
    every = ReadOptions(frames="all")
    for kind in ("GIF", "PNG", "WEBP", "TIFF"):
        data = _saved(first, kind, save_all=True, append_images=rest, **({} if kind == "TIFF" else {"duration": 80}))
        name = {"PNG": "APNG", "TIFF": "TIFF"}.get(kind, kind) + (", 3 pages" if kind == "TIFF" else ", 3 frames")
        yield Case(name, data)
        yield Case(name, data, every, "--frames all")

    frames = np.stack([np.asarray(first), *map(np.asarray, rest)])
    packed = bytes(imagecodecs.jpegxl_encode(frames, lossless=True))
    yield Case("JPEG XL, 3 frames", packed)
    yield Case("JPEG XL, 3 frames", packed, every, "--frames all")


def _metadata() -> Iterator[Case]:
    exif = Image.Exif()
    exif[ExifTags.Base.Make], exif[ExifTags.Base.Orientation] = "Maker", 6
    exif.get_ifd(ExifTags.IFD.GPSInfo)[ExifTags.GPS.GPSLatitudeRef] = "N"
    data = file_of(photo(*SIZE), "JPEG", quality=95, exif=exif.tobytes(), xmp=b"<x:xmpmeta/>", comment=b"by hand")
    yield Case("JPEG, sideways, with EXIF, GPS, XMP, a comment", data)
    yield Case("the same", data, ReadOptions(strip_gps=True), "--strip-gps")
    yield Case("the same", data, ReadOptions(strip_metadata=True), "--strip-metadata")
    yield Case("the same", data, ReadOptions(keep_bytes_of="lost"), "--keep-bytes-of lost")
    for name in _LOSING:
        yield Case(name, losing()[name][0])


def _broken() -> Iterator[Case]:
    data = file_of(photo(*SIZE), "JPEG", quality=95)
    half = data[: len(data) // 2]
    yield Case("JPEG, cut in half", half)
    yield Case("JPEG, cut in half", half, ReadOptions(tolerant=True), "--tolerant")
    twelve = bytearray(data)
    twelve[twelve.index(b"\xff\xc0") + 4] = 12
    yield Case("JPEG of 12 bits", bytes(twelve))
    yield Case("PNG that promises 10 gigapixels", _promise(100_000))
    yield Case("camera raw (CR3)", b"\0\0\0\x18ftypcrx " + bytes(20))
    yield Case("text", b"I am no picture")


def _promise(side: int) -> bytes:
    head = bytearray(file_of(photo(*SIZE)))
    struct.pack_into(">II", head, 16, side, side)
    return bytes(head)


def _tiff(samples: np.ndarray, **options: Any) -> bytes:
    file = io.BytesIO()
    tifffile.imwrite(file, samples.squeeze(), metadata=None, **{"photometric": "minisblack", **options})
    return file.getvalue()


def _saved(image: Image.Image, kind: str, **options: Any) -> bytes:
    file = io.BytesIO()
    image.save(file, kind, **options)
    return file.getvalue()
