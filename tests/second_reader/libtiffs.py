"""TIFFs that libtiff decodes for us: fax, JPEG, chroma of its own resolution, made by libtiff's tools or by hand."""

from __future__ import annotations

import itertools
from collections.abc import Iterator

import numpy as np
from PIL import Image

from archivae.images.orienting import turned_upright
from tests.samples import photo
from tests.second_reader.case import Case, made_from
from tests.second_reader.tiffs import HEIGHT, WIDTH, raw_tiff, samples, written
from tests.second_reader.tools import by_libtiff, by_vips, ran


def libtiffs() -> Iterator[Case]:
    yield from _fax()
    yield from _jpeg()
    yield from _ycbcr()


def _copied(data: bytes, *options: str) -> bytes:
    return ran("tiffcp", data, ".tif", ".tif", *options, "{in}", "{out}")


def _fax() -> Iterator[Case]:
    values = samples("bool", 1)
    for codec, white_is_zero, orientation in itertools.product(("g3:1d", "g3:2d", "g4"), (False, True), (1, 6)):
        photometric = "miniswhite" if white_is_zero else "minisblack"
        plain = written(values, photometric=photometric, extratags=[(274, 3, 1, orientation, True)])
        data = _copied(plain, "-c", codec, "-r", "10")
        seen = (~values if white_is_zero else values).astype(np.uint8) * 255
        truth = made_from(np.ascontiguousarray(turned_upright(seen, orientation)))
        name = f"TIFF {codec}{' white is zero' if white_is_zero else ''} orientation {orientation}"
        yield Case(name, data, truth)
        yield Case(f"{name} cut", data[:300], truth, broken=True)
        if orientation != 1:
            continue  # tiff2rgba leaves pictures as they lie
        broken = bytearray(data)
        broken[60:64] = b"\x55\xaa\x55\xaa"
        yield Case(f"{name} overwritten", bytes(broken), by_libtiff, broken=True)  # other codes may be as good


def _jpeg() -> Iterator[Case]:
    rgb, grey = photo(64, 96), photo(64, 96)[:, :, 0]
    inks = np.dstack([rgb, 255 - grey])
    plain = {
        "grey": written(grey, photometric="minisblack", rowsperstrip=16),
        "rgb": written(rgb, photometric="rgb", rowsperstrip=16),
        "tiles": written(rgb, photometric="rgb", tile=(32, 32)),
        "turned": written(rgb, photometric="rgb", rowsperstrip=16, extratags=[(274, 3, 1, 6, True)]),
    }
    for name, data in plain.items():
        for codec in ("jpeg:95", "jpeg:r:95"):
            made = _copied(data, "-c", codec)
            yield Case(f"TIFF {codec} {name}", made, by_vips, within=2)
            cut = bytearray(made)
            cut[500:900] = bytes(400)
            yield Case(f"TIFF {codec} {name} zeroed", bytes(cut), by_vips, broken=True)
    yield Case("TIFF jpeg inks", written(inks, photometric="separated", compression="jpeg"), by_vips)
    planes = written(
        rgb.transpose(2, 0, 1),
        photometric="rgb",
        planarconfig="separate",
        compression="jpeg",
        compressionargs={"level": 95},
    )
    yield Case("TIFF jpeg planes", planes, made_from(rgb), within=30)


def _ycbcr() -> Iterator[Case]:
    """Uncompressed, or LZW by tiffcp: units of the brightness of ``across`` x ``down`` pixels and their colour."""
    rgb = photo(HEIGHT - HEIGHT % 4, WIDTH - WIDTH % 4)
    planes = np.asarray(Image.fromarray(rgb).convert("YCbCr"))
    height, width = rgb.shape[:2]
    for across, down in itertools.product((1, 2, 4), (1, 2, 4)):
        units = planes[:, :, 0].reshape(height // down, down, width // across, across).transpose(0, 2, 1, 3)
        colours = planes[::down, ::across, 1:]
        body = np.concatenate([units.reshape(*colours.shape[:2], -1), colours], axis=2).tobytes()
        fields = {
            256: (width,), 257: (height,), 278: (height,), 258: (8, 8, 8), 262: (6,), 277: (3,), 284: (1,),
            530: (across, down),
        }  # fmt: skip
        data = raw_tiff(fields, body)
        whole = np.dstack([planes[:, :, 0], colours.repeat(down, axis=0).repeat(across, axis=1)])
        truth = made_from(np.asarray(Image.fromarray(whole, "YCbCr").convert("RGB")))
        yield Case(f"TIFF YCbCr {across}x{down}", data, truth, within=3)
        yield Case(f"TIFF YCbCr {across}x{down} cut", data[: len(body) // 2] + data[len(body) :], truth, broken=True)
