"""What of a PBM, PGM, PPM or PFM isn't stored: comments, a float's scale, further pictures."""

from __future__ import annotations

import re
from collections.abc import Iterator

from archivae.images.picture import Rasters

_TOKEN = re.compile(rb"(#[^\r\n]*)|([^\s#]+)|\s+")
_BYTES_A_SAMPLE = {5: 1, 6: 3}
_BITS = 4
_PLAIN = (1, 2, 3)
_FLOATS = {ord("f"): 4, ord("F"): 12}


def netpbm_leftovers(data: bytes, rasters: Rasters) -> Iterator[str]:
    """Names of what is in no raster."""
    kind = data[1]
    number = kind - ord("0")
    fields, comment, at = _header(data, 2 if number in (1, _BITS) else 3)
    if kind in _FLOATS and fields and abs(float(fields[2])) != 1:
        yield f"scale of {abs(float(fields[2])):g}"
    width, height = int(fields[0]), int(fields[1])
    if number in _PLAIN:
        comment = comment or b"#" in data[at:]
        behind = _plain_rest(data[at:], number, width * height * (3 if number == 3 else 1))
    else:
        behind = len(data) - at - _raster_bytes(kind, width, height, fields)
        behind = behind if data[len(data) - behind :].strip() else 0
    if comment:
        yield "comment"
    if behind > 0:
        yield f"{behind:,} bytes after the picture"


def _header(data: bytes, count: int) -> tuple[list[bytes], bool, int]:
    """So many numbers after the magic, whether a comment stands among them, and where the raster begins."""
    fields: list[bytes] = []
    comment, at = False, 2
    while len(fields) < count:
        found = _TOKEN.match(data, at)
        if found is None:
            break
        comment = comment or found[1] is not None
        if found[2] is not None:
            fields.append(found[2])
        at = found.end()
    return fields, comment, at + 1


def _raster_bytes(kind: int, width: int, height: int, fields: list[bytes]) -> int:
    if kind in _FLOATS:
        return width * height * _FLOATS[kind]
    if kind - ord("0") == _BITS:
        return (width + 7) // 8 * height
    return width * height * _BYTES_A_SAMPLE[kind - ord("0")] * (2 if int(fields[2]) > 255 else 1)


def _plain_rest(text: bytes, number: int, count: int) -> int:
    """Bytes beyond so many samples in letters; those of bits may stand together."""
    samples = re.finditer(rb"#[^\r\n]*|([01])" if number == 1 else rb"#[^\r\n]*|(\S+)", text)
    seen = 0
    for found in samples:
        seen += found[1] is not None
        if seen == count:
            rest = text[found.end() :].strip()
            return len(rest)
    return 0
