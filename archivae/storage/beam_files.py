"""Any other scheme that Beam has a file system for (``hdfs://``, ``azfs://``, ...) as a store that can be read."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager

from apache_beam.io.filesystem import BeamIOError, CompressionTypes, FileMetadata, FileSystem
from apache_beam.io.filesystems import FileSystems

from archivae.errors import StorageError
from archivae.storage.names import is_below
from archivae.storage.store import StoredObject, too_large
from archivae.untrusted import shown_cause


def stat(uri: str) -> StoredObject | None:
    """The object as its file system describes it; None if there is none."""
    with _explained("look up", uri):
        files = _file_system(uri)
        found = files.metadata(uri) if files.exists(uri) else None  # type: ignore[no-untyped-call]
    return None if found is None else _stored(found, uri.rsplit("/", 1)[-1])


def walk(
    folder: str, *, start: str = "", depth: int | None = None, skip: str | None = None, unread: bool = False
) -> Iterator[StoredObject]:
    """Every object below ``folder``, sorted by name."""
    root = f"{folder.rstrip('/')}/"
    skipped = skip if skip and is_below(skip, root) else None
    with _explained("list", folder):
        # _list is what Beam's own match is made of; match itself would read the folder's name as a pattern.
        listed = _file_system(folder)._list(root + start)  # type: ignore[no-untyped-call]
        found = sorted(listed, key=lambda metadata: metadata.path)
    for metadata in found:
        if not metadata.path.endswith("/") and not (skipped and is_below(metadata.path, skipped)):
            yield _stored(metadata, metadata.path[len(root) :])


def read(uri: str, limit: int | None, generation: int | None) -> bytes:
    """All bytes, never decompressed; Beam knows no generations, so ``generation`` must be None."""
    if generation is not None:
        raise StorageError(f"expected no generation for {uri!r}, found {generation}; leave it out")
    uncompressed = CompressionTypes.UNCOMPRESSED
    with _explained("read", uri), _file_system(uri).open(uri, compression_type=uncompressed) as file:
        data: bytes = file.read() if limit is None else file.read(limit + 1)
    if limit is not None and len(data) > limit:
        raise too_large(uri, limit)
    return data


def read_range(uri: str, offset: int, length: int, generation: int | None = None) -> bytes:
    """``length`` bytes from ``offset`` on; fewer where the object ends before."""
    uncompressed = CompressionTypes.UNCOMPRESSED
    with _explained("read", uri), _file_system(uri).open(uri, compression_type=uncompressed) as file:
        file.seek(offset)
        data: bytes = file.read(length)
    return data


def write(uri: str, data: bytes, scratch: str) -> str:
    """Refused: Beam's writers promise neither atomicity nor a checksum."""
    raise _read_only("write", uri)


def write_pieces(uri: str, pieces: Iterable[bytes], scratch: str) -> str:
    """Refused, as `write` is."""
    raise _read_only("write", uri)


def write_pieces_if(uri: str, pieces: Iterable[bytes], expected: str | None, scratch: str) -> str | None:
    """Refused, as `write` is."""
    raise _read_only("write", uri)


def delete_if(uri: str, expected: str) -> bool:
    """Refused, as `delete` is."""
    raise _read_only("delete", uri)


def delete(uri: str) -> None:
    """Refused: Beam's own would take the name for a pattern."""
    raise _read_only("delete", uri)


def clear(folder: str) -> None:
    """Refused, as `delete` is."""
    raise _read_only("delete", folder)


def _read_only(verb: str, uri: str) -> StorageError:
    return StorageError(f"cannot {verb} {uri!r}: expected a local, gs:// or s3:// destination; choose one of these")


def _file_system(uri: str) -> FileSystem:
    return FileSystems.get_filesystem(uri)


def _stored(metadata: FileMetadata, name: str) -> StoredObject:
    size, updated = metadata.size_in_bytes, metadata.last_updated_in_seconds
    return StoredObject(metadata.path, name, size, f"beam:{size}:{updated}", updated or 0.0)


@contextmanager
def _explained(verb: str, uri: str) -> Iterator[None]:
    try:
        yield
    except (BeamIOError, ImportError, OSError, ValueError) as error:
        raise StorageError(
            f"cannot {verb} {uri!r}: {error}; check the name and that Beam knows the scheme"
        ) from shown_cause(error)
