"""Google Cloud Storage as a store, through its own client: checksums verified, every write under a precondition."""

from __future__ import annotations

import base64
import io
import mimetypes
import os
import tempfile
import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from typing import Any

import google.auth
import google_crc32c
import requests
from google.api_core.exceptions import (
    BadRequest,
    Forbidden,
    GoogleAPIError,
    NotFound,
    PreconditionFailed,
    RequestRangeNotSatisfiable,
    Unauthorized,
)
from google.auth.credentials import AnonymousCredentials
from google.auth.exceptions import GoogleAuthError
from google.cloud.storage import Blob, Bucket, Client
from google.cloud.storage.exceptions import DataCorruption, InvalidResponse
from google.cloud.storage.retry import DEFAULT_RETRY
from requests.adapters import HTTPAdapter

from archivae.errors import StorageError, UsageError
from archivae.storage.names import is_below
from archivae.storage.store import StoredObject, too_large
from archivae.storage.threads import map_in_order
from archivae.untrusted import shown_cause

_EMULATOR = "STORAGE_EMULATOR_HOST"
_WRITE_TRIES = 5
_READ_TRIES = 3
_KEPT_IN_MEMORY = 8 << 20
_CONNECTIONS = 32  # kept open at once: of readers, writers and listers, in some threads
# All that an entry needs, which is a tenth of what a page would hold otherwise.
_LISTED = "items(name,size,generation,crc32c,timeCreated),nextPageToken"

PATIENCE: dict[str, Any] = {"retry": DEFAULT_RETRY, "timeout": 60.0}
"""Of every request: 408, 429, 5xx, torn and silent connections are tried again, after 1 s, 2 s, 4 s, ... within two minutes
(times a random share); an answer that gives no byte for ``timeout`` seconds counts as silent."""

_clients: dict[tuple[int, str], Client] = {}
_clients_lock = threading.Lock()


def client() -> Client:
    """This process's one client; another after a fork or when the emulator's address changes."""
    emulator = os.environ.get(_EMULATOR, "")
    key = (os.getpid(), emulator)
    with _clients_lock:
        if key not in _clients:
            _clients[key] = _new_client(emulator)
        return _clients[key]


def stat(uri: str) -> StoredObject | None:
    """The object's size, generation and CRC-32C; None if there is no such object or bucket."""
    bucket, key = _split(uri)
    if not key or key.endswith("/"):
        return None
    with explained("look up", uri):
        blob = client().bucket(bucket).get_blob(key, **PATIENCE)
    return (
        None
        if blob is None
        else StoredObject(uri, key.rsplit("/", 1)[-1], blob.size, _fingerprint(blob), _written(blob))
    )


def walk(
    folder: str, *, start: str = "", depth: int | None = None, skip: str | None = None, unread: bool = False
) -> Iterator[StoredObject]:
    """Every object below ``folder``, in the order of the bucket's own listing, which is by name.

    The empty ``folder/`` objects that consoles put for folders are left out.
    """
    bucket, key = _split(folder)
    root = f"{key.removesuffix('/')}/" if key else ""
    skipped = skip if skip and is_below(skip, f"gs://{bucket}/{root}") else None
    with explained("list", folder):
        found = client().list_blobs(
            bucket, prefix=root + start, delimiter="/" if depth == 1 else None, fields=_LISTED, **PATIENCE
        )
        for blob in found:
            uri = f"gs://{bucket}/{blob.name}"
            placeholder = blob.name.endswith("/") and not blob.size
            if not placeholder and not (skipped and is_below(uri, skipped)):
                yield StoredObject(uri, blob.name[len(root) :], blob.size, _fingerprint(blob), _written(blob))


def read(uri: str, limit: int | None, generation: int | None) -> bytes:
    """All bytes, their CRC-32C verified; with ``generation``, of that version or not at all.

    What arrives damaged is read again, three times in all.
    """
    bucket, key = split_object(uri)
    with explained("read", uri):
        blob = client().bucket(bucket).blob(key, generation=generation)
        for _ in range(_READ_TRIES - 1):
            with suppress(DataCorruption):
                return _download(blob, uri, limit)
        return _download(blob, uri, limit)


def read_range(uri: str, offset: int, length: int, generation: int | None = None) -> bytes:
    """``length`` bytes from ``offset`` on; fewer where the object ends before. GCS has no checksum of a part."""
    bucket, key = split_object(uri)
    if length <= 0:
        return b""
    sink = _BoundedBuffer(uri, length)
    with explained("read", uri):
        blob = client().bucket(bucket).blob(key, generation=generation)
        try:
            blob.download_to_file(sink, start=offset, end=offset + length - 1, checksum=None, **PATIENCE)
        except RequestRangeNotSatisfiable:  # the object ends before
            return b""
    return sink.getvalue()


