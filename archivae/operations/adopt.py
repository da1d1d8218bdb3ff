"""A finished ``.avae`` file that has no row in the manifest: is it what this job would have made?"""

from __future__ import annotations

from archivae.bitstream import Bitstream, Coding, read_bitstream
from archivae.errors import ArchivaeError
from archivae.operations.codec import Codec, Pixels
from archivae.operations.decode import decode_stream
from archivae.operations.fallbacks import PSNR_FLOOR, fallback_may_win
from archivae.operations.goals import nearness, smallness
from archivae.operations.quality import psnr
from archivae.operations.rate import Distortion, Lossless, Quality, Rate
from archivae.operations.source import Encoded, Source


def adopt(source: Source, archived: bytes, codec: Codec, rate: Rate) -> Encoded | None:
    """The file as if just encoded, after decoding and comparing it; None if it is damaged, another's, or not as asked.

    Only learned files are adopted: the others don't say what they were made for, and cost little to make.
    """
    try:
        stream = read_bitstream(archived)
        ours = stream.coding is Coding.LEARNED and stream.model_id == codec.id
        ours = ours and (stream.ancillary, stream.optional) == (source.ancillary, source.alpha)
        if (
            not ours
            or source.picture.sequence
            or source.is_exact_only
            or stream.source_sha256 != source.sha256
            or not _may_be_meant(stream, len(archived), source, rate)
        ):
            return None
        decoded = decode_stream(stream, lambda _: codec).pixels
        if decoded.shape != source.picture.pixels.shape or not _is_near(source, decoded, rate):
            return None
    except ArchivaeError:
        return None
    level = psnr(source.picture.pixels, decoded)
    if level < PSNR_FLOOR:
        return None
    return Encoded(archived, stream.coding, level, source.picture.notes, stream.quality)


def _may_be_meant(stream: Bitstream, size: int, source: Source, rate: Rate) -> bool:
    """Whether a learned file of ``size`` bytes can be what ``rate`` asks for, as far as can be said without decoding."""
    if isinstance(rate, Quality):
        return stream.quality == rate.steps
    if isinstance(rate, Distortion):
        return True
    if isinstance(rate, Lossless):
        return False
    asked = smallness(rate, source)
    # Where a file that loses nothing may fit, encode would have tried that first.
    return asked.goal.is_hit(asked.measure(size)) and not fallback_may_win(source, asked.most)


def _is_near(source: Source, decoded: Pixels, rate: Rate) -> bool:
    """Whether the picture is as near as asked and no nearer, where that was asked."""
    if not isinstance(rate, Distortion):
        return True
    asked = nearness(rate, source)
    return asked.goal.is_hit(asked.measure(source.picture.pixels, decoded))
