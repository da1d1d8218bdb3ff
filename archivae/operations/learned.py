"""Pictures through the codec into ``.avae`` files, and out of them again to see that they decode."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from archivae.bitstream import Coding, Tile, read_bitstream
from archivae.errors import CorruptBitstreamError, VerificationError
from archivae.models.photo.codec import TILE_SIDE
from archivae.models.photo.grey import from_rgb
from archivae.operations.codec import Codec, Pixels
from archivae.operations.quality import psnr_of
from archivae.operations.source import Source, archive_file
from archivae.stopwatch import timed


def learned_files(sources: Sequence[Source], codec: Codec, quality: int) -> list[bytes]:
    """The files of pictures of one size, not verified; ``quality`` in steps of 1/256."""
    with timed("model"):
        tiles = codec.encode([source.picture.pixels for source in sources], quality)
    return [_learned(source, t, codec.id, quality) for source, t in zip(sources, tiles, strict=True)]


def decode_again(sources: Sequence[Source], files: Sequence[bytes], codec: Codec) -> list[Pixels]:
    """What the files of `learned_files` decode to. VerificationError where they don't."""
    streams = [read_bitstream(data) for data in files]
    first = streams[0]
    with timed("model"), _corruption_as_failure():
        decoded = codec.decode([s.tiles for s in streams], first.height, first.width, first.quality, first.tile_side)
    return [from_rgb(rgb, source.picture.pixels.shape[2]) for source, rgb in zip(sources, decoded, strict=True)]


def psnr_again(sources: Sequence[Source], files: Sequence[bytes], codec: Codec) -> list[float]:
    """How near the files of `learned_files` decode to their pictures, in dB. VerificationError where they don't.

    No decoded picture is ever held whole.
    """
    streams = [read_bitstream(data) for data in files]
    pixels = [source.picture.pixels for source in sources]
    with timed("model"), _corruption_as_failure():
        errors = codec.squared_errors(pixels, [s.tiles for s in streams], streams[0].quality, streams[0].tile_side)
    return [psnr_of(error, samples.size) for error, samples in zip(errors, pixels, strict=True)]


@contextmanager
def _corruption_as_failure() -> Iterator[None]:
    try:
        yield
    except CorruptBitstreamError as error:
        raise VerificationError(f"what was just encoded does not decode: {error}") from error


def _learned(source: Source, tiles: Sequence[Tile], model_id: bytes, quality: int) -> bytes:
    learned = {"model_id": model_id, "quality": quality, "tile_side": TILE_SIDE, "tiles": tuple(tiles)}
    return archive_file(source, Coding.LEARNED, **learned)
