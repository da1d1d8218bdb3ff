"""BMP of every depth, with masks and run lengths; PBM, PGM and PPM of every kind; PNG of every depth and transparency."""

from __future__ import annotations

import itertools
import struct
import zlib
from collections.abc import Iterator

import numpy as np

from tests.second_reader.case import Case, made_from
from tests.second_reader.tiffs import HEIGHT, WIDTH, pack_bits, samples

_RGB, _RLE8, _RLE4, _FIELDS = 0, 1, 2, 3


def bitmaps() -> Iterator[Case]:
    yield from _bmps()
    yield from _netpbm()
    yield from _pngs()


def _bmp(bits: int, body: bytes, *, palette: bytes = b"", compression: int = _RGB, masks: tuple[int, ...] = (),
         down: bool = False, core: bool = False) -> bytes:  # fmt: skip
    if core:
        header = struct.pack("<IHHHH", 12, WIDTH, HEIGHT, 1, bits)
    else:
        size = 108 if len(masks) == 4 else 40
        header = struct.pack(
            "<IiiHHIIiiII", size, WIDTH, -HEIGHT if down else HEIGHT, 1, bits, compression, len(body), 2835, 2835,
            len(palette) // 4, 0,
        )  # fmt: skip
        header += struct.pack(f"<{len(masks)}I", *masks)
        if size == 108:
            header += b"BGRs" + bytes(108 - 40 - 16 - 4)
    start = 14 + len(header) + len(palette)
    return b"BM" + struct.pack("<IHHI", start + len(body), 0, 0, start) + header + palette + body


