"""Amazon S3, and what speaks as it does, as a store: through Beam's own client for it, which boto3 serves.

Its endpoint, region and credentials are Beam's options (``--s3_endpoint_url``, ...) or boto3's own ways of finding them.
"""

from __future__ import annotations

import hashlib
import os
import tempfile
import threading
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from datetime import datetime
from typing import Any

from apache_beam.io.aws.clients.s3 import messages
from apache_beam.io.aws.s3io import S3IO
from apache_beam.io.filesystems import FileSystems

try:
    from botocore.exceptions import BotoCoreError, ClientError
except ImportError:  # `_client` says what to install

    class BotoCoreError(Exception):  # type: ignore[no-redef]
        """Never raised."""

    class ClientError(Exception):  # type: ignore[no-redef]
        """Never raised."""


from archivae.errors import StorageError, UsageError
from archivae.storage.names import is_below
from archivae.storage.store import StoredObject, too_large
from archivae.storage.threads import map_in_order
from archivae.untrusted import shown_cause

_PART_BYTES = 8 << 20
_WRITE_TRIES = 3
_READ_BYTES = 64 << 20
_threads = threading.local()
_NOT_THERE, _CONFLICT, _RANGE_NOT_THERE = 404, 409, 416
_REFUSED = (_NOT_THERE, 412)
_LARGEST_PUT = 5 << 30  # what S3 takes in one request
_HIDDEN_CHECKSUMS = "see that the bucket does not encrypt with keys of its own (SSE-KMS hides checksums)"


def stat(uri: str) -> StoredObject | None:
    """The object's size and ETag; None if there is no such object or bucket."""
    bucket, key = _split(uri)
    if not key or key.endswith("/"):
        return None
    with _explained("look up", uri):
        found = _head(bucket, key)
    return None if found is None else _stored(uri, key.rsplit("/", 1)[-1], found)


def walk(
    folder: str, *, start: str = "", depth: int | None = None, skip: str | None = None, unread: bool = False
) -> Iterator[StoredObject]:
    """Every object below ``folder``, in the order of the bucket's own listing, which is by name.

    The empty ``folder/`` objects that consoles put for folders are left out.
    """
    bucket, key = _split(folder)
    root = f"{key.removesuffix('/')}/" if key else ""
    skipped = skip if skip and is_below(skip, f"s3://{bucket}/{root}") else None
    with _explained("list", folder):
        for item in _listed(bucket, root + start):
            uri = f"s3://{bucket}/{item.key}"
            placeholder = item.key.endswith("/") and not item.size
            if not placeholder and not (skipped and is_below(uri, skipped)):
                yield _stored(uri, item.key[len(root) :], item)


def read(uri: str, limit: int | None, generation: int | None) -> bytes:
    """All bytes, the object being of one ETag before and after; Beam asks for no versions, so there is no generation."""
    if generation is not None:
        raise StorageError(f"expected no generation for {uri!r}, found {generation}; leave it out")
    bucket, key = _split_object(uri)
    with _explained("read", uri):
        found = _head(bucket, key)
        if found is None:
            raise StorageError(f"cannot read {uri!r}: there is no such object or bucket; check the name")
        if limit is not None and found.size > limit:
            raise too_large(uri, limit)
        data = _range(bucket, key, 0, found.size)
        if len(data) != found.size or not _is_whole(data, found.etag):
            raise StorageError(f"cannot read {uri!r}: what arrived does not match its ETag; run again")
    return data


def read_range(uri: str, offset: int, length: int, generation: int | None = None) -> bytes:
    """``length`` bytes from ``offset`` on; fewer where the object ends before."""
    bucket, key = _split_object(uri)
    with _explained("read", uri):
        return _range(bucket, key, offset, length)


def write(uri: str, data: bytes, scratch: str) -> str:
    """Upload in parts that become an object together, or not at all; ``scratch`` is not needed here."""
    return write_pieces(uri, [data], scratch)


def write_pieces(uri: str, pieces: Iterable[bytes], scratch: str) -> str:
    """The same for an object too large for memory: it is gathered on this machine's disk, then uploaded."""
    bucket, key = _split_object(uri)
    with tempfile.TemporaryFile() as file:
        file.writelines(pieces)
        for _ in range(_WRITE_TRIES):
            with _explained("write", uri):
                tags = _upload(bucket, key, file)
                found = _head(bucket, key)
            if found is not None and found.size == file.tell() and _unquoted(found.etag) in tags:
                return _fingerprint(found)
    raise StorageError(
        f"cannot write {uri!r}: in {_WRITE_TRIES} tries it arrived damaged, or somebody else wrote it; "
        f"{_HIDDEN_CHECKSUMS}, then run again"
    )


