"""A TIFF page's tags: those that are metadata are carried, those that lay out the pixels are read, all others are lost.

Every tag is looked at, by an allow-list, and every byte: what no directory points at is lost as well.
"""

from __future__ import annotations

import io
import struct
from typing import Any

import tifffile
from PIL import ExifTags, Image

from archivae.errors import DamagedPictureError
from archivae.images.metadata import TIFF_DESCRIPTIVE, Metadata, tiff_exif
from archivae.images.notes import Notes, lost

XMP, IPTC, ICC, PHOTOSHOP = 700, 33723, 34675, 34377
ORIENTATION, EXIF, GPS, INTEROPERABILITY = 274, 34665, 34853, 40965
_CARRIED = frozenset({XMP, IPTC, ICC, ORIENTATION, EXIF, GPS, *map(int, TIFF_DESCRIPTIVE)})

# How the pixels are laid out, and numbers that follow from them or that nobody needs once they are decoded.
_STRUCTURAL = frozenset(
    {
        254, 255, 256, 257, 258, 259, 262, 266, 273, 277, 278, 279, 280, 281, 284, 288, 289, 292, 293, 297, 317,
        320, 322, 323, 324, 325, 326, 327, 328, 332, 334, 338, 339, 347, 512, 513, 514, 515, 517, 518, 519, 520, 521, 529,
        530, 531, 532, 32997, 50674,
    }
)  # fmt: skip
_NAMED = 12
"""Tags that are named one by one; of more the number is said."""


def directory_metadata(data: bytes, page: Any) -> Metadata:
    """EXIF, profile, XMP and IPTC of a page; each empty where there is none, or it can't be read."""
    return Metadata(_exif(data, page), _block(data, page, ICC), _block(data, page, XMP), _block(data, page, IPTC))


def orientation_of(page: Any) -> int:
    """1 to 8; 1 where the tag is missing or says something else."""
    value = page.tags.valueof(ORIENTATION, 1)
    return int(value) if value in range(1, 9) else 1


def lost_tags(data: bytes, page: Any, metadata: Metadata) -> Notes:
    """The names of the tags that are neither carried nor structural."""
    names = [_name(tag.code) for tag in page.tags if tag.code not in _CARRIED | _STRUCTURAL]
    names += [f"{_name(code)}, which can't be read" for code in _unread(data, page)]
    carried = {EXIF: metadata.exif, GPS: metadata.exif, ICC: metadata.icc, XMP: metadata.xmp, IPTC: metadata.iptc}
    names += [_name(code) for code, block in carried.items() if code in page.tags and not block]
    names += _within_exif(metadata.exif)
    if len(names) > _NAMED:
        names = [*names[:_NAMED], f"{len(names) - _NAMED} more TIFF tags"]
    return lost(*names)


def check_layout_tags(data: bytes, page: Any) -> None:
    """DamagedPictureError where a tag that lays out the pixels can't be read: its default is another picture's."""
    broken = [code for code in _unread(data, page) if code in _STRUCTURAL]
    if broken:
        raise DamagedPictureError(f"decoding TIFF failed: {_name(broken[0])} is damaged")


def _name(code: int) -> str:
    known = tifffile.TIFF.TAGS.get(int(code), None)
    return f"TIFF tag {code}" + (f" ({known})" if known else "")


def _unread(data: bytes, page: Any) -> list[int]:
    """Codes of tags that stand in the directory and that tifffile passed over."""
    big, order = page.parent.is_bigtiff, page.parent.byteorder
    (count,) = struct.unpack_from(f"{order}{'Q' if big else 'H'}", data, page.offset)
    first, size = page.offset + (8 if big else 2), 20 if big else 12
    places = range(first, min(first + count * size, len(data) - 1), size)
    codes = [struct.unpack_from(f"{order}H", data, at)[0] for at in places]
    return sorted(set(codes) - {tag.code for tag in page.tags})


def _block(data: bytes, page: Any, code: int) -> bytes:
    """A tag's value as it lies in the file, whatever type it is told to be of."""
    tag = page.tags.get(code)
    if tag is None:
        return b""
    return data[tag.valueoffset : tag.valueoffset + tag.valuebytecount]


def _exif(data: bytes, page: Any) -> bytes:
    source = Image.Exif()
    try:
        source.endian, source.bigtiff = page.parent.byteorder, page.parent.is_bigtiff
        source.load_from_fp(io.BytesIO(data), page.offset)
        return tiff_exif(source)
    except Exception:  # Pillow raises what it likes; the tags are named as lost then
        return b""


def _within_exif(exif: bytes) -> list[str]:
    """What the Exif directory points at that isn't carried along."""
    if not exif:
        return []
    loaded = Image.Exif()
    loaded.load(exif)
    return ["Exif interoperability directory"] if INTEROPERABILITY in loaded.get_ifd(ExifTags.IFD.Exif) else []
