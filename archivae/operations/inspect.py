"""What is in a bitstream, without decoding it."""

from __future__ import annotations

from typing import Any

from archivae.bitstream import Bitstream, Coding, read_bitstream
from archivae.bitstream.container import ALPHA_TAG, QUALITY_STEP, VERSION
from archivae.operations.chunks import frame_count


def inspect(data: bytes) -> dict[str, Any]:
    """A bitstream's contents as plain JSON values; every checksum is verified. Raises BitstreamError."""
    stream = read_bitstream(data)
    return {
        "version": VERSION,
        "coding": stream.coding.name.lower(),
        "model": stream.model_id.hex() if stream.coding is Coding.LEARNED else None,
        "height": stream.height,
        "width": stream.width,
        "colour": "grey" if stream.channels == 1 else "rgb",
        "alpha": ALPHA_TAG in stream.optional,
        "frames": frame_count(stream),
        "quality": stream.quality / QUALITY_STEP if stream.coding is Coding.LEARNED else None,
        "bytes": len(data),
        "bits_per_pixel": 8 * len(data) / (stream.height * stream.width),
        "parts": _parts(stream, len(data)),
        "source_sha256": stream.source_sha256.hex(),
        "tile_side": stream.tile_side or None,
        "tiles": [{"bytes": len(t.stream), "integers_crc32c": f"{t.integers_crc:08x}"} for t in stream.tiles],
    }


def _parts(stream: Bitstream, size: int) -> dict[str, int]:
    """Bytes by what they hold; they add up to the file."""
    parts = {"entropy streams": sum(len(t.stream) for t in stream.tiles), "payload": len(stream.payload)}
    parts |= {tag.decode("latin-1"): len(data) for tag, data in (stream.optional | stream.ancillary).items()}
    return {"headers and checksums": size - sum(parts.values()), **{k: v for k, v in parts.items() if v}}
