"""TIFFs of every sample type, photometric interpretation, layout, predictor, orientation and compression."""

from __future__ import annotations

import io
import itertools
import struct
from collections.abc import Iterator
from typing import Any

import imagecodecs
import numpy as np
import tifffile

from archivae.images.orienting import turned_upright
from tests.second_reader.case import Case, made_from

HEIGHT, WIDTH = 37, 53
_TYPES = ("bool", "u1", "u2", "u4", "i1", "i2", "i4", "f2", "f4", "f8")
_LOSSLESS = ("none", "lzw", "zlib", "deflate", "packbits", "zstd", "lzma", "lerc")
_PICTURE_CODECS = ("png", "webp", "jpegxl", "jpeg2000")


def tiffs() -> Iterator[Case]:
    yield from _types()
    yield from _compressed()
    yield from _turned()
    yield from _banded()
    yield from _packed()
    yield from _palettes()
    yield from _broken()


def samples(dtype: str, channels: int, seed: int = 0) -> np.ndarray:
    """(H, W, channels) or (H, W): a ramp under noise, over all that the type holds but for its last bits."""
    generator = np.random.default_rng(seed)
    y, x, c = np.mgrid[:HEIGHT, :WIDTH, :channels]
    ramp = ((y + 1) * (x + 3) * (c + 1) % 97) / 97 + generator.random(y.shape) / 50
    if dtype == "bool":
        whole = ramp > 0.5
    elif dtype[0] == "f":
        whole = ramp.astype(dtype) * (1000 if channels == 1 else 0.9)
    elif dtype == "u4":
        whole = (ramp * 2**23).astype(dtype)
    elif dtype == "i4":
        whole = ((ramp - 0.5) * 2**24).astype(dtype)
    else:
        info = np.iinfo(dtype)
        whole = (info.min + ramp / 1.03 * (float(info.max) - info.min)).astype(dtype)
    return whole[:, :, 0] if channels == 1 else whole


def kept(values: np.ndarray) -> np.ndarray:
    """In the types that pictures have: what a reader of these samples should give."""
    if values.dtype == np.bool_:
        return values.astype(np.uint8) * 255
    if values.dtype == np.int8:
        return values.astype(np.int16)
    return values if values.dtype in (np.uint8, np.uint16, np.int16) else values.astype(np.float32)


def written(values: np.ndarray, **options: Any) -> bytes:
    file = io.BytesIO()
    tifffile.imwrite(file, values, metadata=None, **options)
    return file.getvalue()


def _types() -> Iterator[Case]:
    for dtype, channels, order, planar, tiled in itertools.product(
        _TYPES, (1, 3), "<>", ("contig", "separate"), (False, True)
    ):
        if ((channels == 1 or dtype == "bool") and planar == "separate") or (dtype == "bool" and channels == 3):
            continue
        values = samples(dtype, channels)
        stored = values.transpose(2, 0, 1) if planar == "separate" and channels > 1 else values
        options: dict[str, Any] = {"byteorder": order, "photometric": "rgb" if channels == 3 else "minisblack"}
        options |= {"planarconfig": planar} if channels == 3 else {}
        options |= {"tile": (16, 32)} if tiled else {"rowsperstrip": 5}
        name = f"TIFF {dtype} {channels} {order} {planar} {'tiles' if tiled else 'strips'}"
        yield Case(name, written(stored, **options), made_from(kept(values)), within=_rounding(dtype))
    for dtype in ("bool", "u1", "u2", "u4", "i2", "f4"):
        values = samples(dtype, 1)
        upside = ~values if values.dtype.kind in "bu" else values
        yield Case(f"TIFF {dtype} white is zero", written(values, photometric="miniswhite"), made_from(kept(upside)))
    for dtype in ("u1", "u2"):
        values = samples(dtype, 3)
        yield Case(f"TIFF {dtype} BigTIFF", written(values, photometric="rgb", bigtiff=True), made_from(values))
    for dtype in ("u8", "i8", "c8"):
        values = np.arange(HEIGHT * WIDTH).reshape(HEIGHT, WIDTH).astype(dtype)
        yield Case(
            f"TIFF {dtype}", written(values, photometric="minisblack"), made_from(values.real.astype(np.float32))
        )


