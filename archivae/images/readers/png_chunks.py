"""A PNG's chunks (W3C PNG, third edition), and the texts among them, which Pillow refuses where they are large."""

from __future__ import annotations

import zlib
from collections.abc import Iterator
from typing import NamedTuple

from archivae.images.metadata import Metadata

SIGNATURE_BYTES = 8
MOST_TEXT = 64 << 20
"""Bytes that a compressed text or profile may become; a larger one is named as lost."""

TEXTS = (b"tEXt", b"zTXt", b"iTXt")
PROFILE = b"iCCP"
XMP_KEY = "XML:com.adobe.xmp"
# ImageMagick's ways to put a block into a PNG's texts.
_EXIF_KEYS = ("Raw profile type exif", "Raw profile type APP1")
_IPTC_KEYS = ("Raw profile type iptc",)
_EXIF_HEAD = b"Exif\x00\x00"


class Chunk(NamedTuple):
    """A name, and where the chunk and its body lie; the checksum is at the end."""

    name: bytes
    start: int
    body: slice

    @property
    def end(self) -> int:
        return self.body.stop + 4  # type: ignore[no-any-return]


class Text(NamedTuple):
    """A text's keyword and content; None where it is damaged, or too large."""

    key: str
    content: bytes | None


def chunks(data: bytes) -> Iterator[Chunk]:
    """Each chunk up to IEND; those that are all there."""
    at = SIGNATURE_BYTES
    while at + 12 <= len(data):
        size = int.from_bytes(data[at : at + 4], "big")
        if at + 12 + size > len(data):
            return
        chunk = Chunk(data[at + 4 : at + 8], at, slice(at + 8, at + 8 + size))
        yield chunk
        if chunk.name == b"IEND":
            return
        at = chunk.end


def without_texts(data: bytes) -> tuple[bytes, str]:
    """The file without texts and profile, which `beside` reads, and what is damaged of them."""
    kept, damage, at = [], "", 0
    for chunk in chunks(data):
        if chunk.name in (*TEXTS, PROFILE):
            kept.append(data[at : chunk.start])
            at = chunk.end
            if zlib.crc32(data[chunk.start + 4 : chunk.body.stop]) != int.from_bytes(data[at - 4 : at], "big"):
                damage = damage or f"bad checksum in {chunk.name.decode('ascii')}"
    return (b"".join([*kept, data[at:]]) if at else data), damage


def texts(data: bytes) -> Iterator[Text]:
    """Every text chunk."""
    return (text_of(data, chunk) for chunk in chunks(data) if chunk.name in TEXTS)


def beside(data: bytes) -> Metadata:
    """What a PNG's chunks hold beside its pixels, the first of each."""
    found: dict[bytes, bytes] = {}
    for chunk in chunks(data):
        if chunk.name in (PROFILE, b"eXIf"):
            found.setdefault(chunk.name, data[chunk.body])
    written = [text for text in texts(data) if text.content]
    xmp = next((text.content for text in written if text.key == XMP_KEY), None)
    exif = found.get(b"eXIf", b"") or raw_profile(written, _EXIF_KEYS)
    while exif.startswith(_EXIF_HEAD):
        exif = exif[len(_EXIF_HEAD) :]
    return Metadata(exif, profile_of(found.get(PROFILE, b"")), xmp or b"", raw_profile(written, _IPTC_KEYS))


def profile_of(body: bytes) -> bytes:
    """The colour profile in an iCCP chunk; empty if it is damaged."""
    packed = body.partition(b"\x00")[2]
    return _inflated(packed[1:]) or b""


def text_of(data: bytes, chunk: Chunk) -> Text:
    """The text in a chunk of `TEXTS`."""
    key, _, rest = data[chunk.body].partition(b"\x00")
    if chunk.name == b"zTXt":
        content = _inflated(rest[1:])
    elif chunk.name == b"iTXt":
        # Whether it is deflated, and how; then language and translated keyword, each with a zero behind.
        language = rest[2:].split(b"\x00", 2)
        content = None if len(language) < 3 else _inflated(language[2]) if rest[0] else language[2]
    else:
        content = rest
    return Text(key.decode("latin-1"), content)


def raw_profile(written: list[Text], keys: tuple[str, ...]) -> bytes:
    """The block of the first such text: hexadecimal after three lines of heading. None if damaged, or XMP by that name."""
    for key in keys:
        content = next((text.content for text in written if text.key == key), b"")
        try:
            block = bytes.fromhex("".join((content or b"").decode("latin-1").split("\n")[3:]))
        except ValueError:
            continue
        if block and not block.startswith(b"http:"):
            return block
    return b""


def is_carried(text: Text, metadata: Metadata) -> bool:
    """Whether the text is what ``metadata`` holds."""
    if text.content is None:
        return False
    if text.key == XMP_KEY:
        return text.content == metadata.xmp
    if text.key in (*_EXIF_KEYS, *_IPTC_KEYS):
        block = raw_profile([text], (text.key,))
        kept = metadata.iptc if text.key in _IPTC_KEYS else metadata.exif
        return bool(block) and block.removeprefix(_EXIF_HEAD) == kept
    return False


def _inflated(packed: bytes) -> bytes | None:
    machine = zlib.decompressobj()
    try:
        content = machine.decompress(packed, MOST_TEXT)
    except zlib.error:
        return None
    return content if machine.eof else None