def write_pieces_if(uri: str, pieces: Iterable[bytes], expected: str | None, scratch: str) -> str | None:
    """Upload under the condition that the object has the ETag in ``expected``, or that there is none.

    By boto3 itself, as Beam's client has no conditions: ``IfMatch``, ``IfNoneMatch``.
    """
    bucket, key = _split_object(uri)
    condition = {"IfNoneMatch": "*"} if expected is None else {"IfMatch": _tag(expected)}
    with tempfile.TemporaryFile() as file:
        file.writelines(pieces)
        with _explained("write", uri):
            tag = _put(bucket, key, file, condition)
            if tag is None:
                return None
        if tag not in _tags(file):
            raise StorageError(f"cannot write {uri!r}: {_HIDDEN_CHECKSUMS}, then run again")
        return f"s3:{file.seek(0, os.SEEK_END)}:{tag}"


def delete(uri: str) -> None:
    """Delete one object; nothing if it is not there."""
    bucket, key = _split_object(uri)
    with _explained("delete", uri):
        _client().delete(messages.DeleteRequest(bucket, key))


def delete_if(uri: str, expected: str) -> bool:
    """Delete the object if it has the ETag in ``expected``."""
    bucket, key = _split_object(uri)
    with _explained("delete", uri):
        try:
            _client().client.delete_object(Bucket=bucket, Key=key, IfMatch=_tag(expected))
        except ClientError as error:
            if _status(error) in _REFUSED:
                return False
            raise
    return True


def clear(folder: str) -> None:
    """Delete every object below ``folder``."""
    for _ in map_in_order(delete, [entry.uri for entry in walk(folder)]):
        pass


def _client() -> Any:
    """This thread's own client, for it keeps what it reads from open; another where the options are others."""
    options = getattr(FileSystems.get_filesystem("s3://"), "_options", None) or {}
    key = (os.getpid(), id(options) if options else 0, os.environ.get("AWS_ENDPOINT_URL"))
    try:
        if getattr(_threads, "key", None) != key:
            _threads.client, _threads.key = S3IO(options=options).client, key
        return _threads.client
    except (RuntimeError, AssertionError) as error:
        raise StorageError("s3:// needs boto3: pip install 'archivae[aws]'") from error


def _head(bucket: str, key: str) -> Any:
    """The object's metadata; None if it is not there."""
    try:
        return _client().get_object_metadata(messages.GetRequest(bucket, key))
    except messages.S3ClientError as error:
        if error.code == _NOT_THERE:
            return None
        raise


def _listed(bucket: str, prefix: str) -> Iterator[Any]:
    client, token = _client(), None
    while True:
        request = messages.ListRequest(bucket, prefix, token)
        try:
            page = client.list(request)
        except messages.S3ClientError as error:
            if error.code == _NOT_THERE:
                return
            raise
        yield from page.items
        token = page.next_token
        if not token:
            return


def _range(bucket: str, key: str, offset: int, length: int) -> bytes:
    client, request = _client(), messages.GetRequest(bucket, key)
    parts: list[bytes] = []
    while length > 0:
        try:
            part = client.get_range(request, offset, offset + min(length, _READ_BYTES))
        except messages.S3ClientError as error:
            if error.code == _RANGE_NOT_THERE:
                break
            raise
        if not part:
            break
        parts.append(part)
        offset, length = offset + len(part), length - len(part)
    return b"".join(parts)


def _upload(bucket: str, key: str, file: Any) -> set[str]:
    """Upload a file in parts; the ETags that the object may have then. Killed on the way, it leaves parts, no object."""
    client = _client()
    upload, parts, tag = _upload_parts(bucket, key, file)
    client.complete_multipart_upload(messages.CompleteMultipartUploadRequest(bucket, key, upload, parts))
    return {tag}


def _upload_parts(bucket: str, key: str, file: Any) -> tuple[str, list[dict[str, Any]], str]:
    """The id of an upload whose parts are all there, these, and the ETag of the object that they make."""
    client = _client()
    upload = client.create_multipart_upload(messages.UploadRequest(bucket, key, "application/octet-stream")).upload_id
    sums: list[bytes] = []
    parts: list[dict[str, Any]] = []
    file.seek(0)
    while (part := file.read(_PART_BYTES)) or not parts:
        sums.append(hashlib.md5(part).digest())
        sent = client.upload_part(messages.UploadPartRequest(bucket, key, upload, len(parts) + 1, part))
        parts.append({"ETag": sent.etag, "PartNumber": sent.part_number})
    return upload, parts, f"{hashlib.md5(b''.join(sums)).hexdigest()}-{len(sums)}"


