"""XMP larger than a JPEG's segment: a packet that points to an extension, and the extension in pieces (XMP part 3, 1.1.3.1)."""

from __future__ import annotations

import hashlib
import re
import struct
from collections.abc import Iterable, Iterator

STANDARD, EXTENSION = b"http://ns.adobe.com/xap/1.0/\x00", b"http://ns.adobe.com/xmp/extension/\x00"
MOST_STANDARD = 65_533 - len(STANDARD)
_PIECE = 65_400
_GUID = 32
_HEAD = struct.Struct(">32sII")

_POINTER = (
    b'<?xpacket begin="\xef\xbb\xbf" id="W5M0MpCehiHzreSzNTczkc9d"?><x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF '
    b'xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#"><rdf:Description rdf:about="" '
    b'xmlns:xmpNote="http://ns.adobe.com/xmp/note/" xmpNote:HasExtendedXMP="%s"/></rdf:RDF></x:xmpmeta>'
    b'<?xpacket end="w"?>'
)
_POINTS = re.compile(re.escape(_POINTER).replace(b"%s", rb"([0-9A-F]{32})"))


def segments(xmp: bytes) -> Iterator[bytes]:
    """The bodies of the APP1 segments that hold a packet, however large."""
    if len(xmp) <= MOST_STANDARD:
        yield STANDARD + xmp
        return
    guid = hashlib.md5(xmp, usedforsecurity=False).hexdigest().upper().encode("ascii")
    yield STANDARD + _POINTER % guid
    for at in range(0, len(xmp), _PIECE):
        yield EXTENSION + _HEAD.pack(guid, len(xmp), at) + xmp[at : at + _PIECE]


def joined(standard: bytes, pieces: Iterable[bytes]) -> bytes | None:
    """The whole packet, where the standard one does nothing but point to its extension and that is all there.

    ``pieces``: bodies of segments behind `EXTENSION`.
    """
    found = _POINTS.fullmatch(standard)
    if found is None:
        return None
    whole = bytearray()
    ours = [piece for piece in pieces if piece.startswith(found[1])]
    for piece in sorted(ours, key=lambda piece: piece[_GUID + 4 : _HEAD.size]):
        if len(piece) < _HEAD.size or _HEAD.unpack_from(piece)[2] != len(whole):
            return None
        whole += piece[_HEAD.size :]
    matches = hashlib.md5(whole, usedforsecurity=False).hexdigest().upper().encode("ascii") == found[1]
    return bytes(whole) if matches else None
