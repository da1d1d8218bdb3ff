"""Make the golden files anew: ``python -m tests.golden.regenerate``, from the repository's root.

A bitstream is for ever, so this is only for a draft version of the format (0), and CHANGELOG.md must say so; from
version 1 on golden files are added, never changed. The weights lie here as a file because torch may change its random
numbers between versions; `decoded.json` holds the CRC-32C of each file's integers and restored latents.
"""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import google_crc32c
import numpy as np
import torch
from PIL import Image

from archivae.bitstream import Bitstream, Coding, write_bitstream
from archivae.models.photo.codec import PhotoCodec
from archivae.models.photo.weights import parse_weights
from tests.models.small_codec import picture, small_weights

FOLDER = Path(__file__).parent
WEIGHTS = FOLDER / "small.safetensors"

# name: height, width, quality in steps of 1/256, side of a tile
LEARNED = {
    "low-64x64": (64, 64, 0, 1024),
    "middle-20x70": (20, 70, 13_000, 1024),
    "high-1x1": (1, 1, 25_600, 1024),
    "tiled-70x130": (70, 130, 9_001, 64),
}


def golden_codec() -> PhotoCodec:
    return PhotoCodec(parse_weights(WEIGHTS.read_bytes()), torch.device("cpu"), torch.float32)


def restored_crc(codec: PhotoCodec, bitstream: Bitstream) -> int:
    """CRC-32C of the restored latents in steps of 1/16, as little-endian int32 (latents, h, w)."""
    size = bitstream.height, bitstream.width
    restored = codec.restore_latents([bitstream.tiles], *size, bitstream.quality, bitstream.tile_side)
    return int(google_crc32c.value(restored.cpu().numpy().astype("<i4").tobytes()))


def decode(codec: PhotoCodec, bitstream: Bitstream) -> np.ndarray:
    size = bitstream.height, bitstream.width
    return codec.decode([bitstream.tiles], *size, bitstream.quality, bitstream.tile_side)[0]


def encode(codec: PhotoCodec, height: int, width: int, quality: int, side: int) -> Bitstream:
    source = picture(height, width)
    (tiles,) = codec.encode([source], quality, side)
    sha256 = hashlib.sha256(source.tobytes()).digest()
    ancillary = {b"exif": b"MM\0*\0\0\0\x08\0\0\0\0\0\0", b"xmpp": b"<x:xmpmeta/>"}
    return Bitstream(
        height, width, 3, Coding.LEARNED, sha256, codec.id, quality, side, tuple(tiles), ancillary=ancillary
    )


def main() -> None:
    WEIGHTS.write_bytes(small_weights().to_bytes())
    codec = golden_codec()
    decoded = {}
    for name, (height, width, quality, side) in LEARNED.items():
        bitstream = encode(codec, height, width, quality, side)
        (FOLDER / f"{name}.avae").write_bytes(write_bitstream(bitstream))
        Image.fromarray(decode(codec, bitstream)).save(FOLDER / f"{name}.png", optimize=True)
        crcs = [f"{tile.integers_crc:08x}" for tile in bitstream.tiles]
        decoded[name] = {"integers": crcs, "restored": f"{restored_crc(codec, bitstream):08x}"}
    (FOLDER / "decoded.json").write_text(json.dumps(decoded, indent=1) + "\n")
    source = b"P5 3 2 255\nabcdef"
    original = Bitstream(2, 3, 1, Coding.ORIGINAL, hashlib.sha256(source).digest(), payload=source)
    (FOLDER / "original-2x3.avae").write_bytes(write_bitstream(original))


if __name__ == "__main__":
    main()
