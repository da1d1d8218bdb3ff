"""A file of each kind: those that come back whole but for their pixels, and those that lose something, by what that is."""

from __future__ import annotations

import io
import struct
import zlib
from typing import Any

import numpy as np
from PIL import ExifTags, Image

from tests.profiles import DISPLAY_P3, ink_profile, rgb_profile
from tests.samples import file_of, photo

SIZE = 48, 64
IPTC = b"\x1c\x02\x05\x00\x05title\x1c\x02\x19\x00\x03sea"
XMP = b'<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:Description dc:title="sea"/></x:xmpmeta>'


def pixels(seed: int = 1) -> np.ndarray:
    return photo(*SIZE, seed)


def saved(image: Image.Image, kind: str, **options: Any) -> bytes:
    file = io.BytesIO()
    image.save(file, kind, **options)
    return file.getvalue()


def jpeg(**options: Any) -> bytes:
    return file_of(pixels(), "JPEG", **{"quality": 95, **options})


def segment(marker: int, body: bytes) -> bytes:
    return struct.pack(">BBH", 0xFF, marker, 2 + len(body)) + body


def jpeg_with(*segments: bytes, **options: Any) -> bytes:
    """A JPEG with more behind its first segment, JFIF's."""
    data = jpeg(**options)
    first = 4 + int.from_bytes(data[4:6], "big")
    return data[:first] + b"".join(segments) + data[first:]


def photoshop(*resources: tuple[int, bytes]) -> bytes:
    """An APP13 segment."""
    parts = [b"8BIM" + struct.pack(">HHI", n, 0, len(b)) + b + b"\0" * (len(b) % 2) for n, b in resources]
    return segment(0xED, b"Photoshop 3.0\0" + b"".join(parts))


def sideways(orientation: int = 6, thumbnail: bytes | None = None) -> bytes:
    """EXIF of a camera held upright, with a thumbnail that lies as the pixels lie."""
    small = saved(Image.fromarray(pixels()).resize((32, 24)), "JPEG", quality=90) if thumbnail is None else thumbnail
    first = [(0x010F, 2, 4, b"Cam\0"), (0x0112, 3, 1, struct.pack("<HH", orientation, 0))]
    second = [(0x0103, 3, 1, struct.pack("<HH", 6, 0)), (0x0112, 3, 1, struct.pack("<HH", orientation, 0))]
    at = 8 + 2 + 12 * len(first) + 4
    behind = at + 2 + 12 * (len(second) + 2) + 4
    second += [(0x0201, 4, 1, struct.pack("<I", behind)), (0x0202, 4, 1, struct.pack("<I", len(small)))]
    return b"II*\0\x08\0\0\0" + _directory(first, at) + _directory(second, 0) + small


def _directory(entries: list[tuple[int, int, int, bytes]], following: int) -> bytes:
    packed = b"".join(struct.pack("<HHI", *entry[:3]) + entry[3] for entry in entries)
    return struct.pack("<H", len(entries)) + packed + struct.pack("<I", following)


def chunk(name: bytes, body: bytes) -> bytes:
    return struct.pack(">I", len(body)) + name + body + struct.pack(">I", zlib.crc32(name + body))


def png_with(*chunks: bytes, **options: Any) -> bytes:
    """A PNG with more behind its header."""
    data = file_of(pixels(), "PNG", **options)
    return data[:33] + b"".join(chunks) + data[33:]


def webp_with(*chunks: tuple[bytes, bytes]) -> bytes:
    """A WebP with more chunks at its end."""
    data = file_of(pixels(), "WEBP", exif=b"Exif\0\0" + sideways(1), xmp=XMP)
    parts = b"".join(name + struct.pack("<I", len(body)) + body + b"\0" * (len(body) % 2) for name, body in chunks)
    return data[:4] + struct.pack("<I", len(data) - 8 + len(parts)) + data[8:] + parts


