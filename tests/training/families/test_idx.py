"""IDX files: what is written is read, and nothing else is."""

from __future__ import annotations

import gzip
import struct

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays

from archivae.errors import ArchivaeError, DamagedPictureError, UnsupportedPictureError
from archivae.pipeline.training.labelled.idx import is_idx, parse_idx

ARRAYS = arrays(np.uint8, array_shapes(min_dims=1, max_dims=4, min_side=0, max_side=6))


def idx_file(array: np.ndarray, kind: int = 8) -> bytes:
    return bytes((0, 0, kind, array.ndim)) + struct.pack(f">{array.ndim}I", *array.shape) + array.tobytes()


@given(ARRAYS, st.booleans())
def test_arrays_come_back(array: np.ndarray, compressed: bool) -> None:
    data = idx_file(array)
    data = gzip.compress(data) if compressed else data
    assert is_idx(data)
    found = parse_idx(data)
    assert found.shape == array.shape and np.array_equal(found, array)


@given(ARRAYS, st.integers(0, 200), st.binary(max_size=5))
def test_files_of_another_length_are_damaged(array: np.ndarray, cut: int, more: bytes) -> None:
    data = idx_file(array)
    broken = data[: max(0, len(data) - cut)] + more
    if len(broken) != len(data):
        kept_its_kind = broken[:3] == data[:3]  # or what follows may say another
        with pytest.raises(DamagedPictureError if kept_its_kind else (DamagedPictureError, UnsupportedPictureError)):
            parse_idx(broken)


@given(st.binary(max_size=64))
@settings(max_examples=300)
def test_whatever_the_bytes_only_our_errors_come(data: bytes) -> None:
    for content in (data, b"\0\0\x08" + data, gzip.compress(data), gzip.compress(data)[:-3]):
        try:
            found = parse_idx(content)
        except ArchivaeError:
            continue
        assert idx_file(found) in (content, b"\0\0\x08" + data, data)


def test_a_header_that_promises_terabytes_costs_nothing() -> None:
    with pytest.raises(DamagedPictureError, match="expected 18446744065119617025 samples"):
        parse_idx(b"\0\0\x08\x02" + b"\xff" * 8)


def test_other_types_are_named() -> None:
    with pytest.raises(UnsupportedPictureError, match="type 8, uint8, found type 13"):
        parse_idx(idx_file(np.zeros(2, np.uint8), 13))
    assert not is_idx(idx_file(np.zeros(2, np.uint8), 13))
