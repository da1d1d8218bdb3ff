"""What of a source is not in an archive yet."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator

from archivae.storage import StoredObject
from archivae.storage.archive_index import IndexRow
from archivae.storage.escaping import escape_name, unescape_name


def unarchived(
    sources: Iterable[StoredObject],
    rows: Iterable[IndexRow],
    is_new: Callable[[StoredObject, IndexRow], bool] = lambda source, row: False,
) -> Iterator[StoredObject]:
    """The sources whose names an index does not have; both sorted by name, and both read once, side by side.

    Sources that are archived under escaped names, which sort otherwise, come last. ``is_new`` says of a source and the row
    of its name whether it is to be archived nevertheless.
    """
    escaped_rows: dict[str, IndexRow] = {}
    escaped_sources: list[StoredObject] = []
    remaining = _plain_rows(rows, escaped_rows)
    row = next(remaining, None)
    for source in sources:
        if escape_name(source.name) != source.name:
            escaped_sources.append(source)
            continue
        while row is not None and row.name < source.name:
            row = next(remaining, None)
        if row is None or row.name != source.name or is_new(source, row):
            yield source
    if escaped_sources:
        for _ in remaining:
            pass
    for source in escaped_sources:
        known = escaped_rows.get(escape_name(source.name))
        if known is None or is_new(source, known):
            yield source


def _plain_rows(rows: Iterable[IndexRow], escaped: dict[str, IndexRow]) -> Iterator[IndexRow]:
    """The rows of names that are archived as they are; the other names go to ``escaped`` on the way."""
    for row in rows:
        if unescape_name(row.name) == row.name:
            yield row
        else:
            escaped[row.name] = row
