"""What of an AVIF or HEIF isn't stored: auxiliary pictures, thumbnails, items, properties, boxes (ISO/IEC 23008-12)."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass, field

from archivae.images.leftovers.boxes import Box, boxes, find, others
from archivae.images.metadata import Metadata
from archivae.images.picture import Rasters

_TOP = frozenset({b"ftyp", b"meta", b"mdat", b"moov"})
_META = frozenset({b"hdlr", b"pitm", b"iloc", b"iinf", b"iprp", b"iref", b"idat", b"dinf", b"grpl"})
_MOVIE = frozenset({b"mvhd", b"trak", b"mvex"})
_PICTURES = (b"av01", b"hvc1", b"hev1", b"grid", b"iden", b"iovl", b"j2k1", b"jpeg", b"avc1", b"unci", b"vvc1")
_PROPERTIES = frozenset(
    {
        b"ispe",
        b"pixi",
        b"colr",
        b"av1C",
        b"hvcC",
        b"auxC",
        b"irot",
        b"imir",
        b"clap",
        b"pasp",
        b"a1op",
        b"lsel",
        b"a1lx",
    }
)
_SHOWN_TRACKS = (b"pict", b"auxv", b"vide")
_XMP_TYPE = b"application/rdf+xml"


@dataclass
class _Items:
    """What a file's meta box says: items' types, those hidden, references by their type, properties of each item."""

    primary: int = 0
    types: dict[int, bytes] = field(default_factory=dict)
    texts: dict[int, bytes] = field(default_factory=dict)
    hidden: set[int] = field(default_factory=set)
    references: list[tuple[bytes, int, tuple[int, ...]]] = field(default_factory=list)
    properties: dict[int, list[Box]] = field(default_factory=dict)

    def targets(self, kind: bytes, source: int) -> list[int]:
        return [t for k, s, targets in self.references for t in targets if (k, s) == (kind, source)]


def heif_leftovers(data: bytes, rasters: Rasters) -> Iterator[str]:
    """Names of what is in no raster."""
    yield from others(data, 0, len(data), _TOP)
    meta = find(data, 0, len(data), b"meta")
    if meta is not None:
        yield from others(data, meta.start + 4, meta.end, _META)
        yield from _unkept_items(data, _items(data, meta), rasters)
    movie = find(data, 0, len(data), b"moov")
    if movie is not None:
        yield from others(data, movie.start, movie.end, _MOVIE)
        for track in (box for box in boxes(data, movie.start, movie.end) if box.name == b"trak"):
            handler = find(data, track.start, track.end, b"mdia", b"hdlr")
            kind = b"" if handler is None else data[handler.start + 8 : handler.start + 12]
            if kind not in _SHOWN_TRACKS:
                yield f"track {kind.decode('latin-1')!r}"


def _unkept_items(data: bytes, items: _Items, rasters: Rasters) -> Iterator[str]:
    metadata = rasters.first.metadata
    kept = _shown(data, items, rasters)
    for item, kind in items.types.items():
        if item not in kept and not _is_carried(item, kind, items, metadata):
            yield _name(data, item, kind, items)
    for item in kept:
        for box in items.properties.get(item, ()):
            yield from _in_property(data, box, metadata)


def _shown(data: bytes, items: _Items, rasters: Rasters) -> set[int]:
    """Items of pixels that are in the rasters, or named with the frames that are left out."""
    beside = {s for kind, s, _ in items.references if kind in (b"thmb", b"auxl")}
    parts = {t for kind, _, targets in items.references if kind == b"dimg" for t in targets}
    kept = {i for i, kind in items.types.items() if kind in _PICTURES and i not in beside | parts | items.hidden}
    kept.add(items.primary)
    kept |= {
        s
        for kind, s, targets in items.references
        if kind == b"auxl" and kept.intersection(targets) and b":alpha" in _auxiliary(data, s, items)
    }
    while more := {t for item in kept for t in items.targets(b"dimg", item)} - kept:
        kept |= more
    return kept


def _auxiliary(data: bytes, item: int, items: _Items) -> bytes:
    """What an auxiliary picture says it is: ``:alpha`` at the end of its name, or its number for HEVC."""
    box = next((box for box in items.properties.get(item, ()) if box.name == b"auxC"), None)
    if box is None:
        return b""
    name = data[box.start + 4 : box.end].partition(b"\x00")[0]
    return b":alpha" if name == b"urn:mpeg:hevc:2015:auxid:1" else name


def _is_carried(item: int, kind: bytes, items: _Items, metadata: Metadata) -> bool:
    """Whether it is the EXIF or XMP of the first picture."""
    if items.primary not in items.targets(b"cdsc", item):
        return False
    first = min((i for i in items.types if _sort(i, items) == _sort(item, items)), default=item)
    if kind == b"Exif":
        return bool(metadata.exif) and item == first
    return kind == b"mime" and _XMP_TYPE in items.texts[item] and bool(metadata.xmp) and item == first


def _sort(item: int, items: _Items) -> tuple[bytes, bool]:
    return items.types[item], _XMP_TYPE in items.texts[item]


def _name(data: bytes, item: int, kind: bytes, items: _Items) -> str:
    if items.targets(b"thmb", item):
        return "thumbnail"
    if items.targets(b"auxl", item):
        return f"auxiliary picture ({_auxiliary(data, item, items).decode('latin-1')})"
    if kind in _PICTURES:
        return "hidden picture"
    text = items.texts[item].rstrip(b"\x00").rpartition(b"\x00")[2].decode("latin-1")
    return f"item {kind.decode('latin-1')!r}{f' ({text})' if text else ''}"


def _in_property(data: bytes, box: Box, metadata: Metadata) -> Iterator[str]:
    body = data[box.start : box.end]
    if box.name not in _PROPERTIES:
        yield f"property {box.name.decode('latin-1')!r}"
    elif box.name == b"pasp" and body[:4] != body[4:8]:
        yield "pixel aspect ratio of {}:{}".format(*struct.unpack(">II", body[:8]))
    elif box.name == b"colr" and body[:4] in (b"prof", b"rICC") and body[4:] != metadata.icc:
        yield "colour profile"


def _items(data: bytes, meta: Box) -> _Items:
    items = _Items()
    at = meta.start + 4
    for box in boxes(data, at, meta.end):
        if box.name == b"pitm":
            items.primary = int.from_bytes(data[box.start + 4 : box.end], "big")
        elif box.name == b"iinf":
            _read_infos(data, box, items)
        elif box.name == b"iref":
            _read_references(data, box, items)
        elif box.name == b"iprp":
            _read_properties(data, box, items)
    return items


def _read_infos(data: bytes, box: Box, items: _Items) -> None:
    wide = 4 if data[box.start] else 2
    for info in boxes(data, box.start + 4 + wide, box.end):
        version, flags = data[info.start], data[info.start + 3]
        size = 4 if version >= 3 else 2
        at = info.start + 4
        item = int.from_bytes(data[at : at + size], "big")
        items.types[item] = data[at + size + 2 : at + size + 6]
        items.texts[item] = data[at + size + 6 : info.end]
        if flags & 1:
            items.hidden.add(item)


def _read_references(data: bytes, box: Box, items: _Items) -> None:
    form = ">I" if data[box.start] else ">H"
    size = struct.calcsize(form)
    for reference in boxes(data, box.start + 4, box.end):
        (source,) = struct.unpack_from(form, data, reference.start)
        (count,) = struct.unpack_from(">H", data, reference.start + size)
        places = range(reference.start + size + 2, reference.start + size + 2 + count * size, size)
        targets = tuple(struct.unpack_from(form, data, at)[0] for at in places)
        items.references.append((reference.name, source, targets))


def _read_properties(data: bytes, box: Box, items: _Items) -> None:
    container = find(data, box.start, box.end, b"ipco")
    known = [] if container is None else list(boxes(data, container.start, container.end))
    for links in (b for b in boxes(data, box.start, box.end) if b.name == b"ipma"):
        wide_items, wide_links = data[links.start], data[links.start + 3] & 1
        (count,) = struct.unpack_from(">I", data, links.start + 4)
        at = links.start + 8
        for _ in range(count):
            (item,) = struct.unpack_from(">I" if wide_items else ">H", data, at)
            at += 4 if wide_items else 2
            linked = data[at]
            at += 1
            for _ in range(linked):
                index = struct.unpack_from(">H", data, at)[0] & 0x7FFF if wide_links else data[at] & 0x7F
                at += 2 if wide_links else 1
                if 0 < index <= len(known):
                    items.properties.setdefault(item, []).append(known[index - 1])
