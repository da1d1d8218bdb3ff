"""Shards are packed, indexed and found again, whatever kills or damages them."""

from __future__ import annotations

import io
import subprocess
import tarfile
from pathlib import Path

import pytest

from archivae.bitstream import read_bitstream
from archivae.errors import StorageError
from archivae.operations import archive_pack
from archivae.operations.archive_pack import pack_shard, publish_round
from archivae.operations.archive_reindex import reindex
from archivae.storage import join, own_path, read_object, scratch_of, write_object
from archivae.storage.archive_index import ArchiveIndex
from archivae.storage.archive_layout import index_uri, members_folder, packed_uri, shard_uri
from archivae.storage.archive_plan import next_shard, pending_round
from archivae.storage.fence import Fence
from archivae.storage.objects import delete_object
from tests.archives import NAMES, avae, fingerprints, listed, make_archive, pictures, plan, put_members

PICTURES = pictures()


@pytest.fixture(params=["local", "gcs"])
def place(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    return f"{request.getfixturevalue('gcs')}/place" if request.param == "gcs" else str(tmp_path / "place")


@pytest.fixture
def archive(tmp_path: Path) -> str:
    """Two shards of `NAMES`."""
    uri = str(tmp_path / "archive")
    make_archive(uri, [{name: PICTURES[name] for name in NAMES[:3]}, {name: PICTURES[name] for name in NAMES[3:]}])
    return uri


def test_a_shard_holds_its_members_and_the_index_says_where(place: str) -> None:
    make_archive(place, [PICTURES])
    assert fingerprints(place).keys() == {"shard-00000.tar", "_archivae/index.parquet"}
    data = read_object(shard_uri(place, 0))
    with tarfile.open(fileobj=io.BytesIO(data)) as file:
        assert {info.name: file.extractfile(info).read() for info in file} == {  # type: ignore[union-attr]
            f"{name}.avae": content for name, content in PICTURES.items()
        }
    rows = {row.name: row for row in ArchiveIndex(index_uri(place)).rows()}
    assert list(rows) == sorted(NAMES)
    for name, row in rows.items():
        assert data[row.offset : row.offset + row.length] == PICTURES[name]
        stream = read_bitstream(PICTURES[name])
        assert (row.shard, row.height, row.width, row.sha256) == (0, 8, 8, stream.source_sha256)


def test_storage_does_not_matter_to_the_bytes(gcs: str, tmp_path: Path) -> None:
    for place in (gcs, str(tmp_path)):
        make_archive(place, [PICTURES])
    for uri in (shard_uri, lambda place, _: index_uri(place)):
        assert read_object(uri(gcs, 0)) == read_object(uri(str(tmp_path), 0))


def test_webdataset_reads_a_shard(archive: str) -> None:
    webdataset = pytest.importorskip("webdataset")
    samples = list(webdataset.WebDataset(f"{archive}/shard-00001.tar", shardshuffle=False))
    assert [sample["__key__"] for sample in samples] == ["c", "c/d"]
    assert [sample["png.avae"] for sample in samples] == [PICTURES["c.png"], PICTURES["c/d.png"]]


def test_tar_unpacks_a_shard(archive: str, tmp_path: Path) -> None:
    subprocess.run(["tar", "-xf", f"{archive}/shard-00000.tar", "-C", str(tmp_path)], check=True)
    for name in NAMES[:3]:
        assert (tmp_path / f"{name}.avae").read_bytes() == PICTURES[name]


def test_of_no_members_no_shard_is_made_but_the_round_ends(place: str) -> None:
    made = plan(place, [["a"], ["b"]])
    put_members(place, 1, {"b": avae()})
    assert (pack_shard(place, 0, []), pack_shard(place, 1, ["b"])) == (0, 1)
    publish_round(place, made)
    assert fingerprints(place).keys() == {"shard-00001.tar", "_archivae/index.parquet"}


def test_a_round_is_not_published_before_its_shards_are(place: str) -> None:
    made = plan(place, [["a"], ["b"]])
    put_members(place, 1, {"b": avae()})
    pack_shard(place, 1, ["b"])
    with pytest.raises(StorageError, match=r"missing \[0\]"):
        publish_round(place, made)


def test_what_is_done_twice_is_done_once(place: str) -> None:
    made = plan(place, [["a"]])
    put_members(place, 0, {"a": avae()})
    assert pack_shard(place, 0, ["a"]) == 1 and pack_shard(place, 0, []) == 0
    publish_round(place, made)
    before = fingerprints(place)
    publish_round(place, made)
    assert fingerprints(place) == before


def test_a_damaged_member_is_deleted_so_that_the_next_run_makes_it_anew(place: str) -> None:
    plan(place, [["a", "b"]])
    put_members(place, 0, {"a": avae(), "b": avae()[:-1]})
    with pytest.raises(StorageError, match="run again"):
        pack_shard(place, 0, ["a", "b"])
    assert "shard-00000.tar" not in fingerprints(place)
    put_members(place, 0, {"b": avae()})
    with pytest.raises(StorageError):
        read_object(join(members_folder(place, 0), "b.avae.gone"))
    assert pack_shard(place, 0, ["a", "b"]) == 2


class Killed(BaseException):
    """No clean-up may catch it."""


@pytest.mark.parametrize("step", range(14))
def test_killed_between_any_two_steps_the_next_run_ends_the_same(
    step: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Every change of the storage is a step; the job dies before one of them."""
    whole, killed = str(tmp_path / "whole"), str(tmp_path / "killed")
    halves = [{name: PICTURES[name] for name in names} for names in (NAMES[:3], NAMES[3:])]
    make_archive(whole, halves)
    made = plan(killed, [NAMES[:3], NAMES[3:]])
    for shard, half in enumerate(halves):
        put_members(killed, shard, half)
    with monkeypatch.context() as patch:
        _die_at(step, patch)
        with pytest.raises(Killed):
            _pack(killed, made, halves)
            raise Killed  # fewer steps than that
    again = pending_round(killed)
    if again is not None:
        _pack(killed, again, halves)
    assert {name: read_object(f"{killed}/{name}") for name in fingerprints(killed)} == {
        name: read_object(f"{whole}/{name}") for name in fingerprints(whole)
    }


def _pack(archive: str, made, halves) -> None:  # type: ignore[no-untyped-def]
    for shard, half in zip(made.shards, halves, strict=True):
        pack_shard(archive, shard, half)
    publish_round(archive, made)


def _die_at(step: int, patch: pytest.MonkeyPatch) -> None:
    from archivae.storage import archive_plan

    left = [step]

    def dying(function):  # type: ignore[no-untyped-def]
        def call(*arguments, **options):  # type: ignore[no-untyped-def]
            if left[0] == 0:
                raise Killed
            left[0] -= 1
            return function(*arguments, **options)

        return call

    for module, names in (
        (archive_pack, ("create_fenced", "replace_fenced", "clear_own")),
        (archive_plan, ("clear_own", "delete_if", "replace_fenced")),
    ):
        for name in names:
            patch.setattr(module, name, dying(getattr(module, name)))


def test_appended_shards_come_after_and_the_index_is_of_all(place: str) -> None:
    make_archive(place, [{"b": avae(1), "d": avae(2)}])
    before = fingerprints(place)["shard-00000.tar"]
    make_archive(place, [{"a": avae(3)}, {"c": avae(4)}], first=1)
    index = ArchiveIndex(index_uri(place))
    assert [(row.name, row.shard) for row in index.rows()] == [("a", 1), ("b", 0), ("c", 2), ("d", 0)]
    assert index.shards == 3 and fingerprints(place)["shard-00000.tar"] == before


def test_an_index_made_anew_is_the_same(place: str) -> None:
    make_archive(place, [{"b": avae(1), "d": avae(2)}])
    make_archive(place, [{"a": avae(3)}, {"c": avae(4)}], first=1)
    before = read_object(index_uri(place))
    for spoil in (delete_object, lambda uri: write_object(uri, b"spoilt", scratch=scratch_of(place))):
        spoil(index_uri(place))
        found = reindex(place)
        assert (found.pictures, found.damage) == (4, ())
        assert read_object(index_uri(place)) == before
    assert fingerprints(place).keys() == {
        "_archivae/index.parquet", "shard-00000.tar", "shard-00001.tar", "shard-00002.tar"
    }  # fmt: skip


@pytest.mark.parametrize("at", [0, 600, 1100, 2000, 2600, 3700, -1, -1024])
def test_a_damaged_shard_loses_only_what_lies_under_the_damage(at: int, archive: str) -> None:
    path = Path(shard_uri(archive, 0))
    before = {row.name: row for row in ArchiveIndex(index_uri(archive)).rows()}
    data = bytearray(path.read_bytes())
    at %= len(data)
    data[at : at + 20] = bytes(byte ^ 0xFF for byte in data[at : at + 20])
    path.write_bytes(data)
    found = reindex(archive)
    assert all("shard-00000.tar" in problem for problem in found.damage)
    after = {row.name: row for row in ArchiveIndex(index_uri(archive)).rows()}
    lost = before.keys() - after.keys()
    assert len(lost) <= 1 and bool(found.damage) >= bool(lost) and all(before[name] == after[name] for name in after)
    for name in lost:
        row = before[name]
        assert row.offset - 1536 <= at < row.offset + row.length


def test_a_cut_shard_gives_what_is_whole(archive: str) -> None:
    path = Path(shard_uri(archive, 0))
    path.write_bytes(path.read_bytes()[:-2000])
    found = reindex(archive)
    assert found.pictures == 4 and found.damage


@pytest.mark.parametrize(
    "name", ["../evil.avae", "/evil.avae", "a/../../evil.avae", "a\\b.avae", "_archivae/x.avae", "notes.txt"]
)
def test_names_that_lead_out_of_an_archive_are_not_indexed(name: str, archive: str) -> None:
    sink = io.BytesIO()
    with tarfile.open(fileobj=sink, mode="w") as file:
        for each in (name, "good.png.avae"):
            info = tarfile.TarInfo(each)
            info.size = len(avae())
            file.addfile(info, io.BytesIO(avae()))
    Path(shard_uri(archive, 2)).write_bytes(sink.getvalue())
    found = reindex(archive)
    assert len(found.damage) == 1
    assert {row.name for row in ArchiveIndex(index_uri(archive)).rows()} == {*NAMES, "good.png"}


def test_reindexing_leaves_an_unfinished_job_its_shards(archive: str) -> None:
    before = read_object(index_uri(archive))
    made = plan(archive, [["x"], ["y"]], first=2)
    put_members(archive, 3, {"y": avae(8)})
    pack_shard(archive, 3, ["y"])
    reindex(archive)
    assert read_object(index_uri(archive)) == before
    put_members(archive, 2, {"x": avae(9)})
    pack_shard(archive, 2, ["x"])
    delete_object(index_uri(archive))
    with pytest.raises(StorageError, match="archivae reindex"):
        publish_round(archive, made)
    reindex(archive)
    publish_round(archive, made)
    assert {"x", "y"} <= {row.name for row in ArchiveIndex(index_uri(archive)).rows()}


def test_there_is_nothing_to_reindex(tmp_path: Path) -> None:
    with pytest.raises(StorageError, match="found none"):
        reindex(str(tmp_path))
    assert not list(listed([])) and own_path(str(tmp_path), "x")


def test_a_shard_is_never_replaced(place: str) -> None:
    """Another's under its number stays; the same bytes count as written."""
    made = plan(place, [["a"], ["b"]])
    put_members(place, 0, {"a": avae(1)})
    put_members(place, 1, {"b": avae(2)})
    write_object(shard_uri(place, 0), b"another's", scratch=scratch_of(place))
    assert pack_shard(place, 0, ["a"]) == 1
    assert read_object(shard_uri(place, 0)) == b"another's"
    with tarfile.open(fileobj=io.BytesIO(read_object(shard_uri(place, 2)))) as file:
        assert file.getnames() == ["a.avae"]
    assert pack_shard(place, 1, ["b"]) == 1
    before = fingerprints(place)["shard-00001.tar"]
    delete_object(packed_uri(place, 1))
    put_members(place, 1, {"b": avae(2)})
    assert pack_shard(place, 1, ["b"]) == 1
    assert fingerprints(place)["shard-00001.tar"] == before
    assert publish_round(place, made) == {0}
    assert [(row.name, row.shard) for row in ArchiveIndex(index_uri(place)).rows()] == [("a", 2), ("b", 1)]


def test_a_plan_that_is_over_counts_no_more(place: str) -> None:
    """As of a job that slept between its last look at the lease and writing its plan."""
    make_archive(place, [{"a": avae(1)}])
    plan(place, [["b"]], first=0)
    assert pending_round(place, Fence(place)) is None
    assert fingerprints(place).keys() == {"shard-00000.tar", "_archivae/index.parquet"}
    assert next_shard(place) == 1
