"""Parquet is read without threads of Arrow's that could outlive the interpreter."""

import io
import subprocess
import sys
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet
import pytest

from archivae.storage.parquet import read_parquet

TABLE = pa.table({f"column {n}": ["text"] * 8 for n in range(14)})

COUNT_THREADS = """\
import os, sys
from pathlib import Path
from archivae.storage.parquet import read_parquet
data = Path(sys.argv[1]).read_bytes()
before = set(os.listdir("/proc/self/task"))
read_parquet(data)
print(len(set(os.listdir("/proc/self/task")) - before))
"""


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
def test_no_threads_are_left_behind(tmp_path: Path) -> None:
    path = tmp_path / "table.parquet"
    path.write_bytes(_file())
    counted = subprocess.run(
        [sys.executable, "-c", COUNT_THREADS, str(path)], check=True, capture_output=True, text=True
    )
    assert int(counted.stdout) == 0
