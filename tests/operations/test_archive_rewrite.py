"""Pictures taken out of an archive for good, whatever kills that, and newer ones in place of older ones."""

from __future__ import annotations

import json
import sys
from dataclasses import replace
from pathlib import Path

import pytest

import archivae
from archivae.errors import DestinationError, StorageError
from archivae.operations import archive_pack, archive_rewrite
from archivae.operations.archive_pack import publish_round
from archivae.operations.archive_reindex import reindex
from archivae.operations.archive_rewrite import finish_rewrite, remove
from archivae.operations.archive_verify import check_picture, check_shards
from archivae.operations.names import archive_name, kept_name
from archivae.storage import (
    ManifestRow,
    join,
    read_fragment,
    read_fragments,
    read_object,
    scratch_of,
    write_fragment,
    write_object,
)
from archivae.storage.archive_index import ArchiveIndex
from archivae.storage.archive_layout import index_uri, list_shards, shard_number, shard_uri
from archivae.storage.archive_plan import next_shard, pending_round
from archivae.storage.archive_rewrite import Rewrite, Taken, read_rewrite, write_rewrite
from archivae.storage.escaping import escape_name
from archivae.storage.fence import Fence
from tests.archives import NAMES, avae, fingerprints, make_archive, pictures, plan, put_members

PICTURES = pictures()
GONE = NAMES[1]


