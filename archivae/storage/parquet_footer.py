"""A Parquet file's footer, looked at before Arrow sees it: some contradictions in it end the process there.

Arrow 25 throws where the histograms of a column's sizes have other lengths than its levels, out of a call that lets nothing
through ("terminate called after throwing an instance of 'parquet::ParquetException'"). Source of the fields: parquet.thrift
of Apache Parquet.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pyarrow as pa

from archivae.storage.thrift import CompactReader

# Fields by number.
_SCHEMA, _ROW_GROUPS = 2, 4  # of FileMetaData
_REPETITION, _CHILDREN = 3, 5  # of SchemaElement
_OPTIONAL, _REPEATED = 1, 2
_COLUMNS = 1  # of RowGroup
_METADATA = 3  # of ColumnChunk
_SIZES = 16  # of ColumnMetaData
_REPETITIONS, _DEFINITIONS = 2, 3  # of SizeStatistics


def check_histograms(footer: bytes) -> None:
    """ArrowInvalid where a column's histograms contradict its levels; ``footer``: FileMetaData, as it lies in the file."""
    fields = CompactReader(footer, 0, len(footer)).struct()
    levels = [*_levels(_structs(fields.get(_SCHEMA)))]
    for group in _structs(fields.get(_ROW_GROUPS)):
        for column, (repeated, defined) in zip(_structs(group.get(_COLUMNS)), levels, strict=False):
            sizes = _struct(_struct(column.get(_METADATA)).get(_SIZES))
            for field, most in ((_REPETITIONS, repeated), (_DEFINITIONS, defined)):
                histogram = sizes.get(field) or []
                if not isinstance(histogram, list) or len(histogram) not in (0, most + 1):
                    raise pa.ArrowInvalid("a footer whose histograms contradict its columns")


def _levels(elements: list[dict[int, Any]]) -> Iterator[tuple[int, int]]:
    """The greatest repetition and definition level of each column: of each leaf of the schema's tree, in order."""
    open_groups = [[1, 0, 0]]  # children to come, levels: the root is an element like any other
    for place, element in enumerate(elements):
        while open_groups and open_groups[-1][0] == 0:
            open_groups.pop()
        if not open_groups:
            raise pa.ArrowInvalid("a footer whose schema is no tree")
        open_groups[-1][0] -= 1
        _, repeated, defined = open_groups[-1]
        kind = element.get(_REPETITION, 0) if place else 0
        repeated, defined = repeated + (kind == _REPEATED), defined + (kind in (_OPTIONAL, _REPEATED))
        children = element.get(_CHILDREN) or 0
        if children:
            open_groups.append([children, repeated, defined])
        elif place:
            yield repeated, defined


def _structs(value: Any) -> list[dict[int, Any]]:
    found = value if isinstance(value, list) else []
    if not all(isinstance(item, dict) for item in found):
        raise pa.ArrowInvalid("a footer with other things than structs in its lists")
    return found


def _struct(value: Any) -> dict[int, Any]:
    return value if isinstance(value, dict) else {}
