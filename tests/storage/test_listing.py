from __future__ import annotations

import csv
import io
import os
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet
import pytest

from archivae.errors import StorageError, UsageError
from archivae.storage import list_source, write_object
from archivae.storage.uri_lists import write_uri_list

TREE = ["a.jpg", "a/1.jpg", "a/2.png", "a/b/3.jpg", "b.jpg", "IMG[1].jpg", "IMG1.jpg", ".hidden.jpg", "é.jpg"]


def _put(place: str, *names: str) -> None:
    for name in names:
        _put_bytes(place, name, name.encode())


def _put_bytes(place: str, name: str, data: bytes) -> str:
    write_object(f"{place}/{name}", data, scratch=f"{place}.scratch")
    return f"{place}/{name}"


def _names(source: str, exclude: str | None = None) -> list[str]:
    return [entry.name for entry in list_source(source, exclude=exclude)]


def test_a_folder_is_listed_whole_in_order_with_literal_names(place: str) -> None:
    _put(place, *TREE)
    for source in (place, f"{place}/"):
        entries = list(list_source(source))
        assert [entry.name for entry in entries] == sorted(TREE)
        assert all(entry.uri == f"{place}/{entry.name}" for entry in entries)
        assert all(entry.size == len(entry.name.encode()) for entry in entries)


@pytest.mark.parametrize(
    ("pattern", "names"),
    [
        ("*.jpg", [".hidden.jpg", "IMG1.jpg", "IMG[1].jpg", "a.jpg", "b.jpg", "é.jpg"]),
        ("IMG*.jpg", ["IMG1.jpg", "IMG[1].jpg"]),
        ("IMG[[]1].jpg", ["IMG[1].jpg"]),
        ("**/*.png", ["a/2.png"]),
        ("**.png", ["a/2.png"]),
        ("a/**/*.jpg", ["1.jpg", "b/3.jpg"]),
        ("a/*", ["1.jpg", "2.png"]),
        ("*/*.jpg", ["a/1.jpg"]),
        ("a/[!1].*", ["2.png"]),
        ("?/b/*", ["a/b/3.jpg"]),
    ],
)
def test_globs_name_from_before_their_first_wildcard(place: str, pattern: str, names: list[str]) -> None:
    _put(place, *TREE)
    assert _names(f"{place}/{pattern}") == names


def test_what_exists_literally_wins_over_its_reading_as_a_glob(place: str) -> None:
    _put(place, "IMG[1].jpg", "IMG1.jpg", "in[1]/x.jpg", "in1/y.jpg")
    assert _names(f"{place}/IMG[1].jpg") == ["IMG[1].jpg"]
    assert _names(f"{place}/in[1]") == ["x.jpg"]
    assert _names(f"{place}/in[1]/*") == ["in1/y.jpg"]


def test_one_object(place: str) -> None:
    _put(place, "a/1.jpg")
    (entry,) = list_source(f"{place}/a/1.jpg")
    assert (entry.uri, entry.name, entry.size) == (f"{place}/a/1.jpg", "1.jpg", 7)


@pytest.mark.parametrize("name", ["nothing", "nothing/", "*.tiff", "[a].jpg", "empty.txt"])
def test_a_source_that_matches_nothing(place: str, name: str) -> None:
    _put(place, "a.gif")
    _put_bytes(place, "empty.txt", b"\n# nothing yet\n")
    with pytest.raises(StorageError, match="found none; check the name"):
        list_source(f"{place}/{name}")


def test_an_empty_source() -> None:
    with pytest.raises(UsageError, match="empty string"):
        list_source("")


def test_our_own_folder_is_left_out_at_every_depth(place: str) -> None:
    _put(place, "1.jpg", "_archivae/models/m", "a/_archivae/x", "a/_archivae2/x")
    assert _names(place) == ["1.jpg", "a/_archivae2/x"]
    assert _names(f"{place}/**") == ["1.jpg", "a/_archivae2/x"]
    assert _names(f"{place}/_archivae/models") == ["m"]


@pytest.mark.parametrize("slash", ["", "/"])
def test_a_destination_inside_the_source_is_left_out(place: str, slash: str) -> None:
    _put(place, "1.jpg", "out/1.avae", "output/2.jpg")
    exclude = f"{place}/out{slash}"
    assert _names(place, exclude) == ["1.jpg", "output/2.jpg"]
    assert _names(f"{place}/**", exclude) == ["1.jpg", "output/2.jpg"]
    listed = _put_bytes(place, "list.txt", b"1.jpg\nout/1.avae\noutput/2.jpg\n")
    assert _names(listed, exclude) == ["1.jpg", "output/2.jpg"]


def test_a_destination_that_is_or_holds_the_source_leaves_nothing_out(place: str) -> None:
    _put(place, "in/1.jpg")
    assert _names(f"{place}/in", f"{place}/in") == ["1.jpg"]
    assert _names(f"{place}/in", place) == ["1.jpg"]
    assert _names(f"{place}/in/*.jpg", f"{place}/in") == ["1.jpg"]