def _put(bucket: str, key: str, file: Any, condition: dict[str, str]) -> str | None:
    """Upload a file at once, or in parts where it is too large for that, under a condition; None if that is not met."""
    raw, size = _client().client, file.seek(0, os.SEEK_END)
    for _ in range(_WRITE_TRIES):
        try:
            if size <= _LARGEST_PUT:
                file.seek(0)
                return _unquoted(raw.put_object(Bucket=bucket, Key=key, Body=file, **condition)["ETag"])
            upload, parts, _ = _upload_parts(bucket, key, file)
            done = {"UploadId": upload, "MultipartUpload": {"Parts": parts}}
            return _unquoted(raw.complete_multipart_upload(Bucket=bucket, Key=key, **done, **condition)["ETag"])
        except ClientError as error:
            if _status(error) in _REFUSED:
                # What stands there may be our own, from a request that was retried after its answer got lost.
                found = _head(bucket, key)
                ours = found is not None and found.size == size and _unquoted(found.etag) in _tags(file)
                return _unquoted(found.etag) if ours else None
            if _status(error) != _CONFLICT:  # another request was under way at that moment
                raise
    return None


def _tags(file: Any) -> set[str]:
    """The ETags that an object with the bytes of a file may have: sent at once, or in parts."""
    whole, sums = hashlib.md5(), []
    file.seek(0)
    while part := file.read(_PART_BYTES):
        whole.update(part)
        sums.append(hashlib.md5(part).digest())
    return {whole.hexdigest(), f"{hashlib.md5(b''.join(sums)).hexdigest()}-{len(sums)}"}


def _status(error: Any) -> int:
    return int(error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0))


def _is_whole(data: bytes, etag: str) -> bool:
    """Whether bytes are those of an ETag, where it can be told: of one part, or parts as written here."""
    tag = _unquoted(etag)
    plain, _, count = tag.partition("-")
    if not count:
        return len(plain) != 32 or hashlib.md5(data).hexdigest() == plain
    parts = [data[at : at + _PART_BYTES] for at in range(0, max(len(data), 1), _PART_BYTES)]
    ours = hashlib.md5(b"".join(hashlib.md5(part).digest() for part in parts)).hexdigest()
    return str(len(parts)) != count or ours == plain


def _stored(uri: str, name: str, found: Any) -> StoredObject:
    written = found.last_modified
    seconds = written.timestamp() if isinstance(written, datetime) else 0.0
    return StoredObject(uri, name, found.size, _fingerprint(found), seconds)


def _fingerprint(found: Any) -> str:
    return f"s3:{found.size}:{_unquoted(found.etag)}"


def _unquoted(etag: str) -> str:
    return etag.strip('"')


def _tag(fingerprint: str) -> str:
    """The ETag in a fingerprint, quoted as HTTP wants it."""
    return f'"{fingerprint.rpartition(":")[2]}"'


def _split(uri: str) -> tuple[str, str]:
    bucket, _, key = uri.removeprefix("s3://").partition("/")
    if not bucket or set(bucket) & set("*?[]"):
        raise UsageError(f"expected s3://bucket/... with the bucket spelled out, found {uri!r}")
    return bucket, key


def _split_object(uri: str) -> tuple[str, str]:
    bucket, key = _split(uri)
    if not key:
        raise UsageError(f"expected an object, s3://bucket/name, found the bucket {uri!r}; name the object")
    return bucket, key


@contextmanager
def _explained(verb: str, uri: str) -> Iterator[None]:
    try:
        yield
    except messages.S3ClientError as error:
        reason = "there is no such object or bucket" if error.code == _NOT_THERE else str(error)
        raise StorageError(
            f"cannot {verb} {uri!r}: {reason}; check the name, the credentials and the network"
        ) from shown_cause(error)
    except (BotoCoreError, ClientError) as error:
        raise StorageError(
            f"cannot {verb} {uri!r}: {error}; check the name, the credentials and the network"
        ) from shown_cause(error)
    except OSError as error:
        raise StorageError(f"cannot {verb} {uri!r}: {error}; check the network, then run again") from shown_cause(error)
