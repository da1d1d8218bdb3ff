"""One object by its URI: look it up, read it, write it. Which storage it lies in is nobody else's business."""

from __future__ import annotations

import importlib
from collections.abc import Iterable
from typing import cast

import google_crc32c

from archivae.errors import StorageError
from archivae.storage import gcs, local
from archivae.storage.names import normal, own_path, scheme_of
from archivae.storage.store import Span, Store, StoredObject

LARGEST_SPAN = 1 << 30
"""The most bytes that are read of an archive's member."""


def store_of(uri: str) -> Store:
    """The store that the scheme of ``uri`` names."""
    scheme = scheme_of(uri)
    if not scheme:
        return local
    if scheme == "gs":
        return gcs
    # Beam takes two seconds to import, and local files and gs:// do without it.
    return cast(Store, importlib.import_module("archivae.storage.beam_files"))


def stat_object(uri: str) -> StoredObject | None:
    """The object, named by the last part of its URI; None if there is none. StorageError if that cannot be told."""
    return store_of(uri).stat(normal(uri))


def read_object(uri: str, *, limit: int | None = None, generation: int | None = None) -> bytes:
    """All bytes of an object, on GCS checked against its CRC-32C.

    ``limit``: the most bytes it may have. ``generation``: read this version or none (GCS alone has versions;
    ``generation_of`` finds it in a fingerprint). StorageError if it is missing, unreadable, too large or changed.
    """
    return store_of(uri).read(normal(uri), limit, generation)


def read_range(uri: str, offset: int, length: int) -> bytes:
    """``length`` bytes of an object from ``offset`` on, fewer where it ends before; in one request, unchecked."""
    return store_of(uri).read_range(normal(uri), offset, length)


def read_span(span: Span) -> bytes:
    """The bytes of a span, in one request. StorageError if they are damaged, or more than `LARGEST_SPAN`."""
    return read_framed_span(span, 0, 0)[1]


def read_framed_span(span: Span, before: int, after: int) -> tuple[bytes, bytes, bytes]:
    """The bytes of a span between so many that lie before and after it, these unchecked: all in one request.

    StorageError if the span is damaged, or longer than `LARGEST_SPAN`.
    """
    if not 0 <= span.length <= LARGEST_SPAN or span.offset < before:
        raise StorageError(f"cannot read {span}: expected at most {LARGEST_SPAN} bytes; the index is damaged")
    framed = read_range(span.uri, span.offset - before, before + span.length + after)
    data = framed[before : before + span.length]
    if len(data) != span.length or google_crc32c.value(data) != span.crc:
        raise StorageError(
            f"cannot read {span.uri!r}: the {span.length} bytes at {span.offset} are damaged, their CRC-32C is not "
            f"{span.crc:08x}; take the picture from a copy of the shard"
        )
    return framed[:before], data, framed[before + span.length :]


def write_object(uri: str, data: bytes, *, scratch: str) -> str:
    """Write or replace a whole object; whoever reads meanwhile sees the old bytes or the new. Its new fingerprint.

    ``scratch``: a local folder on the destination's file system for what is not finished yet (``scratch_of``);
    unused on GCS. StorageError if it cannot be written.
    """
    return store_of(uri).write(normal(uri), data, scratch)


def write_pieces(uri: str, pieces: Iterable[bytes], *, scratch: str) -> str:
    """`write_object` for what is too large for memory: ``pieces`` are drawn once, and gathered on disk."""
    return store_of(uri).write_pieces(normal(uri), pieces, scratch)


def delete_object(uri: str) -> None:
    """Delete one object, named literally; nothing if it is not there. StorageError if it cannot be deleted."""
    store_of(uri).delete(normal(uri))


def clear_own(destination: str, name: str) -> None:
    """Delete all below the folder ``name`` in the folder of ``destination`` that is ours; no other can be named here."""
    folder = own_path(destination, name)
    store_of(folder).clear(folder)


def generation_of(fingerprint: str) -> int | None:
    """The generation in a GCS fingerprint; None for any other."""
    kind, _, rest = fingerprint.partition(":")
    return int(rest.partition(":")[0]) if kind == "gcs" else None
