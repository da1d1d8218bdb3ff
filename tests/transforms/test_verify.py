"""Verification as a pipeline: a row a picture, whatever is damaged named, nothing stopped by it."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path

import pytest

from archivae.bitstream import read_bitstream
from archivae.operations.archive_verify import sampled_places
from archivae.pipeline.cli import main, run_and_report
from archivae.storage.archive_index import ArchiveIndex
from archivae.storage.archive_layout import index_uri
from tests.archives import NAMES, make_archive, pictures
from tests.end_to_end.jobs import Folder

PICTURES = pictures()


@pytest.fixture
def archive(tmp_path: Path) -> Folder:
    """Two shards of `NAMES`."""
    uri = str(tmp_path / "archive")
    make_archive(uri, [{name: PICTURES[name] for name in NAMES[:3]}, {name: PICTURES[name] for name in NAMES[3:]}])
    return Folder(uri)


@pytest.fixture
def report(tmp_path: Path) -> Folder:
    return Folder(str(tmp_path / "report"))


def verify(archive: Folder, report: Folder, *words: str) -> int:
    return main(["verify", archive.uri, "--report", report.uri, "--accelerator=cpu", *(words or ("--all",))])


def flip(archive: Folder, name: str) -> None:
    row = ArchiveIndex(index_uri(archive.uri)).find(name)
    assert row is not None
    shard = bytearray(archive.read(f"shard-0000{row.shard}.tar"))
    shard[row.offset + row.length // 2] ^= 1
    archive.put({f"shard-0000{row.shard}.tar": bytes(shard)})


def test_a_whole_archive_has_a_row_a_picture(
    archive: Folder, report: Folder, capsys: pytest.CaptureFixture[str]
) -> None:
    before = archive.everything()
    assert verify(archive, report) == 0
    assert "5 done" in capsys.readouterr().out and archive.everything() == before
    rows = report.rows()
    assert rows.keys() == {*NAMES} and {row.status for row in rows.values()} == {"done"}
    row = rows["c/d.png"]
    assert (row.operation, row.archive) == ("verify", archive.path("shard-00001.tar"))
    assert row.bytes == len(PICTURES["c/d.png"]) and (row.height, row.width) == (8, 8)


def test_what_is_damaged_is_in_the_report_and_ends_with_1(
    archive: Folder, report: Folder, capsys: pytest.CaptureFixture[str]
) -> None:
    flip(archive, "a.png")
    shard = archive.read("shard-00001.tar")
    archive.put({"shard-00001.tar": shard[:-1] + b"x", "_archivae/models/00.safetensors": b"no model"})
    assert main(["verify", archive.uri, "--all", "--accelerator=cpu"]) == 1
    alone = {line.removeprefix("archivae: ") for line in capsys.readouterr().err.splitlines()}
    assert verify(archive, report) == 1
    rows = report.rows()
    bad = {name: row.error.removeprefix("VerificationError: ") for name, row in rows.items() if row.status == "failed"}
    assert bad.keys() == {"a.png", "index.parquet"}
    assert bad["a.png"] in alone and len(alone) == 3
    assert all(line == bad["a.png"] or line in bad["index.parquet"] for line in alone)
    letters = report.letters()
    assert letters.keys() == {"a.png.avae", "index.parquet"} and letters["a.png.avae"].step == "verify"


@pytest.mark.parametrize("damage", ["footer", "gone", "group"])
def test_a_lost_index_is_found_damaged(damage: str, archive: Folder, report: Folder) -> None:
    index = archive.read("_archivae/index.parquet")
    if damage == "gone":
        archive.delete("_archivae/index.parquet")
    else:
        group = index[:20] + bytes(byte ^ 255 for byte in index[20:40]) + index[40:]
        archive.put({"_archivae/index.parquet": index[:-9] if damage == "footer" else group})
    assert verify(archive, report) == 1
    assert "reindex" in report.rows()["index.parquet"].error


def test_against_originals(archive: Folder, report: Folder, tmp_path: Path) -> None:
    originals = {name: bytes(read_bitstream(data).payload) for name, data in PICTURES.items()}
    source = Folder(str(tmp_path / "source")).put(originals)
    assert verify(archive, report, "--all", "--against", source.uri) == 0
    source.put({"c.png": originals["a.png"]})
    source.delete("a.png")
    assert verify(archive, report, "--all", "--against", source.uri) == 1
    failed = {name: row.error for name, row in report.rows().items() if row.status == "failed"}
    assert failed.keys() == {"a.png", "c.png"} and "SHA-256 differs" in failed["c.png"]
    archive.put({"_archivae/manifest/0.parquet": b"torn"})
    assert verify(archive, report, "--all", "--against", source.uri) == 1
    assert "fragment of the manifest" in report.rows()["0.parquet"].error


def test_the_plain_options_and_the_default_report(archive: Folder, report: Folder) -> None:
    plain = ["--operation=verify", f"--input={archive.uri}", "--accelerator=cpu", "--sample=20%"]
    assert run_and_report(plain) == 2, "the report goes where output says"
    assert run_and_report([*plain, f"--output={report.uri}"]) == 0
    assert len(report.rows()) == 1
    assert run_and_report([*plain, f"--output={report.uri}", "--archive"]) == 2
    before = archive.files()
    assert main(["verify", archive.uri, "--accelerator=cpu", "--runner=DirectRunner"]) == 0
    assert archive.files() == before and archive.own("verified/_archivae/manifest/")


def test_what_is_no_archive(report: Folder, tmp_path: Path) -> None:
    assert verify(Folder(str(tmp_path / "nowhere")), report) == 2
    assert not report.everything()


def test_samples_are_spread_over_row_groups() -> None:
    assert dict(sampled_places([3, 2], 1.0)) == {0: range(3), 1: range(2)}
    for _ in range(20):
        places = dict(sampled_places([7, 1, 12], 0.25))
        picked = sorted([*places.get(0, ()), *(7 + n for n in places.get(1, ())), *(8 + n for n in places.get(2, ()))])
        assert len(picked) == 5 and {later - n for n, later in pairwise(picked)} == {4}
    assert sum(len(places) for _, places in sampled_places([7, 1, 12], 0.001)) == 1
    assert not list(sampled_places([], 0.5))
