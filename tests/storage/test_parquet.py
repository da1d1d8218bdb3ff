"""Parquet is read without threads of Arrow's that could outlive the interpreter."""

import io
import subprocess
import sys
from contextlib import suppress
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet
import pytest
from hypothesis import given
from hypothesis import strategies as st

from archivae.storage import own_path
from archivae.storage.archive_index import IndexRow, write_index
from archivae.storage.parquet import read_parquet
from archivae.storage.parquet_footer import check_histograms

TABLE = pa.table({f"column {n}": ["text"] * 8 for n in range(14)})

COUNT_THREADS = """\
import os, sys
from archivae.storage import read_object
from archivae.storage.archive_index import ArchiveIndex
from archivae.storage.parquet import read_parquet
before = set(os.listdir("/proc/self/task"))
{read}
print(len(set(os.listdir("/proc/self/task")) - before))
"""
ROW = IndexRow("a.jpg", 0, 512, 1234, 480, 640, 0, 50.0, bytes(32))


def _file() -> bytes:
    sink = io.BytesIO()
    pa.parquet.write_table(TABLE, sink)
    return sink.getvalue()


def test_the_whole_table() -> None:
    assert read_parquet(_file()).equals(TABLE)


def test_damaged() -> None:
    with pytest.raises(pa.ArrowException):
        read_parquet(_file()[:-9])


@pytest.mark.skipif(not Path("/proc/self/task").is_dir(), reason="threads are counted as Linux tells them")
@pytest.mark.parametrize("read", ["read_parquet(read_object(sys.argv[1]))", "list(ArchiveIndex(sys.argv[1]).rows())"])
def test_no_threads_are_left_behind(tmp_path: Path, read: str) -> None:
    path = own_path(str(tmp_path), "index.parquet")
    write_index(path, [ROW], str(tmp_path))
    words = [sys.executable, "-c", COUNT_THREADS.format(read=read), path]
    counted = subprocess.run(words, check=True, capture_output=True, text=True)
    assert int(counted.stdout) == 0


def test_histograms_that_would_end_the_process_are_refused(tmp_path: Path) -> None:
    """Arrow throws over them where nothing can catch it: read without the check, this file ends the test's process."""
    sink = io.BytesIO()
    pa.parquet.write_table(pa.table({"a": ["x", None]}), sink)
    data = sink.getvalue()
    length = int.from_bytes(data[-8:-4], "little")
    footer = data[-8 - length : -8]
    two, one = bytes([0x26, 2, 2]), bytes([0x16, 2])  # lists of numbers: [1, 1] and [1]
    assert footer.count(two) == 1
    wrong = footer.replace(two, one)
    with pytest.raises(pa.ArrowInvalid, match="histograms contradict"):
        read_parquet(data[: -8 - length] + wrong + len(wrong).to_bytes(4, "little") + b"PAR1")


LEAVES = st.sampled_from([pa.int32(), pa.string(), pa.float32()])
KINDS = st.recursive(
    LEAVES,
    lambda inner: inner.map(pa.list_) | inner.map(lambda kind: pa.struct([("x", kind), ("y", kind)])),
    max_leaves=4,
)


@given(kinds=st.lists(KINDS, min_size=1, max_size=3), required=st.booleans())
def test_what_arrow_writes_passes(kinds: list[pa.DataType], required: bool) -> None:
    schema = pa.schema([pa.field(f"c{n}", kind, nullable=not required) for n, kind in enumerate(kinds)])
    table = schema.empty_table()
    if not required:
        table = pa.concat_tables([table, pa.Table.from_arrays([pa.nulls(3, kind) for kind in kinds], schema=schema)])
    sink = io.BytesIO()
    pa.parquet.write_table(table, sink)
    data = sink.getvalue()
    length = int.from_bytes(data[-8:-4], "little")
    check_histograms(data[-8 - length : -8])


@given(footer=st.binary(max_size=200))
def test_any_bytes_are_a_footer_or_refused(footer: bytes) -> None:
    with suppress(pa.ArrowInvalid):
        check_histograms(footer)
