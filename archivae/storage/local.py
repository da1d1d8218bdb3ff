"""Local files as a store. Writes are whole or absent, whatever kills them."""

from __future__ import annotations

import fcntl
import os
import shutil
import stat as status
import time
import uuid
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from errno import ELOOP, EMLINK, ENAMETOOLONG, ENOENT, ENOSYS, ENOTDIR, EOPNOTSUPP, EPERM
from pathlib import Path

from archivae.errors import DiskFullError, StorageError
from archivae.storage.full_disk import is_disk_full
from archivae.storage.names import OWN_FOLDER, normal, scheme_of, scratch_of
from archivae.storage.store import MISSING, StoredObject, too_large, unreadable, why_unreadable

_SCRATCH_SUFFIX = ".tmp"
_STALE_SECONDS = 3600
LOCK_PATIENCE = 20.0
"""Seconds: a folder is locked for as long as it takes to look at a file and rename another."""
_LOCK_TRIED_EVERY = 0.02
_NOT_THERE = {ENOENT, ENOTDIR, ENAMETOOLONG, ELOOP}
_NO_LINKS = {EPERM, EOPNOTSUPP, ENOSYS, EMLINK}


def stat(uri: str) -> StoredObject | None:
    """The regular file, symbolic links followed; None if there is none."""
    path = normal(uri)
    with explained("look up", path):
        found = _stat(path)
    if found is None or not status.S_ISREG(found.st_mode):
        return None
    return StoredObject(path, os.path.basename(path), found.st_size, _fingerprint(found), found.st_mtime)


def walk(
    folder: str, *, start: str = "", depth: int | None = None, skip: str | None = None, unread: bool = False
) -> Iterator[StoredObject]:
    """Every regular file below ``folder``, sorted by name.

    Symbolic links are followed, but not into a folder that is being walked already. A link that leads nowhere is
    yielded as missing, so that it is reported and not lost. Pipes, sockets and devices are left out.
    """
    root = normal(folder)
    with explained("list", root):
        if not os.path.isdir(root):
            return
        top = os.stat(root)
        skipped = _stat(normal(skip)) if skip else None
    for entry in _walk(root, "", depth, [] if skipped is None else [skipped], [top]):
        problem = why_unreadable(entry)
        if problem and not (unread and entry.name):
            raise StorageError(problem)
        if entry.name.startswith(start):
            yield entry


def read(uri: str, limit: int | None, generation: int | None) -> bytes:
    """All bytes; files have no generations, so ``generation`` must be None."""
    path = normal(uri)
    if generation is not None:
        raise StorageError(f"expected no generation for the local file {path!r}, found {generation}; leave it out")
    with explained("read", path):
        # Looked at before it is opened: opening a pipe waits for ever.
        found = os.stat(path)
        if not status.S_ISREG(found.st_mode):
            raise StorageError(f"cannot read {path!r}: expected a regular file, found a folder or device")
        if limit is not None and found.st_size > limit:
            raise too_large(path, limit)
        with open(path, "rb") as file:
            data = file.read()  # with a number, room for so much would be taken at once, however small the file
    if limit is not None and len(data) > limit:  # it grew meanwhile
        raise too_large(path, limit)
    return data


def read_range(uri: str, offset: int, length: int, generation: int | None = None) -> bytes:
    """``length`` bytes from ``offset`` on; fewer where the file ends before. Files have no generations."""
    path = normal(uri)
    with explained("read", path), open(path, "rb") as file:
        length = min(length, max(0, os.fstat(file.fileno()).st_size - offset))  # what a read would allocate
        file.seek(offset)
        return file.read(length)


def write(uri: str, data: bytes, scratch: str) -> str:
    """Write in the folder ``scratch``, sync, rename over ``uri``; ``scratch`` must be on the same file system."""
    return write_pieces(uri, [data], scratch)


def write_pieces(uri: str, pieces: Iterable[bytes], scratch: str) -> str:
    """The same, piece by piece."""
    path = normal(uri)
    with _finished(path, pieces, scratch) as (temporary, fingerprint), explained("write", path):
        os.replace(temporary, path)
        _sync_folder(Path(path).parent)
    return fingerprint