def _text(uris: list[str]) -> bytes:
    return "\r\n".join(["# pictures", "", *uris]).encode("utf-8-sig")


def _csv(uris: list[str]) -> bytes:
    table = io.StringIO()
    csv.writer(table).writerows([["id", "title", "uri"], *([number, "x, y", uri] for number, uri in enumerate(uris))])
    return table.getvalue().encode()


def _parquet(table: pa.Table) -> bytes:
    sink = io.BytesIO()
    pa.parquet.write_table(table, sink)
    return sink.getvalue()


def _dictionary(uris: list[str]) -> bytes:
    return _parquet(pa.table({"id": range(len(uris)), "path": pa.array(uris).dictionary_encode()}))


@pytest.mark.parametrize(
    ("suffix", "encode"),
    [("txt", _text), ("LST", _text), ("csv", _csv), ("parquet", _dictionary)],
)
def test_lists_name_objects_literally_and_missing_ones_too(place: str, suffix: str, encode) -> None:  # type: ignore[no-untyped-def]
    _put(place, "in/a/IMG[1].jpg", "in/a/IMG1.jpg", "in/b c.jpg")
    uris = [f"{place}/in/{name}" for name in ("b c.jpg", "a/IMG[1].jpg", "a/gone*.jpg", "b c.jpg")]
    listed = _put_bytes(place, f"list.{suffix}", encode(uris))
    entries = list(list_source(listed))
    assert [(entry.name, entry.size) for entry in entries] == [
        ("a/IMG[1].jpg", len("in/a/IMG[1].jpg")),
        ("a/gone*.jpg", -1),
        ("b c.jpg", len("in/b c.jpg")),
    ]
    assert [entry.uri for entry in entries] == sorted(set(uris))
    assert entries[1].fingerprint == "missing"


def test_relative_names_in_a_list_start_from_its_folder(place: str, monkeypatch: pytest.MonkeyPatch) -> None:
    _put(place, "in/1.jpg")
    listed = _put_bytes(place, "in/list.txt", b"1.jpg\n")
    monkeypatch.chdir("/")
    assert [(entry.uri, entry.size) for entry in list_source(listed)] == [(f"{place}/in/1.jpg", 8)]


@pytest.mark.parametrize(
    ("name", "data", "message"),
    [
        ("l.csv", b"id,n\n1,2\n", "column 'uri' of strings, found 'id' .int64., 'n' .int64."),
        ("l.csv", b"", "readable .csv table"),
        ("l.csv", b"gs://b/1.jpg\ngs://b/2.jpg\n", "begin with its columns' names"),
        ("l.csv", b"1.jpg\n2.jpg\n", "begin with its columns' names"),
        ("l.parquet", b"PAR1 torn", "readable .parquet table"),
        ("l.parquet", _parquet(pa.table({"uri": [1], "other": ["x"]})), "column 'uri' of strings"),
        ("l.txt", b"\xff\xfe", "UTF-8"),
        ("l.txt", b"/a.jpg\ngs://b/a.jpg\n", "one kind of storage"),
    ],
)
def test_a_list_that_is_none(place: str, name: str, data: bytes, message: str) -> None:
    listed = _put_bytes(place, name, data)
    with pytest.raises(UsageError, match=message):
        list_source(listed)


def test_numbers_for_names_stay_as_they_are_spelled(place: str) -> None:
    _put(place, "0001")
    listed = _put_bytes(place, "list.csv", b"uri\n0001\n")
    assert [(entry.name, entry.size) for entry in list_source(listed)] == [("0001", 4)]


def test_brackets_in_the_working_folder_are_no_wildcards(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "in[1]").mkdir()
    (tmp_path / "in[1]" / "1.jpg").touch()
    monkeypatch.chdir(tmp_path / "in[1]")
    assert _names("*.jpg") == ["1.jpg"]
    assert _names(".") == ["1.jpg"]
    assert _names("./[1].jpg") == ["1.jpg"]


def test_a_destination_reached_through_a_link_is_left_out(tmp_path: Path) -> None:
    _put(str(tmp_path / "in"), "1.jpg", "out/1.avae")
    (tmp_path / "link").symlink_to(tmp_path / "in")
    assert _names(str(tmp_path / "link"), str(tmp_path / "in" / "out")) == ["1.jpg"]


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_a_folder_that_may_not_be_read_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "closed").mkdir(mode=0)
    with pytest.raises(StorageError, match="cannot list"):
        list(list_source(str(tmp_path)))


def test_a_list_may_name_its_objects_itself(tmp_path: Path) -> None:
    for name in ("one/a.png", "two/a.png", "two/b.png"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes(b"x")
    names = {str(tmp_path / "one" / "a.png"): "first", str(tmp_path / "two" / "a.png"): "deep/second"}
    write_uri_list(str(tmp_path / "chosen.parquet"), names, str(tmp_path / "scratch"))
    found = list(list_source(str(tmp_path / "chosen.parquet")))
    assert {entry.uri: entry.name for entry in found} == names
    assert all(entry.size == 1 for entry in found)
