"""What a JPEG 2000 file says of its components, colours and metadata (ISO/IEC 15444-1, annexes A and I)."""

from __future__ import annotations

import re
import struct
from collections.abc import Iterator
from dataclasses import dataclass, field

from archivae.errors import DamagedPictureError, UnsupportedPictureError
from archivae.images.notes import NO_NOTES, Notes, lost, said
from archivae.images.picture import Colours

_START = b"\xff\x4f\xff\x51"  # SOC, SIZ
_SIZES, _COMPONENTS = 8, 40  # offsets from the start: the reference grid; how many components, then 3 bytes of each
_COMMENT, _TILE = 0xFF64, 0xFF90
_END = b"\xff\xd9"
_TEXT = 1  # of a comment, by ISO 8859-15
_ENCODERS = re.compile(r"Created by OpenJPEG version [\d.]+")
_CONTAINER = b"jP  "

_XMP = bytes.fromhex("be7acfcb97a942e89c71999491e3afac")
_EXIF = b"JpgTiffExif->JP2"
_USES = {"b14bf8bd083d4b43a5ae8cd7d5a6ce03": "GeoJP2", "33c7a4d2b81d4723a0baf1a3e097ad38": "IPTC"}
_STRUCTURAL = (b"jP  ", b"ftyp", b"jp2h", b"jp2c", b"rreq", b"free")
_STRUCTURAL_IN_HEADER = (b"ihdr", b"bpcc", b"colr", b"pclr", b"cmap", b"cdef")
_ENUMERATED: dict[int, Colours] = {16: "rgb", 17: "grey", 18: "rgb", 12: "cmyk"}
_SYCC = 18
_ICC_SPACES: dict[bytes, Colours] = {b"GRAY": "grey", b"RGB ": "rgb", b"CMYK": "cmyk"}
_OPACITY, _PREMULTIPLIED = 1, 2


@dataclass
class Jpeg2000Header:
    """``precisions`` and ``signed`` of the components; ``alpha`` is the channel that is, None if none is."""

    height: int
    width: int
    precisions: tuple[int, ...]
    signed: tuple[bool, ...]
    subsampled: bool
    colours: Colours | None = None
    is_sycc: bool = False
    palette: tuple[int, ...] = ()
    alpha: int | None = None
    premultiplied: bool = False
    icc: bytes = b""
    exif: bytes = b""
    xmp: bytes = b""
    notes: Notes = field(default=NO_NOTES)

    @property
    def channels(self) -> int:
        """After the palette is applied."""
        return len(self.palette or self.precisions)


def jpeg2000_header(data: bytes) -> Jpeg2000Header:
    """Raises DamagedPictureError where it ends too soon, UnsupportedPictureError for colours that aren't coded."""
    try:
        start = data.index(_START)
        header = _of_codestream(data, start)
        boxes = list(_boxes(data)) if data[4:8] == _CONTAINER else []
        for name, body in boxes:
            _take(header, name, body)
        further = sum(name == b"jp2c" for name, _ in boxes) - 1
        if further > 0:
            header.notes += lost(f"{further} further codestreams")
    except (struct.error, ValueError, IndexError) as error:
        raise DamagedPictureError("decoding JPEG2000 failed: its header is damaged or cut short") from error
    return header


def _of_codestream(data: bytes, start: int) -> Jpeg2000Header:
    right, bottom, left, top = struct.unpack_from(">4I", data, start + _SIZES)
    (components,) = struct.unpack_from(">H", data, start + _COMPONENTS)
    told = struct.unpack_from(f">{3 * components}B", data, start + _COMPONENTS + 2)
    precisions, across, down = told[::3], told[1::3], told[2::3]
    header = Jpeg2000Header(
        bottom - top,
        right - left,
        tuple((precision & 0x7F) + 1 for precision in precisions),
        tuple(bool(precision & 0x80) for precision in precisions),
        any(step > 1 for step in (*across, *down)),
    )
    header.notes = _comments(data, start + 2)
    end = data.rfind(_END)
    if data.startswith(_START) and end >= 0 and data[end + 2 :].strip(b"\0"):
        header.notes += lost(f"{len(data) - end - 2:,} bytes after the picture")
    return header


def _comments(data: bytes, at: int) -> Notes:
    """Those of the main header; an encoder's own name is no content."""
    notes = NO_NOTES
    while at + 4 <= len(data):
        marker, length = struct.unpack_from(">HH", data, at)
        if marker == _TILE or length < 2:
            break
        if marker == _COMMENT:
            (kind,) = struct.unpack_from(">H", data, at + 4)
            text = data[at + 6 : at + 2 + length].decode("latin-1") if kind == _TEXT else ""
            notes += said(text) if _ENCODERS.fullmatch(text) else lost("comment")
        at += 2 + length
    return notes


def _boxes(data: bytes) -> Iterator[tuple[bytes, bytes]]:
    at = 0
    while at + 8 <= len(data):
        size, name = struct.unpack_from(">I4s", data, at)
        head = 8
        if size == 1:
            (size,) = struct.unpack_from(">Q", data, at + 8)
            head = 16
        end = at + size if size else len(data)
        yield name, data[at + head : end]
        at = max(end, at + 8)


def _take(header: Jpeg2000Header, name: bytes, body: bytes) -> None:
    """One box at the top."""
    if name == b"jp2h":
        for inner, content in _boxes(body):
            _take_within(header, inner, content)
    elif name == b"uuid" and body[:16] == _XMP and not header.xmp:
        header.xmp = body[16:]
    elif name == b"uuid" and body[:16] == _EXIF and not header.exif:
        header.exif = body[16:].removeprefix(b"Exif\0\0")
    elif name == b"uuid":
        use = _USES.get(body[:16].hex(), body[:16].hex())
        header.notes += lost(f"uuid box ({use})")
    elif name not in _STRUCTURAL:
        header.notes += lost(f"{name.decode('latin-1').strip()} box")


def _take_within(header: Jpeg2000Header, name: bytes, body: bytes) -> None:
    if name == b"colr" and header.colours is None:
        _take_colours(header, body)
    elif name == b"pclr":
        columns = body[2]
        header.palette = tuple((precision & 0x7F) + 1 for precision in body[3 : 3 + columns])
        if any(precision & 0x80 for precision in body[3 : 3 + columns]):
            raise UnsupportedPictureError("a JPEG 2000 with a palette of signed colours, which isn't coded: convert it")
    elif name == b"cdef":
        (count,) = struct.unpack_from(">H", body)
        for channel, kind, _ in struct.iter_unpack(">3H", body[2 : 2 + 6 * count]):
            if kind in (_OPACITY, _PREMULTIPLIED) and header.alpha is None:
                header.alpha, header.premultiplied = channel, kind == _PREMULTIPLIED
    elif name not in _STRUCTURAL_IN_HEADER:
        header.notes += lost(f"{name.decode('latin-1').strip()} box")


def _take_colours(header: Jpeg2000Header, body: bytes) -> None:
    """A colour specification: by number or by profile."""
    if body[0] == 1:
        (number,) = struct.unpack_from(">I", body, 3)
        if number not in _ENUMERATED:
            raise UnsupportedPictureError(f"a JPEG 2000 of colour space {number}, which isn't coded yet: convert it")
        header.colours, header.is_sycc = _ENUMERATED[number], number == _SYCC
        return
    space = body[3 + 16 : 3 + 20]
    if space not in _ICC_SPACES:
        raise UnsupportedPictureError(f"a JPEG 2000 of colours {space!r}, which aren't coded yet: convert it")
    header.icc, header.colours = body[3:], _ICC_SPACES[space]