def write_pieces_if(uri: str, pieces: Iterable[bytes], expected: str | None, scratch: str) -> str | None:
    """Write if the file has the fingerprint ``expected``, or if there is none.

    A new name is linked, which the system refuses where there is one; to replace, its folder is locked meanwhile.
    """
    path = normal(uri)
    with _finished(path, pieces, scratch) as (temporary, fingerprint):
        done = _link(temporary, path) if expected is None else _replace_if(temporary, path, expected)
        if done:
            with explained("write", path):
                _sync_folder(Path(path).parent)
    return fingerprint if done else None


def delete(uri: str) -> None:
    """Delete one file; nothing if it is not there."""
    path = normal(uri)
    check_no_links(path)
    with explained("delete", path), suppress(FileNotFoundError):
        os.unlink(path)


def delete_if(uri: str, expected: str) -> bool:
    """Delete the file if it has the fingerprint ``expected``; its folder is locked meanwhile."""
    path = normal(uri)
    with _locked_folder_of(path):
        found = stat(path)
        if found is None or found.fingerprint != expected:
            return False
        delete(path)
        return True


def clear(folder: str) -> None:
    """Delete a folder with all that is in it; links in it are deleted, not followed."""
    path = normal(folder).rstrip("/")
    check_no_links(path)
    with explained("delete", path), suppress(FileNotFoundError):
        if os.path.islink(path):
            os.unlink(path)
        else:
            shutil.rmtree(path)


def check_no_links(path: str) -> None:
    """StorageError where a folder above ``path``, from ``_archivae`` on, is a link: what lies behind is not ours to remove."""
    parts = path.split("/")
    first = parts.index(OWN_FOLDER) if OWN_FOLDER in parts else len(parts)
    for count in range(first + 1, len(parts)):
        folder = "/".join(parts[:count])
        if os.path.islink(folder):
            raise StorageError(
                f"cannot remove {path!r}: {folder!r} is a link, and links are not followed when something is removed; "
                "put a folder in its place"
            )


def remove_stale_scratch(destination: str, age: float = _STALE_SECONDS) -> int:
    """Delete what killed runs left in the scratch folder of a local ``destination`` over ``age`` seconds ago; how many.

    Whoever has the destination's lease needs to leave no time: nobody else's unfinished writes lie there. Elsewhere
    there is nothing to delete: a killed upload leaves no object.
    """
    if scheme_of(destination) or not os.path.isdir(folder := scratch_of(destination)):
        return 0
    if os.path.islink(folder) or os.path.islink(os.path.dirname(folder)):
        return 0  # what lies behind a link is not ours to tidy
    oldest, removed = time.time() - age, 0
    with explained("tidy", folder), os.scandir(folder) as entries:
        for entry in entries:
            with suppress(FileNotFoundError):  # finished, or tidied by another job, meanwhile
                ours = entry.name.endswith(_SCRATCH_SUFFIX) and entry.is_file(follow_symlinks=False)
                if ours and entry.stat(follow_symlinks=False).st_mtime < oldest:
                    os.unlink(entry.path)
                    removed += 1
    return removed


def _walk(
    root: str, prefix: str, depth: int | None, skipped: list[os.stat_result], above: list[os.stat_result]
) -> Iterator[StoredObject]:
    """The files below ``root/prefix``; ``above``: the folders from the root down to it, itself included."""
    for name, found in _children(root, prefix):
        path = os.path.join(root, name)
        if isinstance(found, OSError):
            yield unreadable(path, name, found)
        elif found is None:
            yield StoredObject(path, name, -1, MISSING)
        elif status.S_ISREG(found.st_mode):
            yield StoredObject(path, name, found.st_size, _fingerprint(found), found.st_mtime)
        elif status.S_ISDIR(found.st_mode) and depth != 1 and not _is_one_of(found, skipped + above):
            yield from _walk(root, f"{name}/", depth and depth - 1, skipped, [*above, found])


def _children(root: str, prefix: str) -> list[tuple[str, os.stat_result | OSError | None]]:
    """The entries of one folder, by name from the root and status, in the order in which the names below them sort.

    A folder that can't be listed, or not to its end, is an entry itself, by its own name and a slash.
    """
    found: list[tuple[str, os.stat_result | OSError | None]] = []
    try:
        with os.scandir(os.path.join(root, prefix)) as entries:
            for entry in entries:
                found.append((f"{prefix}{entry.name}", _stat_or_error(entry.path)))
    except OSError as error:
        found.append((prefix, error))
    return sorted(found, key=_as_names_below_it_sort)


