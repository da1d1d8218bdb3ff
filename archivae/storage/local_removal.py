"""Local files set aside by a rename, checked before and after it: a rename takes whatever is at the name by then."""

from __future__ import annotations

import hashlib
import os
import stat
from pathlib import Path

from archivae.errors import ChangedError, StorageError
from archivae.storage.local import check_no_links, explained

_CHUNK = 1 << 20


def set_aside(path: str, fingerprint: str, sha256: str, target: str) -> None:
    check_no_links(target)
    before = _regular(path)
    _check(path, before, fingerprint)
    _check_content(path, sha256)
    if os.path.lexists(target):
        raise StorageError(f"cannot set {path!r} aside: {target!r} exists already")
    with explained(f"set aside as {target!r}", path):
        os.makedirs(os.path.dirname(target), exist_ok=True)
        os.rename(path, target)
        _sync(target)
        _sync(path)
    try:
        after = _regular(target)
        if (after.st_dev, after.st_ino) != (before.st_dev, before.st_ino):
            raise ChangedError(f"{path!r} was replaced by another file just now")
        _check(target, after, fingerprint)
        _check_content(target, sha256)
    except ChangedError:
        put_back(target, path)
        raise


def put_back(target: str, path: str) -> None:
    try:
        os.link(target, path, follow_symlinks=False)  # unlike a rename, it never replaces
        _sync(path)
        os.unlink(target)
    except OSError as error:
        raise StorageError(
            f"cannot put {target!r} back as {path!r}: {error.strerror}; nothing is lost, it stays where it is"
        ) from error


def is_aside(target: str, fingerprint: str, sha256: str) -> bool:
    if not os.path.lexists(target):
        return False
    _check(target, _regular(target), fingerprint)
    _check_content(target, sha256)
    return True


def delete_aside(target: str, fingerprint: str, sha256: str) -> None:
    check_no_links(target)
    if not is_aside(target, fingerprint, sha256):
        return
    with explained("delete", target):
        os.unlink(target)
        _sync(target)
    _remove_empty_folders(Path(target).parent)


def _regular(path: str) -> os.stat_result:
    """The status of the file itself, links not followed: what a link points to is not ours to take."""
    try:
        found = os.lstat(path)
    except OSError as error:
        raise ChangedError(f"{path!r} is not there any more: {error.strerror}") from error
    if not stat.S_ISREG(found.st_mode):
        raise ChangedError(f"{path!r} is a link, a folder or a device, not a file; it is left alone")
    return found


def _check(path: str, found: os.stat_result, fingerprint: str) -> None:
    now = f"local:{found.st_size}:{found.st_mtime_ns}"
    if now != fingerprint:
        raise ChangedError(f"{path!r} has changed since it was archived: expected {fingerprint}, found {now}")


def _check_content(path: str, sha256: str) -> None:
    digest = hashlib.sha256()
    with explained("read", path), open(path, "rb") as file:
        while chunk := file.read(_CHUNK):
            digest.update(chunk)
    if digest.hexdigest() != sha256:
        raise ChangedError(f"{path!r} holds other bytes than were archived, under the same size and time")


def _sync(path: str) -> None:
    """Make the entry at ``path``, or its absence, durable."""
    descriptor = os.open(os.path.dirname(path), os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _remove_empty_folders(folder: Path) -> None:
    """Ours alone, up to the quarantine; rmdir takes none that holds anything."""
    while "_archivae" in folder.parent.parts:
        try:
            folder.rmdir()
        except OSError:
            return
        folder = folder.parent