def gif(*extensions: bytes) -> bytes:
    """A GIF of one picture with more behind its colour table."""
    data = saved(Image.fromarray(pixels()).quantize(64), "GIF")
    at = 13 + 3 * 2 ** ((data[10] & 7) + 1)
    return data[:at] + b"".join(extensions) + data[at:]


def gif_block(kind: int, *blocks: bytes) -> bytes:
    return bytes([0x21, kind]) + b"".join(bytes([len(block)]) + block for block in blocks) + b"\0"


def box(name: bytes, body: bytes) -> bytes:
    return struct.pack(">I4s", 8 + len(body), name) + body


def several(kind: str) -> bytes:
    first, *rest = (Image.fromarray(pixels(seed)) for seed in (1, 2, 3))
    return saved(first, kind, save_all=True, append_images=rest)


def whole() -> dict[str, bytes]:
    """Files of which nothing is lost, whatever is converted."""
    exif = Image.Exif()
    exif[ExifTags.Base.Make] = "Maker"
    inks = Image.fromarray(pixels()).convert("CMYK")
    profile = rgb_profile(DISPLAY_P3, 2.2, "Display P3")
    ppm = file_of(pixels(), "PPM")
    return {
        "plain.jpg": jpeg(),
        "rotated.jpg": jpeg(exif=b"Exif\0\0" + sideways()),
        "described.jpg": jpeg_with(photoshop((0x0404, IPTC), (0x0425, bytes(16))), exif=exif.tobytes(), xmp=XMP),
        "dense.jpg": jpeg(dpi=(240, 240)),
        "profile-in-pieces.jpg": jpeg(icc_profile=profile + bytes(150_000)),
        "padded.jpg": jpeg() + bytes(512),
        "progressive.jpg": jpeg(progressive=True, restart_marker_rows=1),
        "inks.jpg": saved(inks, "JPEG", quality=95, icc_profile=ink_profile()),
        "wide.png": file_of(pixels(), icc_profile=profile),
        "dense.png": file_of(pixels(), dpi=(300, 300)),
        "palette.png": saved(Image.fromarray(pixels()).quantize(64), "PNG"),
        "gamma.png": png_with(chunk(b"sRGB", b"\0"), chunk(b"gAMA", struct.pack(">I", 45455))),
        "alpha.png": file_of(np.dstack([pixels(), pixels()[:, :, 0]])),
        "exif.webp": webp_with(),
        "still.gif": gif(),
        "looped.gif": gif(gif_block(0xFF, b"NETSCAPE2.0", b"\1\0\0")),
        "plain.bmp": file_of(pixels(), "BMP"),
        "plain.ppm": ppm,
        "lines.ppm": ppm + b"\n",
        "plain.avif": file_of(pixels(), "AVIF", quality=90),
        "described.avif": file_of(pixels(), "AVIF", quality=90, exif=b"Exif\0\0" + sideways(1), xmp=XMP),
    }