def _as_names_below_it_sort(entry: tuple[str, os.stat_result | OSError | None]) -> str:
    """What lies in a folder begins with its name and a slash: 'a.jpg' sorts before 'a/1.jpg'."""
    name, found = entry
    return f"{name}/" if isinstance(found, os.stat_result) and status.S_ISDIR(found.st_mode) else name


def _stat_or_error(path: str) -> os.stat_result | OSError | None:
    try:
        return _stat(path)
    except OSError as error:
        return error


def _stat(path: str) -> os.stat_result | None:
    try:
        return os.stat(path)
    except OSError as error:
        if error.errno in _NOT_THERE:
            return None
        raise
    except ValueError:  # a name with a NUL, which no file has
        return None


def _is_one_of(folder: os.stat_result, others: list[os.stat_result]) -> bool:
    return any(os.path.samestat(folder, other) for other in others)


@contextmanager
def _finished(path: str, pieces: Iterable[bytes], scratch: str) -> Iterator[tuple[Path, str]]:
    """A synced file in ``scratch`` that can be renamed to ``path``, and its fingerprint; it is gone afterwards."""
    temporary = Path(normal(scratch), f"{uuid.uuid4().hex}{_SCRATCH_SUFFIX}")
    try:
        with explained("write", path):
            _make_folder(temporary.parent)
            _make_folder(Path(path).parent)
            written = _write_synced(temporary, pieces)
        yield temporary, _fingerprint(written)
    finally:
        with suppress(OSError):
            temporary.unlink(missing_ok=True)


def _link(temporary: Path, path: str) -> bool:
    """Give the file the name ``path`` too; whether there was none such."""
    with explained("write", path):
        try:
            os.link(temporary, path, follow_symlinks=False)
        except FileExistsError:
            return False
        except OSError as error:
            if error.errno not in _NO_LINKS:
                raise
            return _replace_if(temporary, path, None)  # a file system without hard links
    return True


def _replace_if(temporary: Path, path: str, expected: str | None) -> bool:
    with _locked_folder_of(path):
        found = stat(path)
        if (found and found.fingerprint) != expected:
            return False
        with explained("write", path):
            os.replace(temporary, path)
    return True


def _write_synced(path: Path, pieces: Iterable[bytes]) -> os.stat_result:
    with open(path, "xb") as file:
        file.writelines(pieces)
        file.flush()
        os.fsync(file.fileno())
        return os.fstat(file.fileno())


def _make_folder(folder: Path) -> None:
    """Make a folder and those above it, each one's name synced into its parent."""
    if not folder.is_dir():
        _make_folder(folder.parent)
        folder.mkdir(exist_ok=True)
        _sync_folder(folder.parent)


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


@contextmanager
def _locked_folder_of(path: str) -> Iterator[None]:
    """Locked against others that ask for it so; the system lets go of a killed process's lock, but not of a stopped one's."""
    with explained("lock the folder of", path):
        descriptor = os.open(os.path.dirname(path), os.O_RDONLY)
        try:
            _lock(descriptor, path)
            yield
        finally:
            os.close(descriptor)


def _lock(descriptor: int, path: str) -> None:
    deadline = time.monotonic() + LOCK_PATIENCE
    while True:
        try:
            return fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if time.monotonic() > deadline:
                raise StorageError(
                    f"cannot change {path!r}: another process has had its folder locked for {LOCK_PATIENCE:.0f} s and may be "
                    "stopped; let it go on, or end it, then run again"
                ) from None
            time.sleep(_LOCK_TRIED_EVERY)


def _fingerprint(found: os.stat_result) -> str:
    return f"local:{found.st_size}:{found.st_mtime_ns}"


@contextmanager
def explained(verb: str, path: str) -> Iterator[None]:
    try:
        yield
    except FileNotFoundError as error:
        raise StorageError(f"cannot {verb} {path!r}: there is no such file; check the path") from error
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or error
        if is_disk_full(error):
            raise DiskFullError(
                f"cannot {verb} {path!r}: {reason}; make room on the disk, then run again: what is done is skipped"
            ) from error
        raise StorageError(f"cannot {verb} {path!r}: {reason}; check its permissions and the disk") from error