def _rounding(dtype: str) -> float:
    """Of float64 in float32."""
    return 1e-4 if dtype == "f8" else 0


def _compressed() -> Iterator[Case]:
    for codec, dtype, channels, tiled in itertools.product(_LOSSLESS, ("u1", "u2", "f4"), (1, 3), (False, True)):
        predictors = (False,) if codec in ("none", "packbits", "lerc") else (False, True)
        for predictor in predictors:
            values = samples(dtype, channels)
            options: dict[str, Any] = {"photometric": "rgb" if channels == 3 else "minisblack"}
            options |= {"tile": (32, 16)} if tiled else {"rowsperstrip": 7}
            data = written(values, compression=codec, predictor=predictor, **options)
            name = (
                f"TIFF {codec} {dtype} {channels} {'tiles' if tiled else 'strips'}{' predicted' if predictor else ''}"
            )
            yield Case(name, data, made_from(kept(values)))
    for codec in _PICTURE_CODECS:
        for dtype in ("u1", "u2"):
            if codec == "webp" and dtype == "u2":
                continue
            values = samples(dtype, 3)
            options = {"compressionargs": {"lossless": True}} if codec in ("webp", "jpegxl") else {}
            options = {"compressionargs": {"reversible": True, "level": 0}} if codec == "jpeg2000" else options
            yield Case(
                f"TIFF {codec} {dtype}",
                written(values, compression=codec, photometric="rgb", **options),
                made_from(values),
            )


def _turned() -> Iterator[Case]:
    for orientation, dtype, channels in itertools.product(range(1, 9), ("bool", "u1", "u2", "f4"), (1, 3)):
        if dtype == "bool" and channels == 3:
            continue
        values = samples(dtype, channels)
        for codec in ("none", "zlib"):
            data = written(
                values, photometric="rgb" if channels == 3 else "minisblack", compression=codec,
                extratags=[(274, 3, 1, orientation, True)],
            )  # fmt: skip
            truth = np.ascontiguousarray(turned_upright(kept(values), orientation))
            yield Case(f"TIFF orientation {orientation} {dtype} {channels} {codec}", data, made_from(truth))


def _banded() -> Iterator[Case]:
    for dtype, colours, extra in itertools.product(
        ("u1", "u2", "f4"),
        (1, 3),
        (("unassalpha",), ("unspecified",), ("unspecified",) * 2, ("unspecified", "unassalpha")),
    ):
        values = samples(dtype, colours + len(extra))
        data = written(
            values, photometric="rgb" if colours == 3 else "minisblack", planarconfig="contig", extrasamples=extra
        )
        yield Case(f"TIFF {dtype} {colours}+{','.join(extra)}", data, made_from(values))
    for dtype in ("u1", "u2"):
        yield Case(
            f"TIFF {dtype} inks", written(samples(dtype, 4), photometric="separated"), made_from(samples(dtype, 4))
        )
        alpha = samples(dtype, 4)
        data = written(alpha, photometric="rgb", extrasamples=("assocalpha",))
        yield Case(f"TIFF {dtype} premultiplied", data, made_from(alpha))
    yield Case("TIFF L*a*b*", written(samples("u1", 3), photometric="cielab"), made_from(samples("u1", 3)))


