"""A finished ``.avae`` file that has no row in the manifest: is it what this job would have made?"""

from __future__ import annotations

from archivae.bitstream import Coding, read_bitstream
from archivae.errors import ArchivaeError
from archivae.operations.codec import Codec
from archivae.operations.decode import decode_stream
from archivae.operations.encode import PSNR_FLOOR, Encoded, Source
from archivae.operations.quality import psnr


def adopt(source: Source, archived: bytes, codec: Codec, quality: int) -> Encoded | None:
    """The file as if just encoded, after decoding and comparing it; None if it is damaged or another's.

    Only learned files are adopted: the others don't say for which quality they were made, and cost little to make.
    """
    try:
        stream = read_bitstream(archived)
        ours = stream.coding is Coding.LEARNED and (stream.model_id, stream.quality) == (codec.id, quality)
        if not ours or stream.source_sha256 != source.sha256:
            return None
        decoded = decode_stream(stream, lambda _: codec).pixels
    except ArchivaeError:
        return None
    if decoded.shape != source.picture.pixels.shape:
        return None
    quality_db = psnr(source.picture.pixels, decoded)
    return Encoded(archived, stream.coding, quality_db, source.picture.notes) if quality_db >= PSNR_FLOOR else None
