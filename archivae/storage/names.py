"""URIs and relative names: what may be joined to what, and where our own folder lies."""

from __future__ import annotations

import os
import re
from urllib.parse import unquote, urlsplit

from archivae.errors import UnsafeNameError, UsageError
from archivae.storage.escaping import escape_name, unescape_name
from archivae.untrusted import without_secrets

OWN_FOLDER = "_archivae"
LONGEST_PART = 255
"""Bytes between two slashes that local file systems take."""
LONGEST_KEY = 1024
"""Bytes of an object's name that buckets take."""

# One letter before the colon would be a Windows drive.
_SCHEME = re.compile(r"([A-Za-z][A-Za-z0-9+.-]+)://")
_DRIVE = re.compile(r"[A-Za-z]:")
_NEVER_IN_BUCKETS = re.compile(r"[\x00\ud800-\udfff]")
_LINE_ENDS = re.compile(r"[\r\n]")
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
    if (
        scheme_of(uri) in ("gs", "s3") and "@" in uri.split("/")[2]
    ):  # no bucket's name has it; libraries quote what is wrong
        raise UsageError(
            f"expected a bucket's name, found a user or password before it in {without_secrets(uri)!r}; leave these out: "
            "credentials come from the environment"
        )
    if not uri.lower().startswith("file://"):
        return uri
    host = urlsplit(uri).netloc
    if host not in ("", "localhost"):
        raise UsageError(
            f"expected a file URI of this machine (file:///...), found the host {host.rpartition('@')[2]!r} in {uri!r}"
        )
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
        raise _own_folder_error(name)
    return f"{normal(base).rstrip('/')}/{name}"


def stored_name(base: str, name: str) -> str:
    """What ``name``, any text, is called under ``base``: itself if that storage holds such names, else escaped."""
    candidate = name
    while can_hold(scheme_of(base), candidate):
        plain = unescape_name(candidate)
        if plain == candidate:
            return name
        candidate = plain  # what looks escaped must not be taken for the escaped form of what cannot be held
    return escape_name(name)


def own_uri(base: str, name: str) -> str:
    """The URI of ``name``, any text, under ``base``: under itself where that storage can, else under its escaped form.

    Raises UnsafeNameError for names that could land elsewhere, as `join` does, or that are too long.
    """
    stored = stored_name(base, name)
    _check_parts(stored)
    if stored.split("/")[0] == OWN_FOLDER:
        raise _own_folder_error(stored)
    return with_checked_length(f"{normal(base).rstrip('/')}/{stored}")


def with_checked_length(uri: str) -> str:
    """``uri`` as it is. UnsafeNameError where a part of it, or all of it, is longer than its storage takes."""
    local = not scheme_of(uri)
    texts = uri.split("/") if local else [uri.partition("://")[2].partition("/")[2]]
    longest = max(len(text.encode("utf-8", "surrogateescape")) for text in texts)
    most = LONGEST_PART if local else LONGEST_KEY
    if longest > most:
        raise UnsafeNameError(
            f"expected a name of at most {most} bytes{' between two slashes' if local else ''}, escapes and ending "
            f"included, found {longest} in {uri!r}; shorten the object's name"
        )
    return uri


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


def can_hold(scheme: str, name: str) -> bool:
    """Whether a storage can keep an object under that very name."""
    if not scheme:
        return "\0" not in name
    if scheme not in ("gs", "s3"):  # who knows
        return escape_name(name) == name
    # Cloud Storage refuses line ends: "Object name requirements", cloud.google.com/storage/docs/objects.
    return not _NEVER_IN_BUCKETS.search(name) and not (scheme == "gs" and _LINE_ENDS.search(name))


def _own_folder_error(name: str) -> UnsafeNameError:
    return UnsafeNameError(f"expected a name outside ArchiVAE's own {OWN_FOLDER}/, found {name!r}; rename the object")


def _check(name: str) -> None:
    if _FORBIDDEN.search(name):
        raise _unsafe(name, "a backslash, a control character or text that is no Unicode")
    if _DRIVE.match(name):
        raise _unsafe(name, "an absolute path")
    _check_parts(name)


def _check_parts(name: str) -> None:
    """UnsafeNameError for a name that could lead elsewhere."""
    parts = name.split("/")
    if name.startswith("/"):
        problem = "an absolute path"
    elif "" in parts:
        problem = "an empty part"
    elif "." in parts or ".." in parts:
        problem = "a '.' or '..' part"
    else:
        return
    raise _unsafe(name, problem)


def _unsafe(name: str, problem: str) -> UnsafeNameError:
    return UnsafeNameError(f"expected a name such as 'cats/1.jpg', found {problem} in {name!r}; rename the object")