def write(uri: str, data: bytes, scratch: str) -> str:
    """Upload under the precondition that nobody else wrote meanwhile; ``scratch`` is not needed here.

    An object that holds these very bytes already counts as written: it is most often our own, from an upload that
    was retried after its answer got lost.
    """

    def send(blob: Blob, kind: str, generation: int) -> None:
        blob.upload_from_string(data, content_type=kind, checksum="crc32c", if_generation_match=generation, **PATIENCE)

    return _write(uri, send, len(data), google_crc32c.value(data))


def write_pieces(uri: str, pieces: Iterable[bytes], scratch: str) -> str:
    """The same for an object too large for memory: it is gathered on this machine's disk, then uploaded."""
    with _gathered(pieces) as (send, size, crc):
        return _write(uri, send, size, crc)


def write_pieces_if(uri: str, pieces: Iterable[bytes], expected: str | None, scratch: str) -> str | None:
    """Upload under the precondition that the object is of the generation in ``expected``, or that there is none."""
    bucket_name, key = split_object(uri)
    with _gathered(pieces) as (send, size, crc), explained("write", uri):
        bucket = client().bucket(bucket_name)
        for _ in range(_WRITE_TRIES):
            blob = _upload(bucket, key, send, 0 if expected is None else _generation(expected))
            if blob is not None:
                # What stands there may be our own, from an upload that was retried after its answer got lost.
                return _fingerprint(blob) if (blob.size, blob.crc32c) == (size, _spelled(crc)) else None
            found = bucket.get_blob(key, **PATIENCE)
            if (None if found is None else found.generation) != (None if expected is None else _generation(expected)):
                return None
    raise StorageError(f"cannot write {uri!r}: in {_WRITE_TRIES} tries it arrived damaged; run again")


def delete(uri: str) -> None:
    """Delete one object; nothing if it is not there."""
    bucket, key = split_object(uri)
    with explained("delete", uri), suppress(NotFound):
        client().bucket(bucket).blob(key).delete(**PATIENCE)


def delete_if(uri: str, expected: str) -> bool:
    """Delete the object if it is of the generation in ``expected``."""
    bucket, key = split_object(uri)
    with explained("delete", uri), suppress(NotFound, PreconditionFailed):
        client().bucket(bucket).blob(key).delete(if_generation_match=_generation(expected), **PATIENCE)
        return True
    return False


def clear(folder: str) -> None:
    """Delete every object below ``folder``."""
    for _ in map_in_order(delete, [entry.uri for entry in walk(folder)]):
        pass


@contextmanager
def _gathered(pieces: Iterable[bytes]) -> Iterator[tuple[Callable[[Blob, str, int], None], int, int]]:
    """Pieces on this machine's disk: how to upload them, their size and CRC-32C."""
    with tempfile.SpooledTemporaryFile(_KEPT_IN_MEMORY) as file:
        crc = 0
        for piece in pieces:
            file.write(piece)
            crc = google_crc32c.extend(crc, piece)
        size = file.tell()

        def send(blob: Blob, kind: str, generation: int) -> None:
            options = {"rewind": True, "size": size, "content_type": kind, "checksum": "crc32c", **PATIENCE}
            blob.upload_from_file(file, if_generation_match=generation, **options)

        yield send, size, crc


def _write(uri: str, send: Callable[[Blob, str, int], None], size: int, crc: int) -> str:
    """Have ``send`` upload, until the object is the one of this size and CRC-32C; its fingerprint."""
    bucket_name, key = split_object(uri)
    with explained("write", uri):
        bucket = client().bucket(bucket_name)
        generation = 0
        for _ in range(_WRITE_TRIES):
            blob = _upload(bucket, key, send, generation)
            if blob is not None and blob.size == size and blob.crc32c == _spelled(crc):
                return _fingerprint(blob)
            generation = 0 if blob is None else blob.generation
    raise StorageError(
        f"cannot write {uri!r}: in {_WRITE_TRIES} tries somebody else wrote it each time, or it arrived damaged; "
        f"see that no other job writes to the same destination, then run again"
    )


