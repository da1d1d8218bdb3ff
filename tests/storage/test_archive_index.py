from __future__ import annotations

import io
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from archivae.errors import StorageError
from archivae.storage import own_path, read_object, scratch_of, write_object
from archivae.storage import ranged_file as ranged
from archivae.storage.archive_index import ROW_GROUP_BYTES, ArchiveIndex, IndexRow, merge_rows, write_index

ROW = IndexRow("a/b.jpg", 3, 512, 1234, 480, 640, 0xFFFFFFFF, 33.5, bytes(range(32)))

rows = st.builds(
    IndexRow,
    name=st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=40),
    shard=st.integers(0, 2**31 - 2),
    offset=st.integers(0, 2**63 - 1),
    length=st.integers(0, 2**63 - 1),
    height=st.integers(1, 2**32 - 1),
    width=st.integers(1, 2**32 - 1),
    crc=st.integers(0, 2**32 - 1),
    quality=st.integers(0, 25600).map(lambda steps: steps / 256),
    sha256=st.binary(min_size=32, max_size=32),
)


def many(count: int, shard: int = 0) -> list[IndexRow]:
    """Rows that hardly compress."""
    return [
        replace(ROW, name=f"{n:06}/{hash((n, 7)) & 0xFFFFFFFF:08x}" * 20, shard=shard, offset=n) for n in range(count)
    ]


def written(place: str, content: list[IndexRow]) -> str:
    uri = own_path(place, "index.parquet")
    write_index(uri, content, place)
    return uri


@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(st.lists(rows, max_size=20, unique_by=lambda row: row.name))
def test_rows_come_back_and_are_found(tmp_path: Path, content: list[IndexRow]) -> None:
    content.sort(key=lambda row: row.name)
    index = ArchiveIndex(written(str(tmp_path), content))
    assert list(index.rows()) == content and len(index) == len(content)
    assert index.shards == max((row.shard + 1 for row in content), default=0)
    assert all(index.find(row.name) == row for row in content)
    assert index.find("\U0010ffff!") is None and index.find("") is None


def test_the_same_rows_make_the_same_bytes(tmp_path: Path) -> None:
    one, two = (read_object(written(str(tmp_path / name), many(100))) for name in ("one", "two"))
    assert one == two


def test_a_name_is_found_with_one_footer_and_one_row_group(place: str, monkeypatch: pytest.MonkeyPatch) -> None:
    content = many(9000)
    uri = written(place, content)
    asked: list[tuple[int, int]] = []
    read_range = ranged.read_range

    def count(uri: str, offset: int, length: int) -> bytes:
        asked.append((offset, length))
        return read_range(uri, offset, length)

    monkeypatch.setattr(ranged, "read_range", count)
    index = ArchiveIndex(uri)
    assert index.groups > 2 and len(asked) == 1, "the footer is read once"
    assert index.find(content[4567].name) == content[4567]
    assert len(asked) == 2 and asked[1][1] <= ROW_GROUP_BYTES
    assert index.find(content[4568].name) == content[4568] and len(asked) == 2
    assert index.find("zzz") is None


def test_a_footer_larger_than_the_first_read_is_read_whole(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("archivae.storage.archive_index._TAIL", 64)
    content = many(50)
    assert list(ArchiveIndex(written(str(tmp_path), content)).rows()) == content


def test_no_row_group_is_larger_than_promised(tmp_path: Path) -> None:
    metadata = pa.parquet.read_metadata(written(str(tmp_path), many(9000)))
    groups = [metadata.row_group(number) for number in range(metadata.num_row_groups)]
    sizes = [sum(group.column(n).total_compressed_size for n in range(group.num_columns)) for group in groups]
    assert len(sizes) > 2 and max(sizes) <= ROW_GROUP_BYTES
    assert all(group.total_byte_size <= ROW_GROUP_BYTES for group in groups)


def test_rows_out_of_order_are_refused(tmp_path: Path) -> None:
    for content in ([ROW, ROW], [ROW, replace(ROW, name="a")]):
        with pytest.raises(StorageError, match="sorted by name"):
            written(str(tmp_path), content)
    assert not (tmp_path / "_archivae/index.parquet").exists()


def test_merging_keeps_order_and_the_later_shard() -> None:
    old = [replace(ROW, name=name, shard=0) for name in "ace"]
    new = [replace(ROW, name=name, shard=1) for name in "bcd"]
    found = list(merge_rows([old, new]))
    assert [(row.name, row.shard) for row in found] == [("a", 0), ("b", 1), ("c", 1), ("d", 1), ("e", 0)]


def _parquet(table: pa.Table) -> bytes:
    sink = io.BytesIO()
    pa.parquet.write_table(table, sink)
    return sink.getvalue()


@pytest.mark.parametrize(
    "data", [b"", b"PAR1", b"x" * 100, _parquet(pa.table({"name": ["a"]})), b"\xff\xff\xff\x7fPAR1"]
)
def test_what_is_no_index_is_named(place: str, data: bytes) -> None:
    uri = own_path(place, "index.parquet")
    write_object(uri, data, scratch=scratch_of(place))
    with pytest.raises(StorageError, match="archivae reindex"):
        ArchiveIndex(uri)


def test_no_index_at_all(place: str) -> None:
    with pytest.raises(StorageError, match="archivae reindex"):
        ArchiveIndex(own_path(place, "index.parquet"))


@settings(max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(st.data())
def test_a_damaged_index_gives_right_rows_or_an_error(tmp_path: Path, data: st.DataObject) -> None:
    """Pages carry checksums."""
    content = many(30)
    uri = written(str(tmp_path), content)
    whole = bytearray(read_object(uri))
    footer = len(whole) - 8 - int.from_bytes(whole[-8:-4], "little")
    whole[data.draw(st.integers(4, footer - 1))] ^= data.draw(st.integers(1, 255))
    Path(uri).write_bytes(whole)
    with suppress(StorageError):
        assert list(ArchiveIndex(uri).rows()) == content


@settings(max_examples=300, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(st.data())
def test_a_damaged_footer_is_an_error_or_of_no_consequence(tmp_path: Path, data: st.DataObject) -> None:
    uri = written(str(tmp_path), many(30))
    whole = bytearray(read_object(uri))
    footer = len(whole) - 8 - int.from_bytes(whole[-8:-4], "little")
    for _ in range(data.draw(st.integers(1, 3))):
        whole[data.draw(st.integers(footer, len(whole) - 1))] ^= data.draw(st.integers(1, 255))
    Path(uri).write_bytes(whole)
    with suppress(StorageError):
        index = ArchiveIndex(uri)
        index.find("000007")
        assert all(isinstance(row, IndexRow) for row in index.rows())


@pytest.mark.parametrize(
    "changed",
    [
        {"shard": -1}, {"offset": -5}, {"length": -1}, {"quality": float("nan")},
        {"quality": float("inf")}, {"quality": -1.0}, {"quality": 100.5},
    ],
)  # fmt: skip
def test_rows_with_numbers_that_no_archive_has_are_refused(changed: dict[str, float], tmp_path: Path) -> None:
    """Also by all that reads an index: what is to be taken out is not written down from such a row."""
    uri = written(str(tmp_path), [*many(3), replace(many(4)[3], **changed)])
    with pytest.raises(StorageError, match="reindex"):
        list(ArchiveIndex(uri).rows())
