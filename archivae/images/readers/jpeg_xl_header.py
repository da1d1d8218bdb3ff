"""Size and depth from a JPEG XL file's first bytes (ISO/IEC 18181-1, annex D; container: 18181-2)."""

from __future__ import annotations

import struct
from collections.abc import Iterator

from archivae.errors import DamagedPictureError

_CODESTREAM = b"\xff\x0a"
_SIDE_BITS = (9, 13, 18, 30)
_RATIOS = {1: (1, 1), 2: (12, 10), 3: (4, 3), 4: (3, 2), 5: (16, 9), 6: (5, 4), 7: (2, 1)}
_DEPTHS = (8, 10, 12)


def size_and_bits(data: bytes) -> tuple[int, int, int]:
    """Height and width as coded, and bits a sample; 8 where the header puts other things before them."""
    bits = _Bits(_codestream(data)[len(_CODESTREAM) :])
    small = bits.take(1)
    height = _side(bits, small)
    ratio = bits.take(3)
    width = height * _RATIOS[ratio][0] // _RATIOS[ratio][1] if ratio else _side(bits, small)
    return height, width, _depth(bits)


def boxes(data: bytes) -> Iterator[tuple[bytes, bytes]]:
    """Names and bodies of a container's boxes; none of a bare codestream."""
    at = 0 if data[4:8] == b"JXL " else len(data)
    while at + 8 <= len(data):
        size, name = struct.unpack_from(">I4s", data, at)
        head = 8
        if size == 1:
            (size,) = struct.unpack_from(">Q", data, at + 8)
            head = 16
        end = at + size if size else len(data)
        yield name, data[at + head : end]
        at = max(end, at + 8)


def _codestream(data: bytes) -> bytes:
    if data.startswith(_CODESTREAM):
        return data
    for name, body in boxes(data):
        if name == b"jxlc":
            return body
        if name == b"jxlp":
            return body[4:]
    raise DamagedPictureError("expected a JPEG XL codestream, found none; the file is cut short")


def _side(bits: _Bits, small: int) -> int:
    return 8 * (bits.take(5) + 1) if small else bits.take(_SIDE_BITS[bits.take(2)]) + 1


def _depth(bits: _Bits) -> int:
    all_default = bits.take(1)
    if all_default or bits.take(1):  # or extra fields come first
        return 8
    if bits.take(1):  # float samples
        return 32
    choice = bits.take(2)
    return _DEPTHS[choice] if choice < len(_DEPTHS) else bits.take(6) + 1


class _Bits:
    """Numbers of a few bits each, the least significant first."""

    def __init__(self, data: bytes) -> None:
        self._number = int.from_bytes(data[:32], "little")
        self._left = 8 * min(len(data), 32)

    def take(self, count: int) -> int:
        if count > self._left:
            raise DamagedPictureError("expected a JPEG XL header, found the file's end; it is cut short")
        value = self._number & (1 << count) - 1
        self._number >>= count
        self._left -= count
        return value