def raw_tiff(fields: dict[int, tuple[int, ...]], body: bytes, order: str = "<") -> bytes:
    """An uncompressed TIFF of one strip with the given tags, which all are SHORTs or, of large values, LONGs."""
    fields = {256: (WIDTH,), 257: (HEIGHT,), 259: (1,), 273: (8,), 278: (HEIGHT,), 279: (len(body),), **fields}
    at = 8 + len(body) + len(body) % 2
    entries, values, start = b"", b"", at + 2 + 12 * len(fields) + 4
    for tag, numbers in sorted(fields.items()):
        kind, form = (3, "H") if max(numbers) < 65536 else (4, "I")
        packed = struct.pack(f"{order}{len(numbers)}{form}", *numbers)
        entries += struct.pack(f"{order}HHI", tag, kind, len(numbers))
        if len(packed) <= 4:
            entries += packed.ljust(4, b"\0")
        else:
            entries += struct.pack(f"{order}I", start + len(values))
            values += packed
    head = (b"II*\0" if order == "<" else b"MM\0*") + struct.pack(f"{order}I", at)
    return head + body.ljust(at - 8, b"\0") + struct.pack(f"{order}H", len(fields)) + entries + bytes(4) + values


def _packed() -> Iterator[Case]:
    """Depths between bytes: rows are packed bit by bit, each from a whole byte on."""
    for bits, channels, white_is_zero in itertools.product((1, 2, 4, 6, 10, 12, 14), (1, 3), (False, True)):
        if channels == 3 and white_is_zero:
            continue
        largest = 2**bits - 1
        values = (samples("u2", channels).reshape(HEIGHT, WIDTH, channels).astype(int) * largest // 65535).astype(
            np.uint16
        )
        body = pack_bits(values, bits)
        photometric = 2 if channels == 3 else 0 if white_is_zero else 1
        fields = {258: (bits,) * channels, 262: (photometric,), 277: (channels,), 284: (1,)}
        meant = largest - values if white_is_zero else values
        truth = np.rint(meant * 255 / largest).astype(np.uint8) if bits < 8 else meant
        name = f"TIFF {bits} bits {channels}{' white is zero' if white_is_zero else ''}"
        yield Case(name, raw_tiff(fields, body), made_from(truth))


def pack_bits(values: np.ndarray, bits: int) -> bytes:
    rows = values.reshape(len(values), -1)
    spread = (rows[:, :, None] >> np.arange(bits - 1, -1, -1)) & 1
    return np.packbits(spread.reshape(len(values), -1).astype(np.uint8), axis=1).tobytes()


def _palettes() -> Iterator[Case]:
    for bits in (1, 2, 4, 8, 16):
        colours = np.random.default_rng(bits).integers(0, 256, (2**bits, 3))
        indices = np.random.default_rng(9).integers(0, 2**bits, (HEIGHT, WIDTH, 1)).astype(np.uint16)
        body = indices.astype("<u2").tobytes() if bits == 16 else pack_bits(indices, bits)
        for name, factor, exact in (
            ("times 257", 257, 0),
            ("times 256", 256, 0),
            ("8 bits", 1, 0),
            ("16 bits", 257, 77),
        ):
            palette = np.minimum(colours * factor + exact * (colours % 2), 65535)
            fields = {258: (bits,), 262: (3,), 277: (1,), 320: tuple(int(v) for v in palette.T.ravel())}
            truth = (palette.astype(np.uint16) if exact else colours.astype(np.uint8))[indices[:, :, 0]]
            yield Case(f"TIFF palette of {bits} bits, {name}", raw_tiff(fields, body), made_from(truth))


def _broken() -> Iterator[Case]:
    for codec in ("none", "lzw", "zlib", "zstd", "lzma", "packbits", "png", "jpegxl", "jpeg2000"):
        values = samples("u1", 3)
        data = written(values, compression=codec, photometric="rgb", rowsperstrip=9)
        end = data.rindex(imagecodecs.__name__.encode()) if imagecodecs.__name__.encode() in data else len(data)
        yield Case(f"TIFF {codec} cut", data[: min(end, len(data) - len(data) // 4)], made_from(values), broken=True)
    for tag in (258, 259, 262, 273, 277, 279):
        values = samples("u1", 3)
        data = bytearray(written(values, photometric="rgb"))
        at = data.index(struct.pack("<H", tag), 8)
        data[at + 4 : at + 12] = b"\xff" * 8
        yield Case(f"TIFF tag {tag} overwritten", bytes(data), made_from(values), broken=True)
