"""What of a source is not in an archive yet."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator

from archivae.storage import StoredObject
from archivae.storage.archive_index import IndexRow


def unarchived(
    sources: Iterable[StoredObject],
    rows: Iterable[IndexRow],
    is_new: Callable[[StoredObject, IndexRow], bool] = lambda source, row: False,
) -> Iterator[StoredObject]:
    """The sources whose names an index does not have; both sorted by name, and both read once, side by side.

    ``is_new`` says of a source and the row of its name whether it is to be archived nevertheless.
    """
    remaining = iter(rows)
    row = next(remaining, None)
    for source in sources:
        while row is not None and row.name < source.name:
            row = next(remaining, None)
        if row is None or row.name != source.name or is_new(source, row):
            yield source
