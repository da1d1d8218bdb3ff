"""JPEG, JPEG 2000, JPEG XL, AVIF and HEIC: palettes, subsampling, turns, apertures, frames, cuts, wrong sizes."""

from __future__ import annotations

import io
import itertools
import struct
from collections.abc import Iterator
from typing import Any

import imagecodecs
import numpy as np
import pillow_heif
from PIL import ExifTags, Image

from archivae.images.orienting import turned_upright
from tests.profiles import DISPLAY_P3, rgb_profile
from tests.samples import photo
from tests.second_reader.case import Case, made_from
from tests.second_reader.tiffs import samples
from tests.second_reader.tools import by_djpeg, by_opj, by_vips, ran

# AVIF with colour at full resolution: decoders fill up the rest in ways of their own.
_HEIF_OPTIONS: dict[str, dict[str, Any]] = {
    "AVIF": {"quality": 95, "subsampling": "4:4:4"},
    "HEIF": {"quality": -1, "chroma": 444, "matrix_coefficients": 0},  # without loss
}
_CLAP, _IROT, _IMIR = b"clap", b"irot", b"imir"


def coded() -> Iterator[Case]:
    yield from _jpegs()
    yield from _jpeg2000s()
    yield from _jpeg_xls()
    yield from _heifs()


def saved(pixels: np.ndarray, kind: str, **options: Any) -> bytes:
    file = io.BytesIO()
    Image.fromarray(pixels.squeeze()).save(file, kind, **options)
    return file.getvalue()


def _jpegs() -> Iterator[Case]:
    pixels = photo(75, 101)
    for sampling, progressive in itertools.product(("4:4:4", "4:2:2", "4:2:0", "4:1:1"), (False, True)):
        data = saved(pixels, "JPEG", quality=90, subsampling=sampling, progressive=progressive)
        name = f"JPEG {sampling}{' progressive' if progressive else ''}"
        yield Case(name, data, by_djpeg, within=1)
        yield from _broken_jpegs(name, data)
    odd = ran("cjpeg", _ppm(pixels), ".ppm", ".jpg", "-quality", "90", "-sample", "1x2", "-outfile", "{out}", "{in}")
    yield Case("JPEG 1x2", odd, by_djpeg, within=1)
    for name, options in {
        "arithmetic": ("-arithmetic",), "grey": ("-grayscale",), "restarts": ("-restart", "1"), "rgb": ("-rgb",),
        "3x1": ("-sample", "3x1"),
    }.items():  # fmt: skip
        data = ran("cjpeg", _ppm(pixels), ".ppm", ".jpg", "-quality", "90", *options, "-outfile", "{out}", "{in}")
        yield Case(f"JPEG {name}", data, by_djpeg, within=1)
    wide = rgb_profile(DISPLAY_P3, 2.2, "in pieces") + bytes(100_000)
    data = saved(pixels, "JPEG", quality=90, icc_profile=wide)
    yield Case("JPEG with a profile in pieces", data, by_djpeg, within=1)
    parts = data.split(b"\xff\xe2")
    swapped = b"\xff\xe2".join([parts[0], *reversed(parts[1:-1]), parts[-1]])
    yield Case("JPEG with a profile in pieces that are swapped", swapped, by_djpeg, within=1)
    yield Case(
        "JPEG with a piece of a profile missing", data.replace(b"\xff\xe2" + parts[1], b"", 1), by_djpeg, within=1
    )
    for orientation in range(1, 9):
        exif = Image.Exif()
        exif[ExifTags.Base.Orientation] = orientation
        turned = saved(pixels, "JPEG", quality=90, exif=exif.tobytes())
        yield Case(f"JPEG orientation {orientation}", turned, by_vips, within=2)


def _ppm(pixels: np.ndarray) -> bytes:
    return b"P6 %d %d 255\n" % (pixels.shape[1], pixels.shape[0]) + pixels.tobytes()


def _broken_jpegs(name: str, data: bytes) -> Iterator[Case]:
    half = len(data) // 2
    frame = max(data.find(b"\xff\xc0"), data.find(b"\xff\xc2"))
    taller, wider = bytearray(data), bytearray(data)
    struct.pack_into(">H", taller, frame + 5, 150)
    struct.pack_into(">H", wider, frame + 7, 300)
    zeroed = bytearray(data)
    zeroed[half : half + 512] = bytes(512)
    for fault, broken in {
        "cut": data[:half], "cut, ended": data[:half] + b"\xff\xd9", "zeroed": bytes(zeroed), "taller": bytes(taller),
        "wider": bytes(wider), "cut by a byte": data[:-3] + b"\xff\xd9",
    }.items():  # fmt: skip
        yield Case(f"{name} {fault}", broken, made_from(photo(75, 101)), broken=True)
    yield Case(f"{name} padded", data + bytes(700), by_djpeg, within=1)