def losing() -> dict[str, tuple[bytes, str]]:
    """Files of which something is lost, and its name."""
    thumbnail = segment(0xE0, b"JFIF\0\1\1\0\0\1\0\1\2\2" + bytes(12))
    plain, bmp = jpeg(), file_of(pixels(), "BMP")
    avif = file_of(pixels(), "AVIF", quality=90)
    return {
        "thermal-app3.jpg": (jpeg_with(segment(0xE3, bytes(range(256)) * 9)), "APP3 segment of 2,304 bytes"),
        "flir.jpg": (jpeg_with(segment(0xE1, b"FLIR\0\1\0\0raw")), "APP1 segment (FLIR)"),
        "c2pa.jpg": (jpeg_with(segment(0xEB, b"JP\0\1\0\0\0\1jumb")), "APP11 segment (JUMBF, such as C2PA)"),
        "kodak.jpg": (jpeg_with(segment(0xE3, b"Meta\0\0II*\0")), "APP3 segment (Meta)"),
        "olympus.jpg": (
            jpeg_with(segment(0xEC, b"OLYMPUS OPTICAL\0[picture info]")),
            "APP12 segment (OLYMPUS OPTICAL)",
        ),
        "canon.jpg": (jpeg_with(segment(0xE0, b"II\x1a\0\0\0HEAPCCDR")), "APP0 segment (CIFF)"),
        "mpf.jpg": (several("MPO"), "APP2 segment (MPF, the index of further pictures)"),
        "comment.jpg": (jpeg(comment=b"by hand"), "comment"),
        "two-packets.jpg": (
            jpeg_with(segment(0xE1, b"http://ns.adobe.com/xap/1.0/\0<other/>"), xmp=XMP),
            "APP1 segment (XMP)",
        ),
        "torn-profile.jpg": (jpeg_with(segment(0xE2, b"ICC_PROFILE\0\1\2abc")), "APP2 segment (colour profile)"),
        "thumbnail.jpg": (b"\xff\xd8" + thumbnail + plain[20:], "JFIF thumbnail"),
        "film.jpg": (plain + b"a film", "6 bytes after the picture"),
        "stray.jpg": (jpeg_with(b"stray"), "5 bytes between segments"),
        "paths.jpg": (jpeg_with(photoshop((0x07D0, b"path"), (0x0404, IPTC))), "Photoshop resources (0x07D0)"),
        "other-density.jpg": (
            jpeg_with(photoshop((0x03ED, struct.pack(">IHHIHH", 72 << 16, 1, 1, 72 << 16, 1, 1))), dpi=(300, 300)),
            "Photoshop density of 72 dots an inch, where 300 dots an inch is kept",
        ),
        "text.png": (png_with(chunk(b"tEXt", b"Comment\0by hand")), "text 'Comment'"),
        "long-text.png": (png_with(chunk(b"zTXt", b"Long\0\0" + zlib.compress(bytes(3_000_000)))), "text 'Long'"),
        "private.png": (png_with(chunk(b"prVt", b"x")), "PNG chunk 'prVt'"),
        "time.png": (png_with(chunk(b"tIME", bytes(7))), "PNG time of change (tIME)"),
        "gamma.png": (png_with(chunk(b"gAMA", struct.pack(">I", 100_000))), "PNG gamma"),
        "film.png": (file_of(pixels()) + b"a film", "6 bytes after the picture"),
        "animated.png": (several("PNG"), "3 frames, only the first is kept"),
        "animated.gif": (several("GIF"), "3 frames, only the first is kept"),
        "animated.webp": (several("WEBP"), "3 frames, only the first is kept"),
        "animated.avif": (several("AVIF"), "3 frames, only the first is kept"),
        "private.webp": (webp_with((b"PRIV", b"x")), "WebP chunk 'PRIV'"),
        "film.webp": (webp_with() + b"a film", "6 bytes after the picture"),
        "comment.gif": (gif(gif_block(0xFE, b"by hand")), "comment"),
        "text.gif": (gif(gif_block(0x01, bytes(12), b"Hello")), "text laid over the picture"),
        "private.gif": (gif(gif_block(0xFF, b"PRIVATE 1.0", b"x")), "GIF application block 'PRIVATE 1.0'"),
        "film.gif": (gif() + b"a film", "6 bytes after the picture"),
        "film.bmp": (bmp + b"a film", "6 bytes after the picture"),
        "comment.ppm": (b"P6\n# by hand\n" + file_of(pixels(), "PPM")[3:], "comment"),
        "two.ppm": (2 * file_of(pixels(), "PPM"), f"{len(file_of(pixels(), 'PPM')):,} bytes after the picture"),
        "uuid.avif": (avif + box(b"uuid", bytes(16) + b"x"), "box 'uuid'"),
        "film.avif": (avif + box(b"free", b"a film"), "box 'free'"),
    }
