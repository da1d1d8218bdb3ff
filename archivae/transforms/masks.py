"""Masks beside pictures: where they lie, which objects are masks, and reading them."""

from __future__ import annotations

import os

from archivae.errors import MaskError, StorageError
from archivae.models.restore.pixels import Mask
from archivae.operations.masks import mask_of_file
from archivae.operations.names import without_ending
from archivae.storage import StoredObject, read_object, stat_object
from archivae.storage.names import normal, scheme_of
from archivae.storage.objects import store_of
from archivae.transforms.read import MAX_BYTES


def mask_uri(pattern: str, source: StoredObject) -> str:
    """Where the mask of ``source`` lies.

    >>> mask_uri("masks/*.png", StoredObject("gs://b/photos/x/a.jpg", "x/a.jpg", 1, ""))
    'gs://b/photos/masks/x/a.png'
    """
    before, after = _around(pattern, source)
    return f"{before}{without_ending(source.name)}{after}"


def is_mask(pattern: str, source: StoredObject) -> bool:
    """Whether ``source`` is itself one of the masks that lie among the pictures."""
    before, after = _around(pattern, source)
    between = len(source.uri) - len(before) - len(after)
    return between > 0 and source.uri.startswith(before) and source.uri.endswith(after)


def read_mask(pattern: str, source: StoredObject, max_pixels: int) -> Mask:
    """The mask of ``source``. MaskError if there is none; else errors as of `open_picture`."""
    uri = mask_uri(pattern, source)
    try:
        data = read_object(uri, limit=MAX_BYTES)
    except StorageError as error:
        if stat_object(uri) is not None:
            raise
        raise MaskError(
            f"expected the mask of {source.name} at {uri!r}, found none: put it there, or change --masks"
        ) from error
    return mask_of_file(data, max_pixels)


def check_masks(pattern: str, source: StoredObject) -> None:
    """MaskError if there is not one object that is a mask by its name, for whichever picture beside ``source``."""
    before, after = _around(pattern, source)
    folder, _, start = before.rpartition("/")
    found = store_of(folder).walk(folder or "/", start=start)
    if not any(entry.name.startswith(start) and entry.name.endswith(after) for entry in found):
        raise MaskError(
            f"expected masks such as {mask_uri(pattern, source)!r}, found none at all in {folder!r}: "
            "put them there, or change --masks"
        )


def _around(pattern: str, source: StoredObject) -> tuple[str, str]:
    """What stands before and after the picture's name in the URIs of masks."""
    before, _, after = pattern.partition("*")
    folder, _, start = before.rpartition("/")
    whole = scheme_of(before) or before.lower().startswith("file://") or os.path.isabs(before)
    if not whole:
        root = source.uri.removesuffix(source.name).rstrip("/")
        folder = f"{root}/{folder}".rstrip("/")
    return f"{normal(folder or '/').rstrip('/')}/{start}", after
