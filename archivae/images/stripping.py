"""What is dropped of the metadata on request: all of it, or the place alone.

The place is wiped out of EXIF in place, as the orientation is set in place: maker notes and offsets survive.
"""

from __future__ import annotations

import re
import struct
from collections.abc import Iterator
from dataclasses import replace

from archivae.images.metadata import Metadata

_GPS_DIRECTORY = 0x8825
_TYPE_BYTES = {1: 1, 2: 1, 3: 2, 4: 4, 5: 8, 6: 1, 7: 1, 8: 2, 9: 4, 10: 8, 11: 4, 12: 8, 13: 4}  # TIFF 6.0, section 2

# Attributes and elements, empty or not, of any namespace prefix; XMP puts coordinates into nothing else.
_XMP_PLACE = re.compile(
    rb"""\s+[\w.-]+:GPS\w*\s*=\s*(?:"[^"]*"|'[^']*')|<([\w.-]+:GPS\w*)\b[^>]*(?:/>|>.*?</\1\s*>)""", re.DOTALL
)
_XMP_TELLS_PLACE = re.compile(rb":GPS\w")


def without_metadata(metadata: Metadata) -> Metadata:
    """Only what the colours need."""
    return Metadata(icc=metadata.icc, source_icc=metadata.source_icc)


def without_place(metadata: Metadata) -> Metadata:
    """The same without GPS positions. EXIF or XMP in which they can't be told apart from the rest go whole."""
    return replace(metadata, exif=_exif_without_place(metadata.exif), xmp=_xmp_without_place(metadata.xmp))


def _exif_without_place(exif: bytes) -> bytes:
    wiped = bytearray(exif)
    try:
        order = {b"II": "<", b"MM": ">"}[exif[:2]]
        for entry, tag, value in _entries(exif, order, *struct.unpack_from(order + "I", exif, 4)):
            if tag == _GPS_DIRECTORY:
                _wipe_directory(wiped, order, *struct.unpack_from(order + "I", exif, value))
                wiped[entry + 2 : entry + 12] = bytes(10)  # a field of unknown type and no values: readers pass over it
    except (KeyError, struct.error, ValueError):
        return b""
    return bytes(wiped)


def _wipe_directory(exif: bytearray, order: str, directory: int) -> None:
    """Zeros in place of a directory and of what its entries point at."""
    (count,) = struct.unpack_from(order + "H", exif, directory)
    for entry, _, value in list(_entries(bytes(exif), order, directory)):
        kind, values = struct.unpack_from(order + "HI", exif, entry + 2)
        size = _TYPE_BYTES.get(kind, 4) * values
        if value + size > len(exif):
            raise ValueError("a value beyond the end")
        exif[value : value + size] = bytes(size)
    exif[directory : directory + 2 + 12 * count + 4] = bytes(len(exif[directory : directory + 2 + 12 * count + 4]))


def _entries(exif: bytes, order: str, directory: int) -> Iterator[tuple[int, int, int]]:
    """Each entry's offset, tag, and the offset of its value."""
    (count,) = struct.unpack_from(order + "H", exif, directory)
    for entry in range(directory + 2, directory + 2 + 12 * count, 12):
        tag, kind, values, pointer = struct.unpack_from(order + "HHII", exif, entry)
        inline = _TYPE_BYTES.get(kind, 4) * values <= 4
        yield entry, tag, entry + 8 if inline else pointer


def _xmp_without_place(xmp: bytes) -> bytes:
    stripped = _XMP_PLACE.sub(b"", xmp)
    # UTF-16 and whatever else hides a position from the pattern: better no packet than a place.
    return b"" if _XMP_TELLS_PLACE.search(stripped) or b"\x00" in stripped else stripped
