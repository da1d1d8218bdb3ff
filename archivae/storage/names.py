"""URIs and relative names: what may be joined to what, and where our own folder lies."""

from __future__ import annotations

import os
import re
from urllib.parse import unquote, urlsplit

from archivae.errors import UnsafeNameError, UsageError

OWN_FOLDER = "_archivae"

# One letter before the colon would be a Windows drive.
_SCHEME = re.compile(r"([A-Za-z][A-Za-z0-9+.-]+)://")
_DRIVE = re.compile(r"[A-Za-z]:")
# C0, DEL and C1 controls, backslashes, and the lone surrogates Python puts for file names that are no UTF-8.
_FORBIDDEN = re.compile(r"[\x00-\x1f\x7f-\x9f\\\ud800-\udfff]")


def scheme_of(uri: str) -> str:
    """``gs``, ``s3``, ...; ``""`` for a local path, ``file://`` included."""
    found = _SCHEME.match(uri)
    scheme = found[1].lower() if found else ""
    return "" if scheme == "file" else scheme


def plain(uri: str) -> str:
    """``uri`` with ``file://`` taken off and its %-escapes undone; everything else as it is."""
    if not uri:
        raise UsageError("expected a path or URI, found an empty string; name a file, a folder or gs://bucket/folder")
    if not uri.lower().startswith("file://"):
        return uri
    host = urlsplit(uri).netloc
    if host not in ("", "localhost"):
        raise UsageError(f"expected a file URI of this machine (file:///...), found the host {host!r} in {uri!r}")
    return unquote(uri[len("file://") + len(host) :])


def normal(uri: str) -> str:
    """The one spelling under which an object is known: local paths absolute and plain, other URIs as they are."""
    path = plain(uri)
    return path if scheme_of(path) else os.path.abspath(path)


def join(base: str, name: str) -> str:
    """The URI of ``name`` under the folder ``base``.

    Raises UnsafeNameError for every name that could land elsewhere or that some storage would spell otherwise:
    absolute ones, ``.``, ``..`` and empty parts, backslashes, control characters, text that is no Unicode, drive
    letters, and names inside our own ``_archivae/``.
    """
    _check(name)
    if name.split("/")[0] == OWN_FOLDER:
        raise UnsafeNameError(
            f"expected a name outside ArchiVAE's own {OWN_FOLDER}/, found {name!r}; rename the object"
        )
    return f"{normal(base).rstrip('/')}/{name}"


def own_path(destination: str, name: str) -> str:
    """The URI of ``name`` in the folder of ``destination`` that is ours, ``_archivae/``."""
    _check(name)
    return f"{normal(destination).rstrip('/')}/{OWN_FOLDER}/{name}"


def scratch_of(destination: str) -> str:
    """Where unfinished writes to ``destination`` lie."""
    return own_path(destination, "tmp")


def is_below(uri: str, folder: str) -> bool:
    """Whether ``uri``, an object or a folder, lies strictly inside ``folder``. Both in their normal spelling."""
    return uri.rstrip("/").startswith(f"{folder.rstrip('/')}/")


def is_own(name: str) -> bool:
    """Whether some folder of a relative name is called ``_archivae``."""
    return OWN_FOLDER in name.split("/")[:-1]


def common_folder(uris: list[str]) -> str:
    """The longest prefix of whole parts, its closing slash included, that all ``uris`` share: their names' root."""
    # The least and the greatest differ from each other no later than any other pair does.
    first, last = min(uris).split("/")[:-1], max(uris).split("/")[:-1]
    shared = 0
    while shared < min(len(first), len(last)) and first[shared] == last[shared]:
        shared += 1
    return "".join(f"{part}/" for part in first[:shared])


def _check(name: str) -> None:
    parts = name.split("/")
    if _FORBIDDEN.search(name):
        problem = "a backslash, a control character or text that is no Unicode"
    elif name.startswith("/") or _DRIVE.match(name):
        problem = "an absolute path"
    elif "" in parts:
        problem = "an empty part"
    elif "." in parts or ".." in parts:
        problem = "a '.' or '..' part"
    else:
        return
    raise UnsafeNameError(f"expected a name such as 'cats/1.jpg', found {problem} in {name!r}; rename the object")
