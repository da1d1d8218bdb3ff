"""One object by its URI: look it up, read it, write it. Which storage it lies in is nobody else's business."""

from __future__ import annotations

import importlib
from collections.abc import Iterable, Iterator
from typing import cast

import google_crc32c

from archivae.errors import StorageError, WrongMemberError
from archivae.storage import gcs, local
from archivae.storage.names import normal, own_path, scheme_of
from archivae.storage.store import Span, Store, StoredObject, why_unreadable
from archivae.storage.tar import header_size, is_header_of

LARGEST_SPAN = 1 << 30
"""The most bytes that are read of an archive's member."""
_COMPARED_AT_ONCE = 8 << 20
_SPAN_TRIES = 2
"""Bytes may be damaged on their way: what is damaged in the store comes so each time."""


def store_of(uri: str) -> Store:
    """The store that the scheme of ``uri`` names."""
    scheme = scheme_of(uri)
    if not scheme:
        return local
    if scheme == "gs":
        return gcs
    # Beam takes two seconds to import, and local files and gs:// do without it.
    return cast(Store, importlib.import_module(f"archivae.storage.{'s3' if scheme == 's3' else 'beam_files'}"))


def stat_object(uri: str) -> StoredObject | None:
    """The object, named by the last part of its URI; None if there is none. StorageError if that cannot be told."""
    return store_of(uri).stat(normal(uri))


def read_object(uri: str, *, limit: int | None = None, generation: int | None = None) -> bytes:
    """All bytes of an object, on GCS checked against its CRC-32C.

    ``limit``: the most bytes it may have. ``generation``: read this version or none (GCS alone has versions;
    ``generation_of`` finds it in a fingerprint). StorageError if it is missing, unreadable, too large or changed.
    """
    return store_of(uri).read(normal(uri), limit, generation)


def read_listed(found: StoredObject, limit: int) -> bytes:
    """All bytes of an object as it was listed, or of an archive's member.

    StorageError if it has changed since, or could not be looked at.
    """
    problem = why_unreadable(found)
    if problem:
        raise StorageError(problem)
    if found.span is not None:
        return read_span(found.span)
    generation = generation_of(found.fingerprint)
    data = read_object(found.uri, limit=limit, generation=generation)
    if generation is None and _changed(found.uri, found.fingerprint):
        raise _changed_since(found.uri)
    return data


def _changed(uri: str, fingerprint: str) -> bool:
    now = stat_object(uri)
    return now is None or now.fingerprint != fingerprint


def _changed_since(uri: str) -> StorageError:
    return StorageError(f"cannot read {uri!r}: it has changed since it was listed; run again")


def read_range(uri: str, offset: int, length: int, fingerprint: str = "") -> bytes:
    """``length`` bytes of an object from ``offset`` on, fewer where it ends before; in one request, unchecked.

    With a ``fingerprint``: of the object as it was listed. StorageError if it has changed since.
    """
    generation = generation_of(fingerprint)
    data = store_of(uri).read_range(normal(uri), offset, length, generation)
    # Where versions can't be asked for, what was read is the version listed if it still is the one that is there.
    if fingerprint and generation is None and _changed(uri, fingerprint):
        raise _changed_since(uri)
    return data


def read_span(span: Span) -> bytes:
    """The bytes of a span, in one request. StorageError if they are damaged, or more than `LARGEST_SPAN`.

    WrongMemberError if the tar says that they are another member's.
    """
    if not span.member:
        return read_framed_span(span, 0, 0)[1]
    before, data, _ = read_framed_span(span, header_size(span.member), 0)
    check_member(span, before)
    return data


def check_member(span: Span, before: bytes) -> None:
    """WrongMemberError if the tar header ``before`` the bytes of a span is not of the member that it is to be."""
    if not is_header_of(before, span.member, span.length):
        raise WrongMemberError(
            f"{span.uri!r} holds another picture than {span.member!r} at byte {span.offset}, or its name is damaged: make the "
            "index anew (archivae reindex)"
        )


