"""Parquet is read without threads of Arrow's that could outlive the interpreter."""

import io
import subprocess
import sys
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet
import pytest

from archivae.storage import own_path
from archivae.storage.archive_index import IndexRow, write_index
from archivae.storage.parquet import read_parquet

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
