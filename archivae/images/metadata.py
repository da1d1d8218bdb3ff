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

_TIFF_UNKEPT = {
    ExifTags.Base.DocumentName: "document name",
    ExifTags.Base.PageName: "page name",
    ExifTags.Base.ImageResources: "Photoshop resources",
}

# Resources of Photoshop's block: the IPTC records; the resolution and IPTC's checksum, which follow from the rest.
_PHOTOSHOP_IPTC, _PHOTOSHOP_COMPUTED = 0x0404, (0x03ED, 0x0425)

_PNG_XMP = "XML:com.adobe.xmp"
# ImageMagick's ways to put a block into a PNG's texts.
_PNG_EXIF = ("Raw profile type exif", "Raw profile type APP1")
_PNG_IPTC = ("Raw profile type iptc",)


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


def unkept(image: Image.Image) -> tuple[str, ...]:
    """Names of what else the file said about the picture that ``Metadata`` has no place for (densities aside)."""
    names = ["comment"] if image.info.get("comment") else []
    resources = image.info.get("photoshop") or {}
    names += ["Photoshop resources"] if set(resources) - {_PHOTOSHOP_IPTC, *_PHOTOSHOP_COMPUTED} else []
    names += [f"PNG {key}" for key in ("gamma", "chromaticity") if key in image.info]
    read = [key for key in (*_PNG_EXIF, *_PNG_IPTC) if _raw_profile(image, (key,))]
    names += [f"text {key!r}" for key in sorted(_texts(image)) if key not in (_PNG_XMP, *read)]
    if isinstance(image, TiffImagePlugin.TiffImageFile):
        names += [name for tag, name in _TIFF_UNKEPT.items() if tag in image.tag_v2]
    return tuple(names)


def _texts(image: Image.Image) -> dict[str, str]:
    """A PNG's texts; none if it is cut short, where Pillow doesn't get to them."""
    try:
        return getattr(image, "text", {})
    except AssertionError:
        return {}


def _plain_exif(image: Image.Image) -> bytes:
    exif = image.info.get("exif") or b""
    exif = exif or _raw_profile(image, _PNG_EXIF)
    while exif.startswith(b"Exif\x00\x00"):
        exif = exif[6:]
    return exif


def _iptc(image: Image.Image) -> bytes:
    if isinstance(image, TiffImagePlugin.TiffImageFile):
        records = image.tag_v2.get(ExifTags.Base.IPTCNAA, b"")
        if isinstance(records, tuple):  # told to be of LONGs, which some writers say of plain bytes
            records = struct.pack(f"{(image.tag_v2.prefix == b'II' and '<') or '>'}{len(records)}I", *records)
        return bytes(records)
    records = (image.info.get("photoshop") or {}).get(_PHOTOSHOP_IPTC, b"")
    return bytes(records) or _raw_profile(image, _PNG_IPTC)


def _raw_profile(image: Image.Image, keys: tuple[str, ...]) -> bytes:
    """The block of the first such text: hexadecimal after three lines of heading. None if damaged, or XMP by that name."""
    for key in keys:
        try:
            block = bytes.fromhex("".join(str(image.info.get(key, "")).split("\n")[3:]))
        except ValueError:
            continue
        if block and not block.startswith(b"http:"):
            return block
    return b""


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
