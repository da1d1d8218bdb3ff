"""Objects of Google Cloud Storage set aside: one generation copied inside the bucket, then deleted if it is still current.

Source: "Request preconditions", cloud.google.com/storage/docs: a delete with ``ifGenerationMatch`` of another generation than
the current one fails with 412 and deletes nothing.
"""

from __future__ import annotations

from collections.abc import Iterator

from google.api_core.exceptions import NotFound, PreconditionFailed
from google.cloud.storage import Blob, Bucket

from archivae.errors import ChangedError, StorageError
from archivae.storage.gcs import client, explained, split_object, stat, walk


def set_aside(root: str, uri: str, fingerprint: str, sha256: str, target: str) -> None:
    """``sha256`` is not computed again: a generation never changes its bytes, and its CRC-32C is in the fingerprint."""
    generation, checksum = _parse(fingerprint)
    bucket_name, key = split_object(uri)
    target_bucket, target_key = split_object(target)
    if bucket_name != target_bucket:
        raise StorageError(f"cannot set {uri!r} aside as {target!r}: expected a place in the same bucket")
    with explained("set aside", uri):
        bucket = client().bucket(bucket_name)
        current = bucket.get_blob(key)
        if current is None or current.generation != generation:
            raise ChangedError(f"{uri!r} has changed since it was archived: generation {generation} is not current")
        if _copy(bucket, current, target_key).crc32c != checksum:
            raise StorageError(f"cannot set {uri!r} aside: the copy {target!r} has another checksum")
        _delete(bucket, key, generation, uri)


def put_back(root: str, target: str, uri: str) -> None:
    _, key = split_object(uri)
    bucket_name, target_key = split_object(target)
    with explained("put back", uri):
        bucket = client().bucket(bucket_name)
        aside, there = bucket.get_blob(target_key), bucket.get_blob(key)
        if aside is None or (there is not None and not _equal(aside, there)):
            raise StorageError(f"cannot put {target!r} back as {uri!r}: the name is taken, or nothing lies aside")
        _copy(bucket, aside, key)
        _delete(bucket, target_key, aside.generation, target)


def lies_aside(root: str, target: str) -> bool:
    return stat(target) is not None


def aside_since(target: str) -> float:
    found = stat(target)
    if found is None:
        raise ChangedError(f"{target!r} is not there any more")
    return found.written


def delete_aside(root: str, target: str, fingerprint: str, sha256: str) -> None:
    bucket_name, key = split_object(target)
    with explained("delete", target):
        found = _aside(target, fingerprint)
        if found is not None:
            _delete(client().bucket(bucket_name), key, found.generation, target)


def names_below(root: str, folder: str) -> Iterator[str]:
    return (entry.name for entry in walk(folder))


def remove_empty(root: str, folder: str) -> None:
    """A bucket has no folders."""


def _aside(target: str, fingerprint: str) -> Blob | None:
    _, checksum = _parse(fingerprint)
    bucket_name, key = split_object(target)
    found = client().bucket(bucket_name).get_blob(key)
    if found is not None and found.crc32c != checksum:
        raise ChangedError(f"{target!r} has the CRC-32C {found.crc32c}, not {checksum} as what was archived")
    return found


def _copy(bucket: Bucket, blob: Blob, key: str) -> Blob:
    """Inside the bucket, of this generation, to a name that must be free; or what an earlier try copied there."""
    found = bucket.get_blob(key)
    if found is None:
        _rewrite(bucket.blob(key), blob)
        found = bucket.get_blob(key)
    if found is None or not _equal(found, blob):
        raise StorageError(f"cannot copy {blob.name!r} to {key!r}: something else lies there")
    return found


def _equal(one: Blob, other: Blob) -> bool:
    return bool(one.crc32c == other.crc32c and one.size == other.size)


def _rewrite(target: Blob, blob: Blob) -> None:
    """The service copies by itself, large objects in several calls."""
    conditions = {"if_generation_match": 0, "if_source_generation_match": blob.generation}
    try:
        token, _, _ = target.rewrite(blob, **conditions)
        while token is not None:
            token, _, _ = target.rewrite(blob, token=token, **conditions)
    except PreconditionFailed as error:
        raise ChangedError(f"{blob.name!r} changed while it was copied, or {target.name!r} was taken") from error


def _delete(bucket: Bucket, key: str, generation: int, uri: str) -> None:
    try:
        bucket.blob(key).delete(if_generation_match=generation)
    except PreconditionFailed as error:
        raise ChangedError(f"{uri!r} was written again just now: generation {generation} is not current") from error
    except NotFound:
        pass


def _parse(fingerprint: str) -> tuple[int, str]:
    kind, _, rest = fingerprint.partition(":")
    generation, _, checksum = rest.partition(":")
    if kind != "gcs" or not generation.isdigit() or not checksum:
        raise StorageError(f"expected the fingerprint of a gs:// object with its checksum, found {fingerprint!r}")
    return int(generation), checksum
