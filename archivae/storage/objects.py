"""One object by its URI: look it up, read it, write it. Which storage it lies in is nobody else's business."""

from __future__ import annotations

import importlib
from typing import cast

from archivae.storage import gcs, local
from archivae.storage.names import normal, scheme_of
from archivae.storage.store import Store, StoredObject


def store_of(uri: str) -> Store:
    """The store that the scheme of ``uri`` names."""
    scheme = scheme_of(uri)
    if not scheme:
        return local
    if scheme == "gs":
        return gcs
    # Beam takes two seconds to import, and local files and gs:// do without it.
    return cast(Store, importlib.import_module("archivae.storage.beam_files"))


def stat_object(uri: str) -> StoredObject | None:
    """The object, named by the last part of its URI; None if there is none. StorageError if that cannot be told."""
    return store_of(uri).stat(normal(uri))


def read_object(uri: str, *, limit: int | None = None, generation: int | None = None) -> bytes:
    """All bytes of an object, on GCS checked against its CRC-32C.

    ``limit``: the most bytes it may have. ``generation``: read this version or none (GCS alone has versions;
    ``generation_of`` finds it in a fingerprint). StorageError if it is missing, unreadable, too large or changed.
    """
    return store_of(uri).read(normal(uri), limit, generation)


def write_object(uri: str, data: bytes, *, scratch: str) -> str:
    """Write or replace a whole object; whoever reads meanwhile sees the old bytes or the new. Its new fingerprint.

    ``scratch``: a local folder on the destination's file system for what is not finished yet (``scratch_of``);
    unused on GCS. StorageError if it cannot be written.
    """
    return store_of(uri).write(normal(uri), data, scratch)


def generation_of(fingerprint: str) -> int | None:
    """The generation in a GCS fingerprint; None for any other."""
    kind, _, rest = fingerprint.partition(":")
    return int(rest.partition(":")[0]) if kind == "gcs" else None
