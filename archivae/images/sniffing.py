"""What a file is, by its first bytes, and what it claims to be, by its name."""

from __future__ import annotations

import re

from archivae.errors import DamagedPictureError, UnsupportedPictureError

# Enough for every signature below; the longest is DICOM's, after a preamble of 128 bytes.
_PREFIX = 160

# The name of a kind, as `archivae.images.readers` has it -> how its files begin.
# BMP's two letters are also English, so its header size is looked at too.
_SIGNATURES = {
    "DICOM": rb".{128}DICM",  # first: the 128 bytes before may be a TIFF's beginning, so that viewers of TIFFs open it too
    "JPEG": rb"\xff\xd8\xff",
    "PNG": rb"\x89PNG\r\n\x1a\n",
    "WEBP": rb"RIFF.{4}WEBP",
    "AVIF": rb".{4}ftyp(?:avi[fs]|mi(?:f1|af).{4}(?:.{4}){0,12}?avi[fs])",
    "GIF": rb"GIF8[79]a",
    "TIFF": rb"II[\x2a\x2b]\x00|MM\x00[\x2a\x2b]",
    "BMP": rb"BM.{12}[\x0c\x28\x34\x38\x40\x6c\x7c]\x00\x00\x00",
    "PPM": rb"P[1-6fF]\s[\s\d#]",
    "JPEG2000": rb"\xff\x4f\xff\x51|\x00\x00\x00\x0cjP  \r\n\x87\n",
    "JPEG XL": rb"\xff\x0a|\x00\x00\x00\x0cJXL \r\n\x87\n",
    "HEIF": rb".{4}ftyp(?:hei[cmsx]|hev[cx]|mif1|msf1)",
    "OpenEXR": rb"\x76\x2f\x31\x01",
    "Radiance HDR": rb"#\?R(?:ADIANCE|GBE)",
}

# Pictures for certain, but of kinds that aren't read: saying so beats calling them damaged.
_UNREAD_SIGNATURES = {
    "camera raw (CR3)": rb".{4}ftypcrx ",
    "Photoshop": rb"8BPS\x00",
}

_READ = {name: re.compile(signature, re.DOTALL) for name, signature in _SIGNATURES.items()}
_UNREAD = {name: re.compile(signature, re.DOTALL) for name, signature in _UNREAD_SIGNATURES.items()}

# A name with one of these claims a picture, read or not: an unread one is reported, never passed over in silence.
PICTURE_ENDINGS = frozenset(
    {
        "jpg", "jpeg", "jpe", "jfif", "png", "apng", "webp", "avif", "gif", "tif", "tiff", "bmp", "dib",
        "ppm", "pgm", "pbm", "pnm", "pfm", "jp2", "j2k", "j2c", "jpc", "jpf", "jpx",
        "heic", "heif", "jxl", "psd", "exr", "hdr", "dcm", "dng", "cr2", "cr3", "nef", "arw", "orf", "rw2", "raf",
    }
)  # fmt: skip


def picture_ending(name: str) -> bool:
    """Whether a file or object name ends like a picture's; upper and lower case are alike."""
    stem, dot, ending = name.rpartition(".")
    return bool(stem and dot) and ending.lower() in PICTURE_ENDINGS


def is_picture(data: bytes) -> bool:
    """Whether ``data`` (a prefix of 160 bytes is enough) begins like a picture that ``open_picture`` reads."""
    return _match(_READ, data) is not None


def sniff(data: bytes) -> str:
    """The name of the kind that ``data`` begins like.

    Raises:
        UnsupportedPictureError: it begins like a picture of a kind that isn't read.
        DamagedPictureError: it begins like no picture; the message says what was found.
    """
    found = _match(_READ, data)
    if found is not None:
        return found
    unread = _match(_UNREAD, data)
    if unread is not None:
        raise UnsupportedPictureError(
            f"expected one of {', '.join(_READ)}, found {unread}, which isn't read yet; convert it first"
        )
    raise DamagedPictureError(
        f"expected one of {', '.join(_READ)}, found {describe(data)}; look whether the file was copied whole"
    )


def describe(data: bytes) -> str:
    """A few words on content that is no picture: empty, text, zeros, or its first bytes in hexadecimal."""
    if not data:
        return "an empty file (0 bytes)"
    head = data[:32]
    if not any(data[:_PREFIX]):
        return f"{len(data)} bytes that begin with zeros"
    if all(32 <= byte < 127 or byte in b"\t\r\n" for byte in head):
        return f"text beginning {head.decode('ascii')!r}"
    return f"{len(data)} bytes beginning {head[:16].hex(' ')}"


def _match(signatures: dict[str, re.Pattern[bytes]], data: bytes) -> str | None:
    head = data[:_PREFIX]
    return next((name for name, signature in signatures.items() if signature.match(head)), None)
