from __future__ import annotations

import io
import math
import pickle
from dataclasses import asdict, fields, replace

import pyarrow as pa
import pyarrow.parquet
import pytest
from apache_beam.coders import FastPrimitivesCoder

from archivae.errors import StorageError, UsageError
from archivae.storage import ManifestRow, read_fragment, read_fragments, read_manifest, write_fragment, write_object
from archivae.storage.manifest import SCHEMA

ROW = ManifestRow(
    source="gs://b/IMG[1] é.jpg",
    name="IMG[1] é.jpg",
    bytes=5_000_000_000,
    sha256="00" * 32,
    fingerprint="gcs:1:AAAAAA==",
    height=512,
    width=768,
    status="done",
    coding="lossless",
    archive="gs://out/IMG[1] é.jpg.avae",
    archive_bytes=1000,
    bpp=0.02,
    psnr=math.inf,
    quality=60.0,
    model="m1",
    operation="encode",
    options='{"quality":60}',
    lost=("XMP",),
    changed=("8 bit",),
    said=("stored losslessly: smaller so",),
    error="",
    run="run-1",
    seconds=0.5,
    written=1_790_000_000.25,
)


def _put(place: str, name: str, data: bytes) -> str:
    uri = f"{place}/_archivae/manifest/{name}"
    write_object(uri, data, scratch=f"{place}/_archivae/tmp")
    return uri


def _parquet(table: pa.Table) -> bytes:
    sink = io.BytesIO()
    pa.parquet.write_table(table, sink)
    return sink.getvalue()


def test_the_schema_has_the_fields_of_a_row_in_their_order() -> None:
    assert SCHEMA.names == [field.name for field in fields(ManifestRow)]


def test_rows_come_back_as_they_were(place: str) -> None:
    failed = ManifestRow(
        source="gs://b/2", name="2", bytes=0, sha256="", fingerprint="missing", height=0, width=0, status="failed",
        operation="encode", error="gone", run="run-1", written=2.0,
    )  # fmt: skip
    uri = write_fragment(place, [ROW, failed])
    assert uri.startswith(f"{place}/_archivae/manifest/20260921T141320.250000Z-")
    assert read_fragments(place) == [uri]
    assert read_fragment(uri) == [ROW, failed]


def test_rows_travel_through_pickle_and_beam() -> None:
    assert pickle.loads(pickle.dumps(ROW)) == ROW
    coder = FastPrimitivesCoder()
    assert coder.decode(coder.encode(ROW)) == ROW


def test_the_manifest_is_the_union_with_the_newest_row_of_each_source(place: str) -> None:
    newer, other = replace(ROW, written=ROW.written + 1, run="run-2"), replace(ROW, source="gs://b/other")
    older = replace(ROW, written=ROW.written - 1, run="run-0")
    write_fragment(place, [newer])
    write_fragment(place, [ROW, other])
    write_fragment(place, [older])
    assert read_manifest(place) == {ROW.source: newer, other.source: other}


def test_there_is_no_manifest_yet(place: str) -> None:
    assert read_fragments(place) == []
    assert read_manifest(place) == {}


def test_fragments_are_listed_oldest_first_and_other_files_ignored(place: str) -> None:
    late = write_fragment(place, [replace(ROW, written=2e9)])
    early = write_fragment(place, [replace(ROW, written=1e9)])
    _put(place, "README.txt", b"hello")
    _put(place, "old/x.parquet", b"not looked at")
    assert read_fragments(place) == [early, late]


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"PAR1",
        _parquet(pa.table({"a": [1]})),
        _parquet(pa.Table.from_pylist([{**asdict(ROW), "status": "maybe"}])),
        _parquet(pa.Table.from_pylist([{**asdict(ROW), "run": None}])),
        _parquet(pa.Table.from_pylist([{**asdict(ROW), "height": "tall"}])),
    ],
)
def test_a_torn_or_foreign_fragment_is_named(place: str, data: bytes) -> None:
    uri = _put(place, "x[1].parquet", data)
    with pytest.raises(StorageError) as caught:
        read_manifest(place)
    assert repr(uri) in str(caught.value)
    assert "move it out of the folder" in str(caught.value)


def test_a_cut_fragment_is_named(place: str) -> None:
    sink = io.BytesIO()
    pa.parquet.write_table(pa.Table.from_pylist([asdict(ROW)], schema=SCHEMA), sink)
    for cut in (4, len(sink.getvalue()) // 2, len(sink.getvalue()) - 1):
        uri = _put(place, "cut.parquet", sink.getvalue()[:cut])
        with pytest.raises(StorageError, match=r"cut\.parquet"):
            read_fragment(uri)


def test_fragments_from_before_restoration_are_read(place: str) -> None:
    older = pa.Table.from_pylist([asdict(ROW)], schema=SCHEMA).drop_columns(["tasks", "strengths"])
    assert read_fragment(_put(place, "older.parquet", _parquet(older))) == [ROW]


def test_notes_of_before_their_kinds_count_as_lost(place: str) -> None:
    row = asdict(ROW)
    table = pa.Table.from_pylist([row], schema=SCHEMA).drop_columns(["lost", "changed", "said"])
    notes = pa.array([["orientation 6 applied", "comment not kept"]], pa.list_(pa.string()))
    older = _put(place, "older.parquet", _parquet(table.append_column("notes", notes)))
    assert read_fragment(older) == [
        replace(ROW, lost=("orientation 6 applied", "comment not kept"), changed=(), said=())
    ]


def test_what_was_restored_comes_back(place: str) -> None:
    row = replace(ROW, operation="restore", tasks=("dejpeg", "lowlight"), strengths=(30.0, 1.5))
    assert read_fragment(write_fragment(place, [row])) == [row]


def test_one_name_that_is_no_unicode_does_not_lose_the_bundle(place: str) -> None:
    uri = write_fragment(place, [replace(ROW, source="/in/\udcff.jpg", lost=("\udcff",)), ROW])
    assert [row.source for row in read_fragment(uri)] == ["/in/\udcff.jpg", ROW.source]


def test_no_rows_are_no_fragment(place: str) -> None:
    with pytest.raises(UsageError, match="at least one row"):
        write_fragment(place, [])


@pytest.mark.parametrize("field", ["status", "coding", "operation"])
def test_a_row_checks_its_words(field: str) -> None:
    with pytest.raises(UsageError, match=f"expected {field} to be one of"):
        replace(ROW, **{field: "other"})