def _jpeg2000s() -> Iterator[Case]:
    for bits, channels, kind in itertools.product((1, 4, 8, 10, 12, 16), (1, 3), ("jp2", "j2k")):
        largest = 2**bits - 1
        values = (samples("u2", channels).astype(int) * largest // 65535).astype("u1" if bits <= 8 else "u2")
        data = bytes(imagecodecs.jpeg2k_encode(values, level=0, bitspersample=bits, codecformat=kind, reversible=True))
        truth = np.rint(values * 255.0 / largest).astype(np.uint8) if bits < 8 else values
        yield Case(f"JPEG 2000 {kind} of {bits} bits {channels}", data, made_from(truth))
        yield Case(
            f"JPEG 2000 {kind} of {bits} bits {channels} cut", data[: len(data) // 2], made_from(truth), broken=True
        )
    for dtype in ("i1", "i2"):
        values = samples(dtype, 1)
        data = bytes(imagecodecs.jpeg2k_encode(values, level=0, codecformat="jp2", reversible=True))
        yield Case(f"JPEG 2000 {dtype}", data, made_from(values.astype(np.int16)))
    for channels in (2, 4):
        values = samples("u1", channels)
        yield Case(f"JPEG 2000 with alpha {channels}", saved(values, "JPEG2000"), made_from(values))
    for kind, steps, count in itertools.product(("jp2", "j2k"), ("2x2", "2x1", "1x1"), (3, 4, 5)):
        across, down = map(int, steps.split("x"))
        planes = [photo(64, 96, seed)[:, :, 0] for seed in range(count)]
        body = planes[0].tobytes() + b"".join(np.ascontiguousarray(p[::down, ::across]).tobytes() for p in planes[1:])
        spec = ":".join(["1x1", *[steps] * (count - 1)])
        try:
            data = ran(
                "opj_compress", body, ".raw", f".{kind}", "-i", "{in}", "-o", "{out}", "-F", f"96,64,{count},8,u@{spec}"
            )
        except Exception:  # the tool doesn't write this
            continue
        whole = np.dstack(planes)
        yield Case(f"JPEG 2000 {kind} {count} of {steps}", data, by_opj if count == 3 else made_from(whole), within=1)
    yield from _palettes()


def _palettes() -> Iterator[Case]:
    """A palette is put into the header of a grey file."""
    colours = np.random.default_rng(4).integers(0, 256, (256, 3), np.uint8)
    indices = samples("u1", 1)
    data = bytes(imagecodecs.jpeg2k_encode(indices, level=0, codecformat="jp2", reversible=True))
    palette = struct.pack(">HB3B", 256, 3, 7, 7, 7) + colours.tobytes()
    mapping = b"".join(struct.pack(">HBB", 0, 1, column) for column in range(3))
    extra = _box(b"pclr", palette) + _box(b"cmap", mapping)
    at = data.index(b"jp2h") - 4
    (size,) = struct.unpack_from(">I", data, at)
    header = bytearray(data[at : at + size])
    colour = header.index(b"colr") + 4 + 3
    header[colour : colour + 4] = struct.pack(">I", 16)
    made = data[:at] + struct.pack(">I", size + len(extra)) + bytes(header[4:]) + extra + data[at + size :]
    yield Case("JPEG 2000 with a palette", made, made_from(colours[indices]))


def _box(name: bytes, body: bytes) -> bytes:
    return struct.pack(">I", 8 + len(body)) + name + body


def _jpeg_xls() -> Iterator[Case]:
    for bits, channels in itertools.product((8, 10, 12, 16), (1, 2, 3, 4)):
        values = (samples("u2", channels).astype(int) * (2**bits - 1) // 65535).astype("u1" if bits == 8 else "u2")
        data = bytes(imagecodecs.jpegxl_encode(values, lossless=True, bitspersample=bits))
        yield Case(f"JPEG XL of {bits} bits {channels}", data, made_from(values))
        yield Case(f"JPEG XL of {bits} bits {channels} cut", data[: len(data) // 2], made_from(values), broken=True)
    floats = samples("f4", 3)
    yield Case("JPEG XL of floats", bytes(imagecodecs.jpegxl_encode(floats, lossless=True)), made_from(floats))
    frames = np.stack([samples("u1", 3, seed) for seed in range(3)])
    yield Case("JPEG XL of 3 frames", bytes(imagecodecs.jpegxl_encode(frames, lossless=True)), made_from(frames[0]))
    for orientation in range(1, 9):
        exif = Image.Exif()
        exif[ExifTags.Base.Orientation] = orientation
        jpeg = saved(photo(75, 101), "JPEG", quality=90, exif=exif.tobytes())
        packed = bytes(imagecodecs.jpegxl_encode_jpeg(jpeg))
        yield Case(
            f"JPEG XL of a JPEG, orientation {orientation}", packed, lambda _, jpeg=jpeg: by_vips(jpeg), within=3
        )


def _heifs() -> Iterator[Case]:
    pillow_heif.register_heif_opener()
    pixels = photo(64, 96)
    alpha = np.dstack([pixels, samples_of_alpha()])
    for kind, options in _HEIF_OPTIONS.items():
        plain = saved(pixels, kind, **options)
        # pyvips brings no decoder of HEVC: what is lossless is compared with what it was made from.
        other = by_vips if kind == "AVIF" else None
        grey = pixels[:, :, :1]
        yield Case(f"{kind}", plain, other or made_from(pixels), within=2)
        yield Case(f"{kind} with alpha", saved(alpha, kind, **options), other or made_from(alpha), within=2)
        yield Case(f"{kind} grey", saved(grey, kind, **options), other or made_from(grey), within=2)
        yield Case(f"{kind} cut", plain[: len(plain) // 2], made_from(pixels), broken=True)
        first = by_vips(plain) if kind == "AVIF" else pixels
        for turns in range(4):
            data = with_property(plain, _box(_IROT, bytes([turns])))
            yield Case(f"{kind} turned by {turns}", data, made_from(np.rot90(first, turns)), within=2)
        for axis in (0, 1):
            data = with_property(plain, _box(_IMIR, bytes([axis])))
            yield Case(f"{kind} mirrored {axis}", data, made_from(first[:, ::-1] if axis else first[::-1]), within=2)
        data = with_property(plain, _box(_CLAP, struct.pack(">8I", 60, 1, 40, 1, 0, 1, 0, 1)))
        yield Case(f"{kind} with an aperture", data, made_from(first[12:52, 18:78]), within=2)
        for orientation in range(1, 9):
            exif = Image.Exif()
            exif[ExifTags.Base.Orientation] = orientation
            truth = made_from(np.ascontiguousarray(turned_upright(first, orientation)))
            yield Case(
                f"{kind} orientation {orientation}",
                saved(pixels, kind, **options, exif=exif.tobytes()),
                truth,
                within=2,
            )
        file = io.BytesIO()
        rest = [Image.fromarray(photo(64, 96, seed)) for seed in (2, 3)]
        Image.fromarray(pixels).save(file, kind, **options, save_all=True, append_images=rest)
        yield Case(f"{kind} of 3 frames", file.getvalue(), made_from(first), within=12)


def samples_of_alpha() -> np.ndarray:
    return (np.indices((64, 96)).sum(0) % 256).astype(np.uint8)


def with_property(data: bytes, property: bytes) -> bytes:
    """A file of one item with one more property of that item, which is essential: sizes and offsets are put right."""
    grown = bytearray(data)
    ipco, ipma = grown.index(b"ipco") - 4, grown.index(b"ipma") - 4
    (size,) = struct.unpack_from(">I", grown, ipco)
    index = 1 + sum(1 for _ in _boxes(bytes(grown[ipco + 8 : ipco + size])))
    links = ipma + 12 + 4  # version and flags, entries; then the first item's number of two bytes, its links' number
    linked = links + 2
    grown[linked] += 1
    grown[linked + grown[linked] : linked + grown[linked]] = bytes([0x80 | index])
    grown[ipco + size : ipco + size] = property
    added = len(property) + 1
    _grow(grown, ipma + len(property), 1)
    _grow(grown, ipco, len(property))
    _grow(grown, grown.index(b"iprp") - 4, added)
    _grow(grown, grown.index(b"meta") - 4, added)
    _move(grown, added)
    return bytes(grown)


def _grow(data: bytearray, at: int, by: int) -> None:
    struct.pack_into(">I", data, at, struct.unpack_from(">I", data, at)[0] + by)


def _move(data: bytearray, by: int) -> None:
    """The offsets of iloc, of four bytes in each extent; see ISO/IEC 14496-12, 8.11.3."""
    at = data.index(b"iloc") + 4
    version = data[at]
    offset_size, length_size = data[at + 4] >> 4, data[at + 4] & 15
    base_size, index_size = data[at + 5] >> 4, data[at + 5] & 15 if version else 0
    (count,) = struct.unpack_from(">H", data, at + 6)
    at += 8
    for _ in range(count):
        method = struct.unpack_from(">H", data, at + 2)[0] & 15 if version else 0
        at += (4 if version else 2) + 2
        if base_size and not method:
            (base,) = struct.unpack_from(">I", data, at)
            if base:
                struct.pack_into(">I", data, at, base + by)
                by_extent = 0
            else:
                by_extent = by
        else:
            by_extent = 0 if method else by
        at += base_size
        (extents,) = struct.unpack_from(">H", data, at)
        at += 2
        for _ in range(extents):
            at += index_size
            if offset_size and by_extent:
                struct.pack_into(">I", data, at, struct.unpack_from(">I", data, at)[0] + by_extent)
            at += offset_size + length_size


def _boxes(data: bytes) -> Iterator[bytes]:
    at = 0
    while at + 8 <= len(data):
        (size,) = struct.unpack_from(">I", data, at)
        yield data[at : at + size]
        at += max(size, 8)
