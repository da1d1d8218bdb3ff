"""Single pictures out of an archive, at the price of single pictures; and what verify finds."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from google.auth.transport.requests import AuthorizedSession

import archivae
from archivae.errors import ArchivaeError, StorageError, UnknownModelError, WrongMemberError
from archivae.operations.archive import Archive
from archivae.operations.archive_verify import Original, check_models, check_picture, check_shards
from archivae.pipeline.cli import main
from archivae.storage import (
    objects,
    own_path,
    ranged_file,
    read_dead_letters,
    read_object,
    scratch_of,
    write_object,
)
from archivae.storage.archive_index import ArchiveIndex, write_index
from archivae.storage.archive_layout import index_uri, shard_uri
from archivae.storage.tar import BLOCK
from tests.archives import NAMES, make_archive, pictures
from tests.samples import MODEL, photo, photo_file

PICTURES = pictures()


@pytest.fixture(params=["local", "gcs"])
def archive(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """Two shards of `NAMES`."""
    uri = f"{request.getfixturevalue('gcs')}/archive" if request.param == "gcs" else str(tmp_path / "archive")
    make_archive(uri, [{name: PICTURES[name] for name in NAMES[:3]}, {name: PICTURES[name] for name in NAMES[3:]}])
    return uri


def test_an_archive_is_a_mapping(archive: str) -> None:
    opened = archivae.open_archive(archive)
    assert list(opened) == sorted(NAMES) and len(opened) == 5
    for seed, name in enumerate(NAMES):
        assert np.array_equal(opened[name], photo(8, 8, seed)) and opened.read(name) == PICTURES[name]
        assert opened.picture_file(name, "png") == photo_file(8, 8, seed)
    assert "a.png" in opened and "a" not in opened and 3 not in opened
    with pytest.raises(KeyError):
        opened["nope"]


def test_a_picture_costs_its_bytes_a_footer_and_a_row_group(archive: str, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[tuple[str, int]] = []

    def counting(read):  # type: ignore[no-untyped-def]
        def call(uri: str, *where: object) -> bytes:
            data: bytes = read(uri, *where)
            asked.append((uri.rpartition("/")[2], len(data)))
            return data

        return call

    monkeypatch.setattr(objects, "read_range", counting(objects.read_range))
    monkeypatch.setattr(ranged_file, "read_range", counting(ranged_file.read_range))
    monkeypatch.setattr(objects, "read_object", None)
    assert archivae.open_archive(archive)["c.png"].shape == (8, 8, 3)
    index = [length for name, length in asked if name == "index.parquet"]
    shard = [length for name, length in asked if name == "shard-00001.tar"]
    assert len(index) <= 2 and len(asked) == len(index) + 1
    assert sum(shard) <= len(PICTURES["c.png"]) + 4096


def test_what_goes_over_the_wire(gcs: str, monkeypatch: pytest.MonkeyPatch) -> None:
    make_archive(gcs, [PICTURES])
    answers: list[tuple[str, int]] = []
    request = AuthorizedSession.request

    def record(session: AuthorizedSession, method: str, url: str, **options: object) -> Any:
        answer = request(session, method, url, **options)
        if "alt=media" in url:
            answers.append((url, int(answer.headers["Content-Length"])))
        return answer

    monkeypatch.setattr(AuthorizedSession, "request", record)
    assert archivae.open_archive(gcs)["c.png"].shape == (8, 8, 3)
    shard = [length for url, length in answers if "shard-00000.tar" in url]
    assert shard == [BLOCK + len(PICTURES["c.png"])] and len(answers) <= 3


@pytest.mark.parametrize("pair", [("a.png", "c.png"), (NAMES[1], NAMES[2]), ("c.png", "c/d.png")])
def test_exchanged_rows_of_the_index_are_an_error(pair: tuple[str, str], archive: str, tmp_path: Path) -> None:
    rows = {row.name: row for row in ArchiveIndex(index_uri(archive)).rows()}
    one, other = pair
    rows[one], rows[other] = replace(rows[other], name=one), replace(rows[one], name=other)
    write_index(index_uri(archive), [rows[name] for name in sorted(rows)], archive)
    opened, out = archivae.open_archive(archive), tmp_path / "out"
    for name in pair:
        with pytest.raises(WrongMemberError, match="another picture than"):
            opened[name]
        with pytest.raises(WrongMemberError, match="reindex"):
            opened.read(name)
        assert main(["get", archive, name, "--output", str(out), "--accelerator=cpu"]) == 1
        assert main(["get", archive, name, "--output", str(out), "--format=avae", "--accelerator=cpu"]) == 1
    assert not out.exists()
    assert main(["decode", archive, str(out), "--accelerator=cpu"]) == 1
    letters = {letter.object.removeprefix(f"{archive}/"): letter.error for letter in read_dead_letters(str(out))}
    assert letters == {f"{name}.avae": "WrongMemberError" for name in pair}
    assert {problem.partition(":")[0] for problem in problems(archive)} >= {*pair}


def test_damage_around_a_picture_does_not_keep_it_from_being_read(archive: str) -> None:
    whole, row = read_object(shard_uri(archive, 0)), ArchiveIndex(index_uri(archive)).find("a.png")
    assert row is not None
    spoilt = bytearray(whole)
    spoilt[120] ^= 1  # of the mode, say
    write_object(shard_uri(archive, 0), bytes(spoilt), scratch=scratch_of(archive))
    assert archivae.open_archive(archive).read("a.png") == PICTURES["a.png"]
    spoilt[0] ^= 1
    write_object(shard_uri(archive, 0), bytes(spoilt), scratch=scratch_of(archive))
    with pytest.raises(WrongMemberError):
        archivae.open_archive(archive).read("a.png")


def test_no_archive(tmp_path: Path) -> None:
    with pytest.raises(StorageError, match="found nothing"):
        archivae.open_archive(str(tmp_path))


def problems(archive: str, originals: dict[str, Original] | None = None) -> list[str]:
    opened = Archive(archive)
    found = [*check_models(archive), *check_shards(archive, opened.index.rows())]
    for row in opened.index.rows():
        found += check_picture(archive, row, opened.codec, (originals or {}).get(row.name))
    return found


def test_a_good_archive_has_no_problems(archive: str) -> None:
    assert problems(archive) == []


@pytest.mark.parametrize("change", [1, 128])
def test_any_changed_byte_of_a_shard_is_found_and_named(change: int, tmp_path: Path) -> None:
    archive = str(tmp_path / "archive")
    make_archive(archive, [{name: PICTURES[name] for name in NAMES[:2]}])
    path = Path(shard_uri(archive, 0))
    whole = path.read_bytes()
    for at in range(0, len(whole), 23):
        path.write_bytes(whole[:at] + bytes([whole[at] ^ change]) + whole[at + 1 :])
        found = problems(archive)
        assert found and any("a.png" in each or "ä-ß.png" in each or "shard-00000.tar" in each for each in found), at


@pytest.mark.parametrize("spoil", ["cut", "longer", "gone"])
def test_a_shard_that_is_cut_or_gone_is_named_and_the_other_is_not(spoil: str, tmp_path: Path) -> None:
    archive = str(tmp_path / "archive")
    make_archive(archive, [{"a": PICTURES["a.png"]}, {"b": PICTURES["c.png"]}])
    path = Path(shard_uri(archive, 0))
    if spoil == "gone":
        path.unlink()
    else:
        path.write_bytes(path.read_bytes()[:-600] if spoil == "cut" else path.read_bytes() + bytes(512))
    found = problems(archive)
    assert found and all("shard-00000.tar" in each for each in found)


def test_a_picture_that_the_index_lacks_is_noticed(archive: str) -> None:
    rows = [row for row in ArchiveIndex(index_uri(archive)).rows() if row.name != NAMES[2]]  # the middle one
    write_index(index_uri(archive), rows, archive)
    (problem,) = problems(archive)
    assert "reindex" in problem and "shard-00000.tar" in problem


@pytest.mark.parametrize("change", [{"height": 9}, {"quality": 3.0}, {"sha256": bytes(32)}])
def test_an_index_that_says_other_than_the_file_is_noticed(change: dict[str, object], archive: str) -> None:
    rows = [replace(row, **change) for row in ArchiveIndex(index_uri(archive)).rows()]
    write_index(index_uri(archive), rows, archive)
    assert len(problems(archive)) == len(NAMES)


def test_an_index_from_an_enemy_reads_nothing_else(tmp_path: Path) -> None:
    archive = str(tmp_path / "archive")
    make_archive(archive, [{"a": PICTURES["a.png"]}])
    (row,) = ArchiveIndex(index_uri(archive)).rows()
    for change in ({"length": 1 << 62}, {"offset": 1 << 62}, {"offset": -5}, {"shard": -1}, {"length": -1}):
        write_index(index_uri(archive), [replace(row, **change)], archive)
        with pytest.raises(ArchivaeError):
            archivae.open_archive(archive)["a"]
        assert main(["verify", archive, "--accelerator=cpu"]) == 1


def test_pictures_are_held_against_their_originals(archive: str, tmp_path: Path) -> None:
    sources = {name: str(tmp_path / f"source/{seed}.png") for seed, name in enumerate(NAMES)}
    for seed, name in enumerate(NAMES):
        write_object(sources[name], photo_file(8, 8, seed), scratch=str(tmp_path / "scratch"))
    good = {name: Original(uri, float("inf")) for name, uri in sources.items()}
    assert problems(archive, good) == []
    assert problems(archive, {"a.png": Original(sources["a.png"], None)}) == []
    (problem,) = problems(archive, {"a.png": Original(sources["a.png"], 30.0)})
    assert "a.png" in problem and "30.00 dB" in problem
    (problem,) = problems(archive, {"a.png": Original(sources["c.png"], None)})
    assert "SHA-256 differs" in problem
    (problem,) = problems(archive, {"a.png": Original(str(tmp_path / "gone"), None)})
    assert "a.png" in problem and "gone" in problem


def test_a_model_that_is_not_what_its_name_says(archive: str) -> None:
    for name, data in (("0011223344556677", b"none"), ("8899aabbccddeeff", read_object(MODEL))):
        write_object(own_path(archive, f"models/{name}.safetensors"), data, scratch=scratch_of(archive))
    assert len(problems(archive)) == 2
    with pytest.raises(UnknownModelError, match="put it back"):
        Archive(archive).codec(bytes(range(8)))