def _rows(values: np.ndarray, down: bool = False) -> bytes:
    """uint8 rows, padded to four bytes, the lowest first."""
    rows = values if down else values[::-1]
    return b"".join(row.tobytes().ljust(-(-row.nbytes // 4) * 4, b"\0") for row in rows)


def _bmps() -> Iterator[Case]:
    colours = np.random.default_rng(4).integers(0, 256, (256, 3), np.uint8)
    for bits, core, down in itertools.product((1, 4, 8), (False, True), (False, True)):
        if core and down:
            continue
        indices = np.random.default_rng(bits).integers(0, 2**bits, (HEIGHT, WIDTH), np.uint8)
        packed = np.frombuffer(pack_bits(indices[:, :, None], bits), np.uint8).reshape(HEIGHT, -1)
        table = colours[: 2**bits, ::-1]
        palette = table.tobytes() if core else np.pad(table, ((0, 0), (0, 1))).tobytes()
        data = _bmp(bits, _rows(packed, down), palette=palette, core=core, down=down)
        yield Case(
            f"BMP {bits} bits{' core' if core else ''}{' down' if down else ''}", data, made_from(colours[indices])
        )
    rgb = samples("u1", 3)
    yield Case("BMP 24 bits", _bmp(24, _rows(rgb[:, :, ::-1].copy())), made_from(rgb))
    four = np.dstack([rgb[:, :, ::-1], np.zeros((HEIGHT, WIDTH), np.uint8)])
    yield Case("BMP 32 bits", _bmp(32, _rows(four)), made_from(rgb))
    meant = np.dstack([rgb, samples("u1", 1)])
    yield Case("BMP 32 bits, alpha without a mask", _bmp(32, _rows(meant[:, :, [2, 1, 0, 3]].copy())), made_from(meant))
    masks = 0xFF0000, 0xFF00, 0xFF, 0xFF000000
    alpha = _bmp(32, _rows(meant[:, :, [2, 1, 0, 3]].copy()), compression=_FIELDS, masks=masks)
    yield Case("BMP 32 bits with alpha", alpha, made_from(meant))
    masks = 0xFF, 0xFF00, 0xFF0000, 0xFF000000
    yield Case(
        "BMP 32 bits, masks the other way", _bmp(32, _rows(meant), compression=_FIELDS, masks=masks), made_from(meant)
    )
    ten = samples("u2", 3).astype(np.uint32) >> 6
    words = (ten[:, :, 0] << 20 | ten[:, :, 1] << 10 | ten[:, :, 2]).astype("<u4").view(np.uint8).reshape(HEIGHT, -1)
    data = _bmp(32, _rows(words), compression=_FIELDS, masks=(0x3FF00000, 0xFFC00, 0x3FF))
    yield Case("BMP of 10 bits", data, made_from(np.rint(ten * 255 / 1023).astype(np.uint8)))
    yield from _sixteen()
    yield from _runs(colours)


def _sixteen() -> Iterator[Case]:
    deep = samples("u1", 3).astype(np.uint16)
    for name, widths, masks in (
        ("555", (5, 5, 5), ()),
        ("565", (5, 6, 5), (0xF800, 0x7E0, 0x1F)),
        ("444", (4, 4, 4), (0xF00, 0xF0, 0xF)),
    ):
        parts = [deep[:, :, c] >> (8 - width) for c, width in enumerate(widths)]
        words = (parts[0] << (widths[1] + widths[2]) | parts[1] << widths[2] | parts[2]).astype("<u2")
        body = _rows(words.view(np.uint8).reshape(HEIGHT, -1))
        data = _bmp(16, body, compression=_FIELDS if masks else _RGB, masks=masks)
        truth = np.dstack([np.rint(part * 255 / (2**width - 1)) for part, width in zip(parts, widths, strict=True)])
        yield Case(f"BMP 16 bits {name}", data, made_from(truth.astype(np.uint8)), within=1)


def _runs(colours: np.ndarray) -> Iterator[Case]:
    """Runs, absolute pixels, and pixels skipped by a delta, which are colour 0."""
    palette = np.pad(colours[:, ::-1], ((0, 0), (0, 1))).tobytes()
    indices = np.repeat(np.random.default_rng(3).integers(0, 256, (HEIGHT, WIDTH)), 3, axis=1)[:, :WIDTH].astype(
        np.uint8
    )
    body = b""
    for row in indices[::-1]:
        body += b"".join(bytes([len(run), run[0]]) for run in np.split(row, np.flatnonzero(np.diff(row)) + 1)) + b"\0\0"
    yield Case(
        "BMP RLE8 runs", _bmp(8, body + b"\0\1", palette=palette, compression=_RLE8), made_from(colours[indices])
    )
    body = b"".join(
        b"\0" + bytes([WIDTH]) + row.tobytes().ljust(WIDTH + WIDTH % 2, b"\0") + b"\0\0" for row in indices[::-1]
    )
    yield Case(
        "BMP RLE8 absolute", _bmp(8, body + b"\0\1", palette=palette, compression=_RLE8), made_from(colours[indices])
    )
    skipped = np.zeros((HEIGHT, WIDTH), np.uint8)
    skipped[HEIGHT - 1, :5] = 7
    skipped[HEIGHT - 4, 8:12] = 9
    body = b"\5\7\0\2\3\3\4\x09\0\1"
    yield Case("BMP RLE8 delta", _bmp(8, body, palette=palette, compression=_RLE8), made_from(colours[skipped]))
    four = indices & 15
    body = b""
    for row in four[::-1]:
        body += b"".join(
            bytes([len(run), run[0] << 4 | run[0]]) for run in np.split(row, np.flatnonzero(np.diff(row)) + 1)
        )
        body += b"\0\0"
    data = _bmp(4, body + b"\0\1", palette=palette[:64], compression=_RLE4)
    yield Case("BMP RLE4", data, made_from(colours[four]))
    yield Case(
        "BMP RLE8 cut", _bmp(8, body[:90], palette=palette, compression=_RLE8), made_from(colours[indices]), broken=True
    )
    yield Case("BMP 24 bits cut", _bmp(24, bytes(500)), made_from(colours[indices]), broken=True)


def _netpbm() -> Iterator[Case]:
    for channels, largest, text in itertools.product((1, 3), (1, 7, 100, 255, 1000, 65535), (False, True)):
        values = (samples("u2", channels).astype(int) * largest // 65535).reshape(HEIGHT, WIDTH, channels)
        kind = {(1, False): 5, (1, True): 2, (3, False): 6, (3, True): 3}[channels, text]
        header = f"P{kind}\n{WIDTH} {HEIGHT}\n{largest}\n".encode()
        body = (
            " ".join(map(str, values.ravel())).encode()
            if text
            else values.astype(">u2" if largest > 255 else "u1").tobytes()
        )
        truth = values.astype(np.uint16) if largest > 255 else np.rint(values * 255 / largest).astype(np.uint8)
        yield Case(f"P{kind} of {largest}", header + body, made_from(truth))
        yield Case(f"P{kind} of {largest} cut", (header + body)[: len(body) // 2], made_from(truth), broken=True)
    bits = samples("bool", 1)
    ink = (~bits).astype(np.uint8) * 255
    header = f"{WIDTH} {HEIGHT}\n".encode()
    yield Case("P4", b"P4 " + header + np.packbits(bits, axis=1).tobytes(), made_from(ink))
    yield Case("P1", b"P1 " + header + " ".join(map(str, bits.astype(int).ravel())).encode(), made_from(ink))
    yield Case(
        "P1 without spaces", b"P1 " + header + "".join(map(str, bits.astype(int).ravel())).encode(), made_from(ink)
    )
    for channels, scale in itertools.product((1, 3), ("-1.0", "1.0")):
        values = samples("f4", channels)
        body = values[::-1].astype("<f4" if scale[0] == "-" else ">f4").tobytes()
        name = "Pf" if channels == 1 else "PF"
        yield Case(f"{name} {scale}", f"{name}\n{WIDTH} {HEIGHT}\n{scale}\n".encode() + body, made_from(values))


def _png(values: np.ndarray, bits: int, kind: int, chunks: bytes = b"", interlaced: bool = False) -> bytes:
    header = struct.pack(">IIBBBBB", WIDTH, HEIGHT, bits, kind, 0, 0, int(interlaced))
    passes = (
        [(0, 0, 8, 8), (0, 4, 8, 8), (4, 0, 8, 4), (0, 2, 4, 4), (2, 0, 4, 2), (0, 1, 2, 2), (1, 0, 2, 1)]
        if interlaced else [(0, 0, 1, 1)]
    )  # fmt: skip
    body = b""
    for top, left, down, across in passes:
        part = values[top::down, left::across]
        if part.size:
            packed = part.astype(">u2").tobytes() if bits == 16 else pack_bits(part, bits)
            step = len(packed) // len(part)
            body += b"".join(b"\0" + packed[n : n + step] for n in range(0, len(packed), step))
    return (
        b"\x89PNG\r\n\x1a\n"
        + _chunk(b"IHDR", header)
        + chunks
        + _chunk(b"IDAT", zlib.compress(body))
        + _chunk(b"IEND", b"")
    )


def _chunk(name: bytes, body: bytes) -> bytes:
    return struct.pack(">I", len(body)) + name + body + struct.pack(">I", zlib.crc32(name + body))


def _pngs() -> Iterator[Case]:
    kinds = {0: ((1, 2, 4, 8, 16), 1), 2: ((8, 16), 3), 3: ((1, 2, 4, 8), 1), 4: ((8, 16), 2), 6: ((8, 16), 4)}
    colours = np.random.default_rng(4).integers(0, 256, (256, 3), np.uint8)
    for kind, (depths, channels) in kinds.items():
        for bits, interlaced, keyed in itertools.product(depths, (False, True), (False, True)):
            if keyed and kind in (4, 6):
                continue
            largest = 2**bits - 1
            values = (samples("u2", channels).astype(int) * largest // 65535).reshape(HEIGHT, WIDTH, channels)
            whole = values.astype(np.uint16) if bits == 16 else np.rint(values * 255 / largest).astype(np.uint8)
            full = 65535 if bits == 16 else 255
            chunks = b""
            if kind == 3:
                chunks, whole = _chunk(b"PLTE", colours[: largest + 1].tobytes()), colours[values[:, :, 0]]
            if keyed and kind == 3:
                opacity = np.arange(largest + 1, dtype=np.uint8) * 3
                chunks += _chunk(b"tRNS", opacity.tobytes())
                whole = np.dstack([whole, opacity[values[:, :, 0]]])
            elif keyed:
                key = values[3, 4]
                chunks += _chunk(b"tRNS", struct.pack(f">{channels}H", *key))
                clear = (values == key).all(axis=2)
                whole = np.dstack([whole, np.where(clear, 0, full).astype(whole.dtype)])
            name = f"PNG {kind} of {bits} bits{' interlaced' if interlaced else ''}{' with tRNS' if keyed else ''}"
            data = _png(values, bits, kind, chunks, interlaced)
            yield Case(name, data, made_from(whole))
            if not interlaced and not keyed:
                yield from _broken(name, data, whole)


def _broken(name: str, data: bytes, whole: np.ndarray) -> Iterator[Case]:
    at = data.index(b"IDAT")
    crc = bytearray(data)
    crc[-16] ^= 1
    yield Case(f"{name}, bad checksum", bytes(crc), made_from(whole), broken=True)
    yield Case(f"{name}, cut", data[: (at + len(data)) // 2], made_from(whole), broken=True)
    body = zlib.decompress(data[at + 4 : -16])
    short = data[: at - 4] + _chunk(b"IDAT", zlib.compress(body[: len(body) // 2])) + _chunk(b"IEND", b"")
    yield Case(f"{name}, short data", short, made_from(whole), broken=True)
