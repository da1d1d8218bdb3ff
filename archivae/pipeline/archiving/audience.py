"""Who may read a local original, so that its copies are read by nobody else."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from functools import reduce
from operator import and_

from archivae.storage.names import normal, scheme_of

EVERYBODY = 0o077
"""The permissions of group and others that a new file may have."""
_GROUP, _OTHERS = 0o070, 0o007


def audience_of(uri: str) -> int:
    """`EVERYBODY`, less the group or others where they cannot read ``uri`` or pass through a folder above it.

    Objects in buckets, whose readers the bucket's policy says, are no matter of file modes: `EVERYBODY`.
    """
    if scheme_of(uri):
        return EVERYBODY
    path = normal(uri)
    audience = _who(path, stat.S_IROTH | stat.S_IXOTH if os.path.isdir(path) else stat.S_IROTH)
    while (above := os.path.dirname(path)) != path:
        path = above
        audience &= _who(path, stat.S_IXOTH)
    return audience


def common_audience(uris: Iterable[str]) -> int:
    """Who may read all of ``uris``."""
    return reduce(and_, map(audience_of, uris), EVERYBODY)


@contextmanager
def limited_to(audience: int) -> Iterator[None]:
    """What this process, and those that it starts, write meanwhile is read by nobody outside ``audience``."""
    before = os.umask(0o077)
    os.umask(before | (EVERYBODY & ~audience))
    try:
        yield
    finally:
        os.umask(before)


def _who(path: str, needed: int) -> int:
    """``needed``: permissions, in the bits of others. What is not there shuts nobody out."""
    try:
        found = os.stat(path)
    except OSError:
        return EVERYBODY
    others = found.st_mode & needed == needed
    # Files that are written have this process's group: another group's rights are not its members'.
    group = found.st_mode >> 3 & needed == needed if found.st_gid == os.getegid() else others
    return (_GROUP if group else 0) | (_OTHERS if others else 0)
