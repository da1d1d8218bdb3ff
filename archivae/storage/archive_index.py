"""Where each picture of an archive lies: one Parquet file, sorted by name, that is never read whole to find a name.

All in it can be read from the shards again, so that a lost index is made anew with the same bytes.
"""

from __future__ import annotations

import heapq
import io
from bisect import bisect_right
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass
from itertools import groupby
from typing import Any

import pyarrow as pa
import pyarrow.parquet

from archivae.errors import StorageError
from archivae.storage.names import scratch_of
from archivae.storage.objects import stat_object, write_pieces
from archivae.storage.parquet import Limits, bounded_batches, check_footer, open_parquet
from archivae.storage.parquet_footer import check_histograms
from archivae.storage.parquet_pages import check_pages
from archivae.storage.ranged_file import RangedFile

ROW_GROUP_BYTES = 1 << 20
"""The most that a row group takes: with the footer, all that is read to find a name."""

_SHARDS_KEY = b"archivae.shards"
_ROW_BYTES = 80  # of all columns but the name, with what Parquet adds to each
_GROUP_OVERHEAD = 16 * 1024  # of the heads of pages, and of compression that gains nothing
# Of one row group, unpacked; a footer that promises more is none of ours.
_LARGEST_GROUP = 4 * ROW_GROUP_BYTES
_GROUP_LIMITS = Limits(rows=ROW_GROUP_BYTES // _ROW_BYTES, size=_LARGEST_GROUP)
_MOST_SHARDS = 1 << 31  # its column of shard numbers holds no more
_TAIL = 64 * 1024  # what Arrow reads to find the footer
_TRAILER = 8  # the footer's length and PAR1


@dataclass(frozen=True, slots=True)
class IndexRow:
    """One picture: its source's name, and where in which shard its ``.avae`` file lies."""

    name: str  # escaped as `archivae.storage.escaping` says, where that is needed
    shard: int
    offset: int  # bytes from the shard's begin to the file's
    length: int  # bytes of the file
    height: int  # pixels of the picture
    width: int
    crc: int  # CRC-32C of the file
    quality: float  # 0 to 100; 0 where nothing is lost
    sha256: bytes  # of the source


def checked_row(row: IndexRow) -> IndexRow:
    """The row. TypeError, or ValueError for a name that is no Unicode, where something in it is what no archive has."""
    numbers = (row.shard, row.offset, row.length, row.height, row.width, row.crc)
    whole = all(type(number) is int and 0 <= number < above for number, above in zip(numbers, _ABOVE, strict=True))
    if not whole or type(row.quality) not in (int, float) or not 0 <= row.quality <= 100:
        raise TypeError("a row with numbers that no archive has")
    if not isinstance(row.name, str) or not isinstance(row.sha256, bytes) or len(row.sha256) != 32:
        raise TypeError("a row without a name or hash")
    row.name.encode()
    return row


_ABOVE = (_MOST_SHARDS, 1 << 63, 1 << 63, 1 << 32, 1 << 32, 1 << 32)  # of the numbers of a row, in its order
_SCHEMA = pa.schema(
    [
        pa.field(name, kind, nullable=False)
        for name, kind in (
            ("name", pa.string()),
            ("shard", pa.int32()),
            ("offset", pa.int64()),
            ("length", pa.int64()),
            ("height", pa.uint32()),
            ("width", pa.uint32()),
            ("crc", pa.uint32()),
            ("quality", pa.float32()),
            ("sha256", pa.binary(32)),
        )
    ]
)


def write_index(uri: str, rows: Iterable[IndexRow], archive: str) -> None:
    """Write ``rows``, sorted by name, none twice; memory holds one row group. StorageError if they are not in order."""
    write_pieces(uri, index_pieces(rows), scratch=scratch_of(archive))


def merge_rows(parts: Iterable[Iterable[IndexRow]]) -> Iterator[IndexRow]:
    """Several sorted indexes as one; of a name that several have, the row of the later shard."""
    for _, rows in groupby(heapq.merge(*parts, key=lambda row: row.name), key=lambda row: row.name):
        yield max(rows, key=lambda row: (row.shard, row.offset))


class ArchiveIndex:
    """An index as it lies in its archive. Opening it reads the footer; `find` one row group, and keeps that.

    ``shards``: one more than the greatest number of a shard with pictures in it. StorageError where the file is missing,
    damaged or no index.
    """

    def __init__(self, uri: str) -> None:
        found = stat_object(uri)
        if found is None:
            raise StorageError(
                f"expected an archive's index at {uri!r}, found nothing; check the archive's name, "
                "or make its index anew: archivae reindex"
            )
        self._uri = uri
        self._file = RangedFile(uri, found.size)
        with self._explained():
            self._parquet = _open(self._file, found.size)
            metadata = self._parquet.metadata
            self.shards = _shard_count((metadata.metadata or {})[_SHARDS_KEY])
            groups = [metadata.row_group(number) for number in range(metadata.num_row_groups)]
            self._spans = [_span(group) for group in groups]
            self._firsts = [_first_name(group) for group in groups]
        self._kept: tuple[int, dict[str, IndexRow]] = (-1, {})

    def __len__(self) -> int:
        return int(self._parquet.metadata.num_rows)

    def find(self, name: str) -> IndexRow | None:
        """The row of a name; None if there is none."""
        group = bisect_right(self._firsts, name) - 1
        if group < 0:
            return None
        if self._kept[0] != group:
            self._kept = group, {row.name: row for row in self.read_group(group)}
        return self._kept[1].get(name)

    def rows(self) -> Iterator[IndexRow]:
        """All rows, sorted by name; memory holds one row group."""
        for group in range(self.groups):
            yield from self.read_group(group)

    @property
    def first_name(self) -> str:
        """The first name in an index that is not empty."""
        return self._firsts[0]

    @property
    def last_name(self) -> str:
        """The last name in an index that is not empty."""
        return self.read_group(self.groups - 1)[-1].name

    @property
    def groups(self) -> int:
        """How many row groups there are."""
        return len(self._spans)

    @property
    def group_sizes(self) -> list[int]:
        """How many rows each row group has."""
        metadata = self._parquet.metadata
        return [metadata.row_group(group).num_rows for group in range(self.groups)]

    def read_group(self, group: int) -> list[IndexRow]:
        """The rows of one row group."""
        with self._explained():
            start, length = self._spans[group]
            data = self._file.fetch(start, length)  # in one request, where Arrow would make one a column
            check_pages(data, start, self._parquet.metadata.row_group(group), _LARGEST_GROUP, _SCHEMA.names)
            batches = self._parquet.iter_batches(row_groups=[group], columns=_SCHEMA.names, use_threads=False)
            table = (
                pa.Table.from_batches([*bounded_batches(batches, _GROUP_LIMITS)]).select(_SCHEMA.names).cast(_SCHEMA)
            )
            return [checked_row(IndexRow(**row)) for row in table.to_pylist()]

    def _explained(self) -> _Explained:
        return _Explained(self._uri)


class _Explained:
    """Whatever goes wrong inside is the index's fault: an error that names it and says what to do."""

    def __init__(self, uri: str) -> None:
        self._uri = uri

    def __enter__(self) -> None:
        return None

    def __exit__(self, kind: Any, error: BaseException | None, trace: Any) -> None:
        if isinstance(error, pa.ArrowException | OSError | KeyError | TypeError | ValueError | AttributeError):
            raise StorageError(
                f"expected {self._uri!r} to be an archive's index, found something else or a damaged file ({error}); "
                f"make it anew: archivae reindex"
            ) from error


def _open(file: RangedFile, size: int) -> pyarrow.parquet.ParquetFile:
    """The footer is as large as the file says: looked at before anything is allocated, and fetched at once."""
    trailer = file.fetch(max(0, size - _TAIL), min(size, _TAIL))[-_TRAILER:]
    footer = int.from_bytes(trailer[:4], "little") + _TRAILER
    if trailer[4:] != b"PAR1" or footer > size:
        raise ValueError("no Parquet footer")
    check_footer(footer, size)
    tail = file.fetch(size - max(footer, min(size, _TAIL)), max(footer, min(size, _TAIL)))
    check_histograms(tail[len(tail) - footer : len(tail) - _TRAILER])
    return open_parquet(file)


def _span(group: Any) -> tuple[int, int]:
    """Offset and length of a row group in its file."""
    if group.total_byte_size > _LARGEST_GROUP:
        raise ValueError(f"a row group of {group.total_byte_size} bytes")
    if not 0 < group.num_rows <= _GROUP_LIMITS.rows:
        raise ValueError(f"a row group of {group.num_rows} rows")
    columns = [group.column(number) for number in range(group.num_columns)]
    start = min(column.data_page_offset for column in columns)
    end = max(column.data_page_offset + column.total_compressed_size for column in columns)
    if not 0 < start <= end or end - start > _LARGEST_GROUP:
        raise ValueError(f"a row group from byte {start} to {end}")
    return start, end - start


def _shard_count(text: bytes) -> int:
    count = int(text)
    if not 0 <= count <= _MOST_SHARDS:
        raise ValueError(f"{count} shards")
    return count


def _first_name(group: Any) -> str:
    first = group.column(0).statistics.min
    if not isinstance(first, str):
        raise TypeError("a row group that does not say where it begins")
    return first


def index_pieces(rows: Iterable[IndexRow]) -> Iterator[bytes]:
    """The Parquet file of rows, sorted by name, none twice; a row group at a time. StorageError if they are not in order."""
    sink = _Drain()
    shards = 0
    # No dictionaries: nothing repeats. Statistics of names alone: that is what `find` looks at.
    options = {"use_dictionary": False, "write_statistics": ["name"], "write_page_checksum": True}
    with pyarrow.parquet.ParquetWriter(sink, _SCHEMA, compression="zstd", version="2.6", **options) as writer:
        for group in _grouped(rows):
            table = pa.Table.from_pylist([asdict(row) for row in group], schema=_SCHEMA)
            writer.write_table(table, row_group_size=len(group))
            shards = max(shards, *(row.shard + 1 for row in group))
            yield sink.drained()
        writer.add_key_value_metadata({_SHARDS_KEY: str(shards).encode()})
    yield sink.drained()


def _grouped(rows: Iterable[IndexRow]) -> Iterator[list[IndexRow]]:
    """Rows in lists that each fit into a row group."""
    group: list[IndexRow] = []
    size = _GROUP_OVERHEAD
    last: str | None = None
    for row in rows:
        if last is not None and row.name <= last:
            raise StorageError(f"expected an index sorted by name, found {row.name!r} after {last!r}; run reindex")
        last = row.name
        row_bytes = len(row.name.encode()) + _ROW_BYTES
        if size + row_bytes > ROW_GROUP_BYTES:
            yield group
            group, size = [], _GROUP_OVERHEAD
        group.append(row)
        size += row_bytes
    if group:
        yield group


class _Drain(io.RawIOBase):
    """A file to write that gives away what was written to it so far."""

    def __init__(self) -> None:
        super().__init__()
        self._given = 0
        self._kept = bytearray()

    def writable(self) -> bool:
        return True

    def write(self, data: Any) -> int:
        self._kept += data
        return memoryview(data).nbytes

    def tell(self) -> int:
        return self._given + len(self._kept)

    def drained(self) -> bytes:
        data = bytes(self._kept)
        self._given += len(data)
        self._kept.clear()
        return data