@pytest.fixture(params=["local", "gcs"])
def archive(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    uri = f"{request.getfixturevalue('gcs')}/archive" if request.param == "gcs" else str(tmp_path / "archive")
    return two_shards(uri)


def two_shards(uri: str) -> str:
    """`NAMES` in two shards, with their rows in two fragments of the manifest."""
    make_archive(uri, [{name: PICTURES[name] for name in NAMES[:3]}, {name: PICTURES[name] for name in NAMES[3:]}])
    record(uri, *NAMES[:2])
    record(uri, *NAMES[2:])
    return uri


def record(uri: str, *names: str) -> None:
    index = ArchiveIndex(index_uri(uri))
    write_fragment(uri, [manifest_row(uri, name, index) for name in names])


def manifest_row(uri: str, name: str, index: ArchiveIndex) -> ManifestRow:
    found = index.find(name)
    assert found is not None
    return ManifestRow(
        source=f"/source/{name}", name=name, bytes=1000, sha256=found.sha256.hex(), fingerprint="local:1000:1", height=8,
        width=8, status="done", archive=shard_uri(uri, found.shard), operation="encode", run="run", written=1.0,
    )  # fmt: skip


def rows_of(uri: str) -> dict[str, ManifestRow]:
    return {row.name: row for fragment in read_fragments(uri) for row in read_fragment(fragment)}


def check(uri: str, expected: dict[str, bytes]) -> None:
    """The archive holds these pictures and nothing else, and index, manifest and shards agree."""
    opened = archivae.open_archive(uri)
    assert {name: opened.read(name) for name in opened} == expected
    rows = list(opened.index.rows())
    assert [*check_shards(uri, rows)] == [] and not [p for row in rows for p in check_picture(uri, row, opened.codec)]
    assert {name: shard_number(row.archive) for name, row in rows_of(uri).items()} == {
        row.name: row.shard for row in rows
    }
    assert read_rewrite(uri) is None and not [name for name in fingerprints(uri) if "/round/" in name]
    before = read_object(index_uri(uri))
    assert reindex(uri).damage == () and read_object(index_uri(uri)) == before


def left(*gone: str) -> dict[str, bytes]:
    return {name: data for name, data in PICTURES.items() if name not in gone}


def everything(uri: str) -> bytes:
    return b"".join(read_object(f"{uri}/{name}") for name in fingerprints(uri) if not name.endswith(".parquet"))


def test_a_picture_that_is_removed_is_nowhere(archive: str) -> None:
    other = fingerprints(archive)["shard-00001.tar"]
    assert remove(archive, [GONE, "nope"], Fence(archive)) == ["nope"]
    check(archive, left(GONE))
    assert list(list_shards(archive)) == [1, 2] and fingerprints(archive)["shard-00001.tar"] == other
    assert PICTURES[GONE] not in everything(archive)
    assert remove(archive, [GONE], Fence(archive)) == [GONE]
    check(archive, left(GONE))


def test_no_number_is_given_twice(archive: str) -> None:
    assert remove(archive, NAMES[3:], Fence(archive)) == []
    assert next_shard(archive) == 3, "the last shard went: its number must not come again"
    check(archive, left(*NAMES[3:]))
    assert remove(archive, NAMES, Fence(archive)) == sorted(NAMES[3:])
    check(archive, {})
    assert next_shard(archive) == 4


class Killed(BaseException):
    """No clean-up may catch it."""


STEPS = ("write_rewrite", "create_fenced", "replace_fenced", "delete_if", "end_rewrite", "clear_own")


@pytest.mark.parametrize("step", range(9))
def test_killed_before_any_change_it_is_run_again(step: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    uri, names = two_shards(str(tmp_path / "archive")), [NAMES[0], GONE, NAMES[3]]
    with monkeypatch.context() as patch:
        kill_at(step, patch)
        with pytest.raises(Killed):
            remove(uri, names, Fence(uri))
    opened = archivae.open_archive(uri)
    assert all(opened.read(name) == PICTURES[name] for name in left(*names)), "what stays can be read at any time"
    assert set(remove(uri, names, Fence(uri))) <= {*names}
    check(uri, left(*names))
    assert all(PICTURES[name] not in everything(uri) for name in names)


def test_whatever_job_comes_next_finishes_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    uri = two_shards(str(tmp_path / "archive"))
    for step in (1, 2, 3, 4):
        with monkeypatch.context() as patch, pytest.raises(Killed):
            kill_at(step, patch)
            remove(uri, [NAMES[step]], Fence(uri))
        finish_rewrite(uri, Fence(uri))
        check(uri, left(*NAMES[1 : step + 1]))


def kill_at(step: int, patch: pytest.MonkeyPatch) -> None:
    steps = [step]

    def dying(function):  # type: ignore[no-untyped-def]
        def call(*arguments, **options):  # type: ignore[no-untyped-def]
            if steps[0] == 0:
                raise Killed
            steps[0] -= 1
            return function(*arguments, **options)

        return call

    for module in (archive_rewrite, archive_pack):
        for name in STEPS:
            if hasattr(module, name):
                patch.setattr(module, name, dying(getattr(module, name)))


def test_an_index_made_anew_half_way_does_not_bring_it_back(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    uri = two_shards(str(tmp_path / "archive"))
    with monkeypatch.context() as patch, pytest.raises(Killed):
        kill_at(5, patch)
        remove(uri, [GONE], Fence(uri))
    reindex(uri)
    finish_rewrite(uri, Fence(uri))
    check(uri, left(GONE))


def test_a_shard_that_no_index_names_keeps_nothing_either(archive: str) -> None:
    write_object(shard_uri(archive, 7), read_object(shard_uri(archive, 0)), scratch=scratch_of(archive))
    assert remove(archive, [GONE], Fence(archive)) == []
    assert PICTURES[GONE] not in everything(archive)


def test_damage_in_a_shard_stops_it_before_anything_is_lost(archive: str) -> None:
    row = ArchiveIndex(index_uri(archive)).find(NAMES[0])
    assert row is not None
    spoilt = bytearray(read_object(shard_uri(archive, 0)))
    spoilt[row.offset + row.length // 2] ^= 1
    write_object(shard_uri(archive, 0), bytes(spoilt), scratch=scratch_of(archive))
    with pytest.raises(StorageError, match="archivae reindex leaves out"):
        remove(archive, [GONE], Fence(archive))
    assert archivae.open_archive(archive).read(NAMES[2]) == PICTURES[NAMES[2]]
    reindex(archive)
    finish_rewrite(archive, Fence(archive))
    opened = archivae.open_archive(archive)
    assert {name: opened.read(name) for name in opened} == left(NAMES[0], GONE)


def test_an_unfinished_job_comes_first(archive: str) -> None:
    plan(archive, [["x"]], first=2)
    with pytest.raises(DestinationError, match="unfinished"):
        remove(archive, [GONE], Fence(archive))
    assert archivae.open_archive(archive).read(GONE) == PICTURES[GONE]


@pytest.mark.parametrize("kill", ["", "intent", "row", "end"])
def test_of_single_files_the_file_and_its_rows_go(kill: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    uri = str(tmp_path / "archive")
    for seed, name in enumerate(NAMES):
        write_object(join(uri, archive_name(name)), avae(seed), scratch=scratch_of(uri))
        row = ManifestRow(
            source=f"/source/{name}", name=name, bytes=1, sha256="", fingerprint="", height=8, width=8, status="done",
            archive=join(uri, archive_name(name)), operation="encode", run="run", written=1.0,
        )  # fmt: skip
        write_fragment(uri, [row, replace(row, name="a.png", source="/source/a.png")] if name == GONE else [row])
    if kill:
        with monkeypatch.context() as patch, pytest.raises(Killed):
            kill_at({"intent": 0, "row": 1, "end": 2}[kill], patch)
            remove(uri, [GONE, "nope"], Fence(uri))
    assert remove(uri, [GONE, "nope"], Fence(uri)) in (["nope"], sorted([GONE, "nope"]))
    assert {name for name in fingerprints(uri) if name.endswith(".avae")} == {f"{name}.avae" for name in left(GONE)}
    assert rows_of(uri).keys() == left(GONE).keys() and read_rewrite(uri) is None
    assert remove(uri, [GONE], Fence(uri)) == [GONE]


ODD = "a\nb.png"
LOOKS_ESCAPED = "a%{0a}b.png"


@pytest.mark.parametrize(
    ("asked", "goes"), [(ODD, ODD), (escape_name(ODD), ODD), (escape_name(LOOKS_ESCAPED), LOOKS_ESCAPED)]
)
@pytest.mark.parametrize("shards", [True, False])
def test_a_picture_with_an_odd_name_goes_by_its_own_name_or_the_archived_one(
    shards: bool, asked: str, goes: str, tmp_path: Path
) -> None:
    uri, names = str(tmp_path / "archive"), [ODD, "c.png"] if goes == ODD else [LOOKS_ESCAPED, "c.png"]
    files = {name: avae(seed) for seed, name in enumerate(names)}
    put_odd(uri, files, shards)
    assert remove(uri, [asked, "nope\n"], Fence(uri)) == ["nope\n"]
    assert rows_of(uri).keys() == {"c.png"} and files[goes] not in everything(uri)
    assert files["c.png"] in everything(uri)
    assert remove(uri, [asked], Fence(uri)) == [asked]


@pytest.mark.parametrize("shards", [True, False])
def test_of_two_pictures_that_a_name_may_mean_the_source_s_own_goes(shards: bool, tmp_path: Path) -> None:
    uri, files = str(tmp_path / "archive"), {ODD: avae(1), LOOKS_ESCAPED: avae(2)}
    put_odd(uri, files, shards)
    assert remove(uri, [LOOKS_ESCAPED], Fence(uri)) == []
    assert (
        rows_of(uri).keys() == {ODD} and files[ODD] in everything(uri) and files[LOOKS_ESCAPED] not in everything(uri)
    )


def test_the_rows_of_odd_names_follow_the_index(tmp_path: Path) -> None:
    uri, files = str(tmp_path / "archive"), {ODD: avae(1), "c.png": avae(2)}
    put_odd(uri, files, True)
    assert remove(uri, ["c.png"], Fence(uri)) == []
    found = ArchiveIndex(index_uri(uri)).find(escape_name(ODD))
    assert found is not None and rows_of(uri)[ODD].archive == shard_uri(uri, found.shard)
    assert archivae.open_archive(uri).read(ODD) == files[ODD]


def put_odd(uri: str, files: dict[str, bytes], shards: bool) -> None:
    """Pictures by their sources' names, in one shard or as single files, with their rows."""
    if shards:
        make_archive(uri, [files])
        index = ArchiveIndex(index_uri(uri))
        rows = [replace(manifest_row(uri, escape_name(name), index), name=name, source=f"/s/{name}") for name in files]
    else:
        rows = []
        for name, data in files.items():
            place = join(uri, archive_name(name))
            write_object(place, data, scratch=scratch_of(uri))
            row = ManifestRow(
                source=f"/s/{name}", name=name, bytes=1, sha256="", fingerprint="", height=8, width=8, status="done",
                archive=place, operation="encode", run="run", written=1.0,
            )  # fmt: skip
            rows.append(row)
    write_fragment(uri, rows)


@pytest.mark.parametrize("keep", [True, False])
@pytest.mark.parametrize("step", range(8))
def test_a_newer_picture_takes_the_place_of_an_older_one(
    keep: bool, step: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Killed at any step, too."""
    uri = two_shards(str(tmp_path / "archive"))
    fence, newer = Fence(uri), avae(77)
    old = ArchiveIndex(index_uri(uri)).find(GONE)
    assert old is not None
    version = kept_name(GONE, old.sha256)
    write_rewrite(fence, Rewrite(3, (Taken(old, version if keep else ""),)))
    made = plan(uri, [[GONE]], first=2)
    finish_rewrite(uri, fence)
    assert read_rewrite(uri) is not None and archivae.open_archive(uri).read(GONE) == PICTURES[GONE]
    put_members(uri, 2, {GONE: newer})
    archive_pack.pack_shard(uri, 2, [GONE])

    def publish() -> None:
        publish_round(uri, made, fence)
        finish_rewrite(uri, fence)

    with monkeypatch.context() as patch:
        kill_at(step, patch)
        with pytest.raises(Killed):
            publish()
            raise Killed  # fewer steps than that
    assert archivae.open_archive(uri).read(GONE) in (PICTURES[GONE], newer)
    if pending_round(uri, fence) is not None:
        publish_round(uri, made, fence)
    finish_rewrite(uri, fence)
    record(uri, GONE)
    check(uri, {**PICTURES, GONE: newer} | ({version: PICTURES[GONE]} if keep else {}))
    assert 0 not in list_shards(uri)


def test_what_replaced_nothing_is_forgotten(archive: str) -> None:
    old = ArchiveIndex(index_uri(archive)).find(GONE)
    assert old is not None
    write_rewrite(Fence(archive), Rewrite(3, (Taken(old),)))
    finish_rewrite(archive, Fence(archive))
    check(archive, PICTURES)


ROW = {
    "name": "a.png", "shard": 0, "offset": 512, "length": 9, "height": 8, "width": 8, "crc": 1, "quality": 0.0,
    "sha256": "0" * 64,
}  # fmt: skip
NO_ROWS = [
    {"shard": -1}, {"shard": 2**31}, {"offset": 2**63}, {"length": 10**30}, {"height": 2**32}, {"crc": 2**32},
    {"quality": "x"}, {"quality": float("nan")}, {"sha256": "ab"}, {"sha256": 5}, {"name": 5}, {"name": "\ud800"}, {"new": 1},
]  # fmt: skip
NO_REWRITES = [
    {"first": float("inf")}, {"first": float("nan")}, {"first": -1}, {"first": 10**9}, {"first": 10**5000}, {"first": "1"},
    {"first": True}, {"erased": 5}, {"erased": "a.png"}, {"erased": [5]}, {"erased": ["\ud800"]}, {"erased": {"a": 1}},
    {"taken": 5}, {"taken": [None]}, {"taken": [{"row": ROW, "renamed": None}]},
    *({"taken": [{"row": ROW | row, "renamed": ""}]} for row in NO_ROWS),
]  # fmt: skip


def as_json(content: object) -> bytes:
    limit = sys.get_int_max_str_digits()
    sys.set_int_max_str_digits(0)
    try:
        return json.dumps(content).encode()
    finally:
        sys.set_int_max_str_digits(limit)


@pytest.mark.parametrize("changed", NO_REWRITES, ids=range(len(NO_REWRITES)))
def test_numbers_and_names_that_no_archive_has_are_refused(changed: dict[str, object], tmp_path: Path) -> None:
    uri = two_shards(str(tmp_path / "archive"))
    content = {"first": 2, "taken": [{"row": ROW, "renamed": ""}], "erased": [GONE]}
    data = as_json(content | changed)
    write_object(f"{uri}/_archivae/rewrite.json", data, scratch=scratch_of(uri))
    with pytest.raises(StorageError, match="delete it, and give archivae rm its names again"):
        finish_rewrite(uri, Fence(uri))
    assert list(list_shards(uri)) == [0, 1]


@pytest.mark.parametrize("data", [b"", b"{}", b"[]", b'{"taken": [{}], "erased": [], "first": 1}', b"[" * 99_999])
def test_what_is_no_list_of_what_goes(data: bytes, archive: str) -> None:
    write_object(f"{archive}/_archivae/rewrite.json", data, scratch=scratch_of(archive))
    with pytest.raises(StorageError, match="delete it, and give archivae rm its names again"):
        finish_rewrite(archive, Fence(archive))
