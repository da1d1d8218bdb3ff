"""What a picture carries beside its pixels: EXIF, colour profile, XMP, IPTC; and the orientation hidden in two of them.

EXIF is never re-serialised where it can be helped: the orientation is overwritten in place, so that thumbnails, maker notes
and offsets into them survive byte for byte. Only TIFF, whose tags *are* its EXIF, has to be written anew.
"""

from __future__ import annotations

import re
import struct
from dataclasses import dataclass, replace

from PIL import ExifTags, Image, TiffImagePlugin

_ORIENTATION = ExifTags.Base.Orientation

# EXIF field type -> struct format of one value: writers use SHORT, as told, but BYTE and LONG are seen.
_FIELD_FORMATS = {1: "B", 3: "H", 4: "I"}

_XMP_ORIENTATION = re.compile(rb'(tiff:Orientation(?:="|>))([1-8])')

# What of a TIFF's own tags describes the picture rather than how this file stores it.
TIFF_DESCRIPTIVE = frozenset(
    {
        ExifTags.Base.ImageDescription, ExifTags.Base.Make, ExifTags.Base.Model, ExifTags.Base.XResolution,
        ExifTags.Base.YResolution, ExifTags.Base.ResolutionUnit, ExifTags.Base.Software, ExifTags.Base.DateTime,
        ExifTags.Base.Artist, ExifTags.Base.HostComputer, ExifTags.Base.Copyright,
    }
)  # fmt: skip

_PHOTOSHOP_IPTC = 0x0404  # the resource of Photoshop's block that holds the records


@dataclass(frozen=True, slots=True)
class Metadata:
    """A picture's metadata, each empty if there is none.

    Attributes:
        exif: the EXIF block from its TIFF header on ("II" or "MM"), without the "Exif\\0\\0" that JPEG puts before it.
        icc: the ICC colour profile.
        xmp: the XMP packet.
        iptc: the IPTC-IIM records.
        source_icc: the profile of the source, where the pixels were converted from it to sRGB; then ``icc`` is empty.
    """

    exif: bytes = b""
    icc: bytes = b""
    xmp: bytes = b""
    iptc: bytes = b""
    source_icc: bytes = b""


NO_METADATA = Metadata()


def read_metadata(image: Image.Image) -> Metadata:
    """The metadata of an opened and loaded picture, as stored (a TIFF's EXIF is gathered from its tags)."""
    exif = tiff_exif(image.getexif()) if isinstance(image, TiffImagePlugin.TiffImageFile) else _plain_exif(image)
    xmp = image.info.get("xmp") or b""
    icc = image.info.get("icc_profile") or b""
    return Metadata(exif, icc, xmp.encode() if isinstance(xmp, str) else xmp, _iptc(image))


def orientation(metadata: Metadata) -> int:
    """How the pixels lie, 1 (upright) to 8, as EXIF says, or XMP where EXIF is silent; 1 if neither does."""
    field = _orientation_field(metadata.exif)
    if field is not None:
        field_format, offset = field
        (value,) = struct.unpack_from(field_format, metadata.exif, offset)
        return value if 1 <= value <= 8 else 1
    found = _XMP_ORIENTATION.search(metadata.xmp)
    return int(found[2]) if found else 1


def made_upright(metadata: Metadata) -> Metadata:
    """The same metadata with every orientation in it set to 1, and nothing else changed."""
    exif = bytearray(metadata.exif)
    field = _orientation_field(metadata.exif)
    if field is not None:
        field_format, offset = field
        struct.pack_into(field_format, exif, offset, 1)
    return replace(metadata, exif=bytes(exif), xmp=_XMP_ORIENTATION.sub(rb"\g<1>1", metadata.xmp))


def _plain_exif(image: Image.Image) -> bytes:
    exif = image.info.get("exif") or b""
    while exif.startswith(b"Exif\x00\x00"):
        exif = exif[6:]
    return exif


def _iptc(image: Image.Image) -> bytes:
    if isinstance(image, TiffImagePlugin.TiffImageFile):
        records = image.tag_v2.get(ExifTags.Base.IPTCNAA, b"")
        if isinstance(records, tuple):  # told to be of LONGs, which some writers say of plain bytes
            records = struct.pack(f"{(image.tag_v2.prefix == b'II' and '<') or '>'}{len(records)}I", *records)
        return bytes(records)
    return bytes((image.info.get("photoshop") or {}).get(_PHOTOSHOP_IPTC, b""))


def tiff_exif(source: Image.Exif) -> bytes:
    """The descriptive tags and the Exif and GPS directories; where strips lie in the old file is left behind."""
    kept = Image.Exif()
    for tag in sorted(TIFF_DESCRIPTIVE.intersection(source)):
        kept[tag] = source[tag]
    for directory in (ExifTags.IFD.Exif, ExifTags.IFD.GPSInfo):
        if directory in source:
            kept.get_ifd(directory).update(source.get_ifd(directory))
    return kept.tobytes().removeprefix(b"Exif\x00\x00") if len(kept) or kept._ifds else b""


def _orientation_field(exif: bytes) -> tuple[str, int] | None:
    """The struct format and offset of the orientation's value in the first directory; None if absent or malformed."""
    order = {b"II": "<", b"MM": ">"}.get(exif[:2])
    if order is None:
        return None
    try:
        (directory,) = struct.unpack_from(order + "I", exif, 4)
        (entries,) = struct.unpack_from(order + "H", exif, directory)
        for entry in range(directory + 2, directory + 2 + 12 * entries, 12):
            tag, kind, count, _ = struct.unpack_from(order + "HHII", exif, entry)
            if tag == _ORIENTATION and count == 1 and kind in _FIELD_FORMATS:
                return order + _FIELD_FORMATS[kind], entry + 8
    except struct.error:
        return None
    return None
