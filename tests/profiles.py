"""ICC profiles made by hand, as small as they come (ICC.1:2001): matrix and curve, grey, and four inks."""

from __future__ import annotations

import struct

import numpy as np

ADOBE_RGB = ((0.60974, 0.31111, 0.01947), (0.20528, 0.62567, 0.06087), (0.14919, 0.06322, 0.74457))
DISPLAY_P3 = ((0.51512, 0.24120, -0.00105), (0.29198, 0.69225, 0.04189), (0.15710, 0.06657, 0.78407))
SRGB = ((0.43607, 0.22249, 0.01392), (0.38515, 0.71687, 0.09708), (0.14307, 0.06061, 0.71410))
_WHITE = (0.9642, 1.0, 0.8249)


def rgb_profile(primaries: tuple[tuple[float, float, float], ...], gamma: float, name: str = "made by hand") -> bytes:
    columns = {tag: _xyz(column) for tag, column in zip((b"rXYZ", b"gXYZ", b"bXYZ"), primaries, strict=True)}
    curves = {tag: _gamma(gamma) for tag in (b"rTRC", b"gTRC", b"bTRC")}
    return _profile(b"RGB ", b"XYZ ", {b"desc": _text(name), b"wtpt": _xyz(_WHITE), **columns, **curves})


def srgb_profile() -> bytes:
    """sRGB's primaries and its curve as a table."""
    steps = np.linspace(0, 1, 1024)
    light = np.where(steps <= 0.04045, steps / 12.92, ((steps + 0.055) / 1.055) ** 2.4)
    table = b"curv" + bytes(4) + struct.pack(">I", 1024) + np.rint(light * 65535).astype(">u2").tobytes()
    columns = {tag: _xyz(column) for tag, column in zip((b"rXYZ", b"gXYZ", b"bXYZ"), SRGB, strict=True)}
    curves = dict.fromkeys((b"rTRC", b"gTRC", b"bTRC"), table)
    return _profile(b"RGB ", b"XYZ ", {b"desc": _text("like sRGB"), b"wtpt": _xyz(_WHITE), **columns, **curves})


def grey_profile(gamma: float) -> bytes:
    return _profile(b"GRAY", b"XYZ ", {b"desc": _text(f"grey {gamma}"), b"wtpt": _xyz(_WHITE), b"kTRC": _gamma(gamma)})


def ink_profile() -> bytes:
    """Inks to Lab through a table of two steps an ink: neutral paper, colour falling linearly with each ink."""
    grid = np.array(np.meshgrid(*[[0.0, 1.0]] * 4, indexing="ij")).reshape(4, -1).T
    cyan, magenta, yellow, black = grid.T
    light = np.clip(100 - 25 * (cyan + magenta) - 8 * yellow - 90 * black, 4, 100)
    a, b = 128 + 60 * (magenta - cyan) * (1 - black), 128 + 70 * (yellow - (cyan + magenta) / 2) * (1 - black)
    lab = np.stack([light * 2.55, a, b], axis=1).round().astype(np.uint8)
    identity = np.arange(256, dtype=np.uint8).tobytes()
    head = b"mft1" + bytes(4) + bytes([4, 3, 2, 0]) + struct.pack(">9i", *(65536 * (i % 4 == 0) for i in range(9)))
    table = head + identity * 4 + lab.tobytes() + identity * 3
    return _profile(b"CMYK", b"Lab ", {b"desc": _text("four inks"), b"wtpt": _xyz(_WHITE), b"A2B0": table})


def _profile(space: bytes, connection: bytes, tags: dict[bytes, bytes]) -> bytes:
    tags = {b"cprt": b"text" + bytes(4) + b"none\0", **tags}
    at, table, bodies = 128 + 4 + 12 * len(tags), b"", b""
    for tag, body in tags.items():
        body += bytes(-len(body) % 4)
        table += tag + struct.pack(">II", at + len(bodies), len(body))
        bodies += body
    kind = b"prtr" if space == b"CMYK" else b"mntr"
    head = struct.pack(
        ">I4sI4s4s4s12s4s", at + len(bodies), bytes(4), 0x02100000, kind, space, connection, bytes(12), b"acsp"
    )
    head = head.ljust(68, b"\0") + struct.pack(">3i", *(round(65536 * v) for v in _WHITE))
    return head.ljust(128, b"\0") + struct.pack(">I", len(tags)) + table + bodies


def _xyz(values: tuple[float, ...]) -> bytes:
    return b"XYZ " + bytes(4) + struct.pack(">3i", *(round(65536 * value) for value in values))


def _gamma(value: float) -> bytes:
    return b"curv" + bytes(4) + struct.pack(">IH", 1, round(value * 256))


def _text(text: str) -> bytes:
    ascii_text = text.encode() + b"\0"
    return b"desc" + bytes(4) + struct.pack(">I", len(ascii_text)) + ascii_text + bytes(4 + 4 + 2 + 1 + 67)
