"""How fine a file's samples are. Pillow reduces deep colour to 8 bits without a word, so the files are asked themselves."""

from __future__ import annotations

import re
import struct

from PIL import ImageFile, TiffImagePlugin

# An av1C box: size, name, marker and version 1, profile and level, then a byte whose bits 6 and 5 say "deep" and "12 bits".
_AV1_CONFIGURATION = re.compile(rb"\x00\x00..av1C\x81.(.)", re.DOTALL)
_AV1_DEEP, _AV1_TWELVE = 0x40, 0x20

_PNG_BIT_DEPTH = 24  # signature 8, chunk length and name 8, width 4, height 4
_J2K_START = b"\xff\x4f\xff\x51"
_J2K_COMPONENTS, _J2K_PRECISION = 40, 42  # from the start of the codestream: how many, then 3 bytes for each


def largest_sample(image: ImageFile.ImageFile, data: bytes) -> int:
    """The largest value that a sample of this opened, not yet loaded, file can have: 1, 15, 255, 1023, 65535, ...

    Args:
        image: as ``Image.open`` gave it.
        data: the whole file.
    """
    if image.mode == "1":
        return 1
    if image.format == "PPM":
        return _ppm_maxval(image)
    return (1 << _bits(image, data)) - 1


def _bits(image: ImageFile.ImageFile, data: bytes) -> int:
    if isinstance(image, TiffImagePlugin.TiffImageFile):
        return int(max(image.tag_v2.get(TiffImagePlugin.BITSPERSAMPLE, (1,))))
    readers = {"PNG": _png_bits, "AVIF": _avif_bits, "JPEG2000": _jpeg2000_bits}
    return readers[image.format](data) if image.format in readers else 8


def _png_bits(data: bytes) -> int:
    return data[_PNG_BIT_DEPTH]


def _avif_bits(data: bytes) -> int:
    flags = [found[1][0] for found in _AV1_CONFIGURATION.finditer(data)]
    if not any(flag & _AV1_DEEP for flag in flags):
        return 8
    return 12 if any(flag & _AV1_TWELVE for flag in flags) else 10


def _jpeg2000_bits(data: bytes) -> int:
    start = data.index(_J2K_START)
    (components,) = struct.unpack_from(">H", data, start + _J2K_COMPONENTS)
    precisions = data[start + _J2K_PRECISION : start + _J2K_PRECISION + 3 * components : 3]
    return max((precision & 0x7F) + 1 for precision in precisions)  # the top bit says "signed"


def _ppm_maxval(image: ImageFile.ImageFile) -> int:
    """Pillow keeps a PPM's maxval in its decoder's arguments, where it isn't the plain 255 or 65535."""
    arguments = image.tile[0][3]
    if isinstance(arguments, tuple):
        return int(arguments[1])
    return 65535 if arguments == "I;16B" else 255
