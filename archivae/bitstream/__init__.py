"""Bytes to integers and back: the ``.avae`` container and the entropy coder. Knows nothing of pictures or networks."""

from archivae.bitstream.container import Bitstream, Coding, Tile, read_bitstream, tile_grid, write_bitstream
from archivae.bitstream.frames import FramesChunk, pack_frames, unpack_frames
from archivae.bitstream.rans import Tables, ValueDecoder, encode_values

__all__ = [
    "Bitstream",
    "Coding",
    "FramesChunk",
    "Tables",
    "Tile",
    "ValueDecoder",
    "encode_values",
    "pack_frames",
    "read_bitstream",
    "tile_grid",
    "unpack_frames",
    "write_bitstream",
]