def _upload(bucket: Bucket, key: str, send: Callable[[Blob, str, int], None], generation: int) -> Blob | None:
    """The object after an attempt to replace ``generation`` (0: none); whose bytes they are is unknown."""
    blob = bucket.blob(key)
    try:
        send(blob, mimetypes.guess_type(key)[0] or "application/octet-stream", generation)
    except PreconditionFailed:
        return bucket.get_blob(key, **PATIENCE)
    except BadRequest as error:
        if "crc32c" in str(error).lower():  # damaged on its way, and refused for it
            return None
        raise
    return blob


def _download(blob: Blob, uri: str, limit: int | None) -> bytes:
    """The bytes of an object, checked as a whole. DataCorruption if they are not what its CRC-32C says."""
    sink = _BoundedBuffer(uri, limit)
    blob.download_to_file(sink, checksum="crc32c", **PATIENCE)
    data = sink.getvalue()
    # The client checks what comes in one piece alone, not what it went on with after a torn connection. Of an object
    # that is stored compressed the checksum is that of the compressed bytes.
    stored_plainly = blob.content_encoding in (None, "", "identity")
    if stored_plainly and blob.crc32c not in (None, _spelled(google_crc32c.value(data))):
        raise DataCorruption(None, f"expected the CRC-32C {blob.crc32c}")
    return data


class _BoundedBuffer(io.BytesIO):
    """Bytes in memory that refuse to outgrow ``limit`` while they arrive, so no second request is needed to ask."""

    def __init__(self, uri: str, limit: int | None) -> None:
        super().__init__()
        self.uri = uri
        self.limit = limit

    def write(self, data: Any) -> int:  # any buffer, as BytesIO takes
        if self.limit is not None and self.tell() + memoryview(data).nbytes > self.limit:
            raise too_large(self.uri, self.limit)
        return super().write(data)


def _new_client(emulator: str) -> Client:
    if emulator:
        client = Client(project="emulator", credentials=AnonymousCredentials())  # type: ignore[no-untyped-call]
    else:
        credentials, project = google.auth.default()
        # Without a project the client refuses to be made, though only calls about whole buckets use it.
        client = Client(project=project or "none", credentials=credentials)
    for scheme in ("https://", "http://"):
        client._http.mount(scheme, HTTPAdapter(pool_maxsize=_CONNECTIONS))
    return client


def _split(uri: str) -> tuple[str, str]:
    bucket, _, key = uri.removeprefix("gs://").partition("/")
    if not bucket or set(bucket) & set("*?[]"):
        raise UsageError(f"expected gs://bucket/... with the bucket spelled out, found {uri!r}")
    return bucket, key


def split_object(uri: str) -> tuple[str, str]:
    bucket, key = _split(uri)
    if not key:
        raise UsageError(f"expected an object, gs://bucket/name, found the bucket {uri!r}; name the object")
    return bucket, key


def _spelled(crc: int) -> str:
    """A CRC-32C as GCS spells it: big-endian, base64."""
    return base64.b64encode(crc.to_bytes(4, "big")).decode()


def _written(blob: Blob) -> float:
    return blob.time_created.timestamp() if blob.time_created else 0.0


def _fingerprint(blob: Blob) -> str:
    return f"gcs:{blob.generation}:{blob.crc32c}"


def _generation(fingerprint: str) -> int:
    return int(fingerprint.split(":")[1])


@contextmanager
def explained(verb: str, uri: str) -> Iterator[None]:
    """Say what failed and what to do; of an authentication error nothing is quoted, for it may quote a secret."""
    try:
        yield
    except (GoogleAuthError, Unauthorized) as error:
        raise StorageError(
            f"cannot {verb} {uri!r}: no valid Google Cloud credentials ({type(error).__name__}); run "
            f"`gcloud auth application-default login`, or set GOOGLE_APPLICATION_CREDENTIALS to a key file"
        ) from shown_cause(error)
    except NotFound as error:
        raise StorageError(
            f"cannot {verb} {uri!r}: there is no such object or bucket, or it has changed since it was listed; "
            f"check the name, or run again"
        ) from shown_cause(error)
    except Forbidden as error:
        raise StorageError(
            f"cannot {verb} {uri!r}: the account in use may not; grant it Storage Object User on the bucket"
        ) from shown_cause(error)
    except DataCorruption as error:
        raise StorageError(
            f"cannot {verb} {uri!r}: what arrived does not match its CRC-32C; run again"
        ) from shown_cause(error)
    except (GoogleAPIError, InvalidResponse, requests.RequestException) as error:
        raise StorageError(f"cannot {verb} {uri!r}: {error}; check the network, then run again") from shown_cause(error)
