"""Parquet without Arrow's threads.

One of them may still hold a Python object, the file or its bytes, when the interpreter ends. Letting go of it then aborts the
process, all of whose work was done (https://github.com/apache/arrow/issues/34314).
"""

from __future__ import annotations

import pyarrow as pa
import pyarrow.parquet


def read_parquet(data: bytes) -> pa.Table:
    """The whole table of a Parquet file. ArrowException or OSError if it is damaged."""
    return pyarrow.parquet.ParquetFile(pa.BufferReader(data), pre_buffer=False).read(use_threads=False)
