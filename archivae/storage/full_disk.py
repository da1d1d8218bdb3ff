"""A full disk, told from every other failure: no object of the job is to blame, and none after it would fare better."""

from __future__ import annotations

from errno import EDQUOT, ENOSPC

from archivae.errors import DiskFullError

_FULL = {ENOSPC, EDQUOT}


def is_disk_full(error: BaseException) -> bool:
    """Whether an error says so, or any that it came of: libraries put their own around the system's."""
    seen: set[int] = set()
    following: BaseException | None = error
    while following is not None and id(following) not in seen:
        seen.add(id(following))
        if isinstance(following, DiskFullError) or (isinstance(following, OSError) and following.errno in _FULL):
            return True
        following = following.__cause__ or following.__context__
    return False