def read_framed_span(span: Span, before: int, after: int) -> tuple[bytes, bytes, bytes]:
    """The bytes of a span between so many that lie before and after it, these unchecked: all in one request,
    or two where the first brings damaged bytes.

    StorageError if the span is damaged, or longer than `LARGEST_SPAN`.
    """
    if not 0 <= span.length <= LARGEST_SPAN or span.offset < before:
        raise StorageError(f"cannot read {span}: expected at most {LARGEST_SPAN} bytes; the index is damaged")
    for _ in range(_SPAN_TRIES):
        framed = read_range(span.uri, span.offset - before, before + span.length + after, span.fingerprint)
        data = framed[before : before + span.length]
        if len(data) == span.length and span.crc in (None, google_crc32c.value(data)):
            return framed[:before], data, framed[before + span.length :]
    raise StorageError(
        f"cannot read {span.uri!r}: the {span.length} bytes at {span.offset} are damaged, their CRC-32C is not "
        f"{span.crc or 0:08x}; take the picture from a copy of that file"
    )


def write_object(uri: str, data: bytes, *, scratch: str) -> str:
    """Write or replace a whole object; whoever reads meanwhile sees the old bytes or the new. Its new fingerprint.

    ``scratch``: a local folder on the destination's file system for what is not finished yet (``scratch_of``);
    unused on GCS. StorageError if it cannot be written.
    """
    return store_of(uri).write(normal(uri), data, scratch)


def write_pieces(uri: str, pieces: Iterable[bytes], *, scratch: str) -> str:
    """`write_object` for what is too large for memory: ``pieces`` are drawn once, and gathered on disk."""
    return store_of(uri).write_pieces(normal(uri), pieces, scratch)


def write_if(uri: str, data: bytes, expected: str | None, *, scratch: str) -> str | None:
    """`write_object` if the object has the fingerprint ``expected``, None: if there is none; None if it has another.

    Of two that try at once one alone succeeds. StorageError where a store has no way to tell.
    """
    return write_pieces_if(uri, [data], expected, scratch=scratch)


def write_pieces_if(uri: str, pieces: Iterable[bytes], expected: str | None, *, scratch: str) -> str | None:
    """`write_if` for what is too large for memory: ``pieces`` are drawn once, whatever comes of it."""
    return store_of(uri).write_pieces_if(normal(uri), pieces, expected, scratch)


def create_object(uri: str, pieces: Iterable[bytes], *, scratch: str) -> str | None:
    """Write an object that is not there yet; an object with these very bytes counts as written. Its fingerprint.

    None if other bytes lie there, which stay. ``pieces`` are drawn once, whatever comes of it.
    """
    summed = _Summed(pieces)
    created = write_pieces_if(uri, summed, None, scratch=scratch)
    if created is not None:
        return created
    found = stat_object(uri)
    same = found is not None and found.size == summed.size and _crc_of(found) == summed.crc
    return found.fingerprint if found is not None and same else None


class _Summed:
    """Pieces that are measured while they are drawn: ``size`` in bytes, ``crc``, their CRC-32C."""

    def __init__(self, pieces: Iterable[bytes]) -> None:
        self._pieces = pieces
        self.size = self.crc = 0

    def __iter__(self) -> Iterator[bytes]:
        for piece in self._pieces:
            self.size += len(piece)
            self.crc = google_crc32c.extend(self.crc, piece)
            yield piece


def _crc_of(found: StoredObject) -> int:
    """The CRC-32C of an object as it was listed. StorageError if it has changed since."""
    crc = 0
    for at in range(0, found.size, _COMPARED_AT_ONCE):
        crc = google_crc32c.extend(crc, read_range(found.uri, at, _COMPARED_AT_ONCE, found.fingerprint))
    return crc


def delete_if(uri: str, expected: str) -> bool:
    """`delete_object` if the object has the fingerprint ``expected``; whether it had."""
    return store_of(uri).delete_if(normal(uri), expected)


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
