"""Local files set aside by a rename, checked before and after it: a rename takes whatever is at the name by then."""

from __future__ import annotations

import hashlib
import os
import stat
from collections.abc import Iterator

from archivae.errors import ChangedError, StorageError
from archivae.storage.local import explained
from archivae.storage.names import OWN_FOLDER

_CHUNK = 1 << 20
_OWNER_ONLY = 0o700


def set_aside(root: str, path: str, fingerprint: str, sha256: str, target: str) -> None:
    _refuse_links(root, path)
    _refuse_links(root, target)
    before = _regular(path)
    _check(path, before, fingerprint)
    _check_content(path, sha256)
    _clear_equal(target, path, sha256)
    with explained(f"set aside as {target!r}", path):
        _make_folders(root, target, like=os.path.dirname(path))
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
        put_back(root, target, path)
        raise


def put_back(root: str, target: str, path: str) -> None:
    _refuse_links(root, target)
    _refuse_links(root, path)
    _regular(target)
    try:
        _make_folders(root, path, like=os.path.dirname(target))
        if not _is_same_file(target, path):  # else an earlier try was killed between the two names
            os.link(target, path, follow_symlinks=False)  # unlike a rename, it never replaces
        _sync(path)
        os.unlink(target)
        _sync(target)
    except OSError as error:
        raise StorageError(
            f"cannot put {target!r} back as {path!r}: {error.strerror}; nothing is lost, it stays where it is"
        ) from error
    _remove_empty_above(root, target)


def lies_aside(root: str, target: str) -> bool:
    _refuse_links(root, target)
    return os.path.lexists(target)


def aside_since(target: str) -> float:
    """A rename sets a file's status time, which no program can set back."""
    return _regular(target).st_ctime


def delete_aside(root: str, target: str, fingerprint: str, sha256: str) -> None:
    if not lies_aside(root, target):
        return
    _check(target, _regular(target), fingerprint)
    _check_content(target, sha256)
    with explained("delete", target):
        os.unlink(target)
        _sync(target)
    _remove_empty_above(root, target)


def names_below(root: str, folder: str) -> Iterator[str]:
    """Files below ``folder``, by their names in it; links are not followed, and not named."""
    _refuse_links(root, f"{folder}/")
    if not os.path.isdir(folder):
        return
    with explained("list", folder):
        for above, folders, files in os.walk(folder, onerror=_raise, followlinks=False):
            folders.sort()
            for name in sorted(files):
                path = os.path.join(above, name)
                if stat.S_ISREG(os.lstat(path).st_mode):
                    yield os.path.relpath(path, folder)


def remove_empty(root: str, folder: str) -> None:
    """Folders below ``folder``, it itself, and `_archivae` above it, unless they hold anything."""
    _refuse_links(root, f"{folder}/")
    for above, _, _ in os.walk(folder, topdown=False, followlinks=False):
        _rmdir(above)
    _rmdir(os.path.dirname(folder))


def _regular(path: str) -> os.stat_result:
    """The status of the file itself, links not followed: what a link points to is not ours to take."""
    try:
        found = os.lstat(path)
    except OSError as error:
        raise ChangedError(f"{path!r} is not there any more: {error.strerror}") from error
    if not stat.S_ISREG(found.st_mode):
        raise ChangedError(f"{path!r} is a link, a folder or a device, not a file; it is left alone")
    return found


def _refuse_links(root: str, path: str) -> None:
    """StorageError if a folder between ``root`` and ``path`` is a link: what lies behind it is not the source's."""
    for folder in _folders_between(root, path):
        if os.path.islink(folder):
            raise StorageError(f"{path!r} lies behind the linked folder {folder!r}, which is not followed")


def _folders_between(root: str, path: str) -> list[str]:
    """The folders below ``root`` that ``path`` lies in, outermost first."""
    parts = os.path.relpath(os.path.dirname(path), root).split(os.sep)
    return [] if parts == ["."] else [os.path.join(root, *parts[: n + 1]) for n in range(len(parts))]


def _make_folders(root: str, path: str, like: str) -> None:
    """Make the folders that ``path`` lies in, as readable as their counterparts above ``like`` at most.

    Each one's name is synced into its parent, also where a killed run may have made it: a file must not move into a
    folder that a crash could take away.
    """
    folders = _folders_between(root, path)
    counterparts = _folders_between(root, f"{like}/")
    for depth, folder in enumerate(folders):
        place = len(counterparts) - (len(folders) - depth)
        counterpart = counterparts[place] if place >= 0 else root
        _make_folder(folder, counterpart)
        _sync(folder)


def _make_folder(folder: str, counterpart: str) -> None:
    """Nobody but the owner gets into a quarantine."""
    private = os.path.basename(os.path.dirname(folder)) == OWN_FOLDER
    mode = _OWNER_ONLY if private else _mode(counterpart) | _OWNER_ONLY
    if not os.path.isdir(folder):
        os.mkdir(folder, mode)
    elif private and _mode(folder) & ~_OWNER_ONLY:
        os.chmod(folder, _OWNER_ONLY)


def _mode(path: str) -> int:
    return stat.S_IMODE(os.stat(path).st_mode) & 0o777


def _clear_equal(target: str, path: str, sha256: str) -> None:
    """Take away a second name, or copy, of ``path`` that a killed run or the user left aside."""
    if not os.path.lexists(target):
        return
    try:
        _regular(target)
        _check_content(target, sha256)
    except ChangedError as error:
        raise StorageError(f"cannot set {path!r} aside: {target!r} exists already, and holds something else") from error
    with explained("take away", target):
        os.unlink(target)


def _is_same_file(target: str, path: str) -> bool:
    return os.path.lexists(path) and os.path.samestat(os.lstat(target), os.lstat(path))


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


def _remove_empty_above(root: str, path: str) -> None:
    """Ours alone; rmdir takes none that holds anything."""
    for folder in reversed(_folders_between(root, path)):
        if OWN_FOLDER not in os.path.relpath(folder, root).split(os.sep) or not _rmdir(folder):
            return


def _raise(error: OSError) -> None:
    raise error


def _rmdir(folder: str) -> bool:
    try:
        os.rmdir(folder)
    except OSError:
        return False
    return True
