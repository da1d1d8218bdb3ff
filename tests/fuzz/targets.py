"""What mutants are put through. Each gives back whether the bytes were accepted; whatever is no ArchivaeError is a find."""

from __future__ import annotations

import hashlib
import tempfile
from dataclasses import replace
from pathlib import Path

from archivae.bitstream import Bitstream, Coding, read_bitstream
from archivae.errors import ArchivaeError
from archivae.images import MAX_PIXELS
from archivae.operations.chunks import alpha_of, deep_of, frames_chunk, metadata_of
from archivae.operations.decode import decode_stream
from archivae.storage.archive_index import ArchiveIndex
from archivae.storage.tar import TarMember, scan
from tests.samples import small_codec

_scratch = tempfile.TemporaryDirectory(prefix="archivae-fuzz-")


def parses(data: bytes) -> bool:
    """The container, and the chunks that have an inside."""
    try:
        stream = read_bitstream(data, max_pixels=MAX_PIXELS)
        metadata_of(stream)
        frames_chunk(stream)
        deep_of(stream)
    except ArchivaeError:
        return False
    return True


def decodes(data: bytes) -> bool:
    """All the way to pixels."""
    try:
        stream = read_bitstream(data, max_pixels=MAX_PIXELS)
        alpha_of(stream)
        decode_stream(_with_its_hash(stream), lambda _: small_codec())
    except ArchivaeError:
        return False
    return True


def scans(data: bytes) -> bool:
    """A tar, however damaged: every member lies inside it, and none is found twice."""
    at = 0
    for found in scan(lambda offset, length: data[offset : offset + length], len(data)):
        if isinstance(found, TarMember):
            assert at <= found.start < found.offset <= found.end <= len(data)
            at = found.end
    return at > 0


def indexes(data: bytes) -> bool:
    """An archive's index."""
    uri = Path(_scratch.name, "index.parquet")
    uri.write_bytes(data)
    try:
        index = ArchiveIndex(str(uri))
        rows = list(index.rows())
        assert all(index.find(row.name) is not None for row in rows[:3])
    except ArchivaeError:
        return False
    return True


def _with_its_hash(stream: Bitstream) -> Bitstream:
    """A stored original under its own SHA-256, for what is inside is to be tried, too."""
    if stream.coding is not Coding.ORIGINAL:
        return stream
    return replace(stream, source_sha256=hashlib.sha256(stream.payload).digest())
