"""Archives of shards, from the command line, on the local disk and in a bucket."""

from __future__ import annotations

import io
import os
import subprocess
import sys
import tarfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

import archivae
from archivae.bitstream import read_bitstream
from archivae.pipeline.cli import main
from archivae.storage.archive_index import ArchiveIndex, write_index
from archivae.storage.archive_layout import index_uri
from tests.end_to_end.jobs import MODEL, PHOTOS, Folder, command, decode, encode
from tests.samples import photo_file, pixels_of, stark_jpeg

ROOT = Path(__file__).parents[2]
SMALL = ("--archive", "--shard-size=3KiB")
"""Two of `PHOTOS` fit into a shard."""


@pytest.fixture
def made(source: Folder, archive: Folder) -> Folder:
    """The archive of `PHOTOS`, in two shards."""
    assert encode(source.put(PHOTOS), archive, *SMALL) == 0
    return archive


def members(archive: Folder) -> dict[str, bytes]:
    """What all shards hold, by name."""
    found: dict[str, bytes] = {}
    for name in archive.files():
        with tarfile.open(fileobj=io.BytesIO(archive.read(name))) as file:
            found |= {info.name: file.extractfile(info).read() for info in file}  # type: ignore[union-attr]
    return found


def look(*words: str) -> int:
    return main([*words, "--accelerator=cpu"])


def test_an_archive_holds_what_a_folder_would(made: Folder, source: Folder, restored: Folder) -> None:
    assert made.files().keys() == {"shard-00000.tar", "shard-00001.tar"}
    assert encode(source, restored) == 0
    assert members(made) == restored.files()
    assert not made.own("round") and made.own("models/") and made.own("format.md")
    rows, plain = made.rows(), restored.rows()
    assert rows.keys() == PHOTOS.keys()
    for name, row in rows.items():
        assert row.archive == made.path("shard-00000.tar" if name != "sub/deep/c.png" else "shard-00001.tar")
        for field in ("sha256", "fingerprint", "status", "coding", "archive_bytes", "psnr", "model", "bpp", "quality"):
            assert getattr(row, field) == getattr(plain[name], field)


def test_one_shard_if_all_fit(source: Folder, archive: Folder) -> None:
    assert encode(source.put(PHOTOS), archive, "--archive") == 0
    assert archive.files().keys() == {"shard-00000.tar"}


def test_the_same_pictures_make_the_same_bytes(
    made: Folder, source: Folder, new_folder: Callable[[str], Folder]
) -> None:
    again = new_folder("again")
    assert encode(source, again, *SMALL) == 0
    assert again.files() == made.files()
    assert again.read("_archivae/index.parquet") == made.read("_archivae/index.parquet")


def test_a_second_run_does_nothing(made: Folder, source: Folder, capsys: pytest.CaptureFixture[str]) -> None:
    before = made.everything()
    capsys.readouterr()
    assert encode(source, made, *SMALL) == 0
    assert made.everything() == before
    assert "0 done, 3 skipped" in capsys.readouterr().out


def test_two_worker_processes_make_the_same_archive(tmp_path: Path) -> None:
    source, one, two = (Folder(str(tmp_path / name)) for name in ("source", "one", "two"))
    assert encode(source.put(PHOTOS), one, *SMALL) == 0
    workers = ("--direct_running_mode=multi_processing", "--direct_num_workers=2")
    words = ["encode", source.uri, two.uri, f"--model={MODEL}", "--accelerator=cpu", *SMALL, *workers]
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}
    job = subprocess.run(
        [sys.executable, "-m", "archivae", *words], env=environment, cwd=ROOT, timeout=180, check=False
    )
    assert job.returncode == 0 and two.files() == one.files()
    assert two.read("_archivae/index.parquet") == one.read("_archivae/index.parquet")


def test_failures_and_what_is_no_picture_stay_out(source: Folder, archive: Folder) -> None:
    source.put({**PHOTOS, "bad.png": b"hello", "README.md": b"# hello"})
    assert encode(source, archive, *SMALL) == 1
    assert members(archive).keys() == {f"{name}.avae" for name in PHOTOS}
    assert archive.letters().keys() == {"bad.png"}
    before = archive.everything()
    assert encode(source, archive, *SMALL) == 0
    assert archive.everything() == before


def test_decode_takes_an_archive(made: Folder, source: Folder, restored: Folder) -> None:
    folder, plain = Folder(f"{restored.uri}/folder"), Folder(f"{restored.uri}/plain")
    assert encode(source, folder) == decode(folder, plain) == 0
    shards = Folder(f"{restored.uri}/shards")
    assert decode(made, shards) == 0
    assert shards.files() == plain.files()
    before = shards.everything()
    assert decode(made, shards) == 0
    assert shards.everything() == before


def test_ls_and_get(made: Folder, restored: Folder, capsys: pytest.CaptureFixture[str]) -> None:
    capsys.readouterr()
    assert main(["ls", made.uri]) == 0
    lines = [line.split("\t") for line in capsys.readouterr().out.splitlines()]
    assert [line[0] for line in lines] == sorted(PHOTOS)
    assert [line[2:] for line in lines] == [["64x64", "60"], ["64x96", "60"], ["96x64", "60"]]
    assert look("get", made.uri, "a.png", "sub/b.png", "--output", restored.uri) == 0
    opened = archivae.open_archive(made.uri, accelerator="cpu")
    for name in ("a.png", "sub/b.png"):
        assert np.array_equal(pixels_of(restored.read(name)), opened[name])
    assert look("get", made.uri, "sub/b.png", "nope.png", "--output", restored.uri, "--format=avae") == 1
    assert restored.read("sub/b.png.avae") == members(made)["sub/b.png.avae"]
    assert "nope.png" in capsys.readouterr().err


def test_verify_is_0_for_good_and_1_for_any_damage(
    made: Folder, source: Folder, capsys: pytest.CaptureFixture[str]
) -> None:
    for words in ((), ("--sample=50%",), ("--all",), ("--all", "--against", source.uri)):
        assert look("verify", made.uri, *words) == 0
    source.put({"a.png": photo_file(64, 64, 9)})
    assert look("verify", made.uri, "--all", "--against", source.uri) == 1
    assert "a.png" in capsys.readouterr().err
    row = ArchiveIndex(index_uri(made.uri)).find("sub/b.png")
    assert row is not None
    shard = bytearray(made.read("shard-00000.tar"))
    shard[row.offset + row.length // 2] ^= 1
    made.put({"shard-00000.tar": bytes(shard)})
    assert look("verify", made.uri, "--all") == 1
    err = capsys.readouterr().err
    assert "sub/b.png" in err and "a.png:" not in err
    made.put({"_archivae/index.parquet": made.read("_archivae/index.parquet")[:-9]})
    assert look("verify", made.uri) == 1 and "reindex" in capsys.readouterr().err
    made.delete("_archivae/index.parquet")
    assert look("verify", made.uri) == 1
    assert look("verify", made.path("nowhere")) == 2
    assert look("verify", made.uri, "--sample=0%") == 2


def test_append_adds_shards_and_touches_none(made: Folder, source: Folder, restored: Folder) -> None:
    before = made.everything()
    source.put({"aa.png": photo_file(64, 64, 7), "z.jpg": stark_jpeg()})
    assert encode(source, made, *SMALL) == 2, "a finished archive grows by append alone"
    assert command("append", source, made, f"--model={MODEL}", "--quality=40") == 0
    assert {name: made.everything()[name] for name in ("shard-00000.tar", "shard-00001.tar")} == {
        name: before[name] for name in ("shard-00000.tar", "shard-00001.tar")
    }
    assert members(made).keys() == {f"{name}.avae" for name in (*PHOTOS, "aa.png", "z.jpg")}
    assert read_bitstream(members(made)["aa.png.avae"]).quality == 40 * 256
    settled = made.everything()
    assert command("append", source, made, f"--model={MODEL}", "--quality=40") == 0
    assert made.everything() == settled
    assert look("verify", made.uri, "--all", "--against", source.uri) == 0
    assert decode(made, restored) == 0 and len(restored.files()) == 5


def test_append_needs_an_archive(source: Folder, archive: Folder, capsys: pytest.CaptureFixture[str]) -> None:
    assert command("append", source.put(PHOTOS), archive, f"--model={MODEL}") == 2
    assert "archivae encode --archive" in capsys.readouterr().err
    assert not archive.everything()


def test_reindex(made: Folder, source: Folder, capsys: pytest.CaptureFixture[str]) -> None:
    index = made.read("_archivae/index.parquet")
    made.delete("_archivae/index.parquet")
    assert main(["ls", made.uri]) == 2
    assert main(["reindex", made.uri]) == 0
    assert made.read("_archivae/index.parquet") == index
    shard = made.read("shard-00000.tar")
    made.put({"shard-00000.tar": shard[:600] + bytes([shard[600] ^ 1]) + shard[601:]})
    assert main(["reindex", made.uri]) == 1
    assert "shard-00000.tar" in capsys.readouterr().err
    assert [row.name for row in ArchiveIndex(index_uri(made.uri)).rows()] == ["sub/b.png", "sub/deep/c.png"]
    assert command("append", source, made, f"--model={MODEL}") == 0, "what was lost is had again from its source"
    assert list(archivae.open_archive(made.uri)) == sorted(PHOTOS)


def test_a_dry_run_writes_nothing(source: Folder, archive: Folder, capsys: pytest.CaptureFixture[str]) -> None:
    assert encode(source.put(PHOTOS), archive, *SMALL, "--dry-run") == 0
    assert not archive.everything() and "3 objects" in capsys.readouterr().out
    assert encode(source, archive, *SMALL) == 0
    assert encode(source, archive, *SMALL, "--dry-run") == 0
    assert "0 objects" in capsys.readouterr().out


def test_what_does_not_go_together_is_refused(
    made: Folder, source: Folder, restored: Folder, capsys: pytest.CaptureFixture[str]
) -> None:
    before = made.everything()
    assert encode(source, made, *SMALL, "--quality=5") == 2
    assert encode(source, made) == 2 and encode(source, made, "--overwrite") == 2
    assert encode(source, made, *SMALL, "--overwrite") == 2
    assert encode(source, source, *SMALL) == 2
    assert encode(source, restored, "--archive", "--shard-size=many") == 2
    assert made.everything() == before and source.files() == PHOTOS


@pytest.mark.parametrize("name", ["../evil.png", "/evil.png", "x/../../evil.png", "_archivae/evil.png"])
def test_names_from_an_archive_cannot_escape(name: str, made: Folder, restored: Folder) -> None:
    rows = list(ArchiveIndex(index_uri(made.uri)).rows())
    evil = type(rows[0])(**{**{field: getattr(rows[0], field) for field in rows[0].__slots__}, "name": name})
    write_index(index_uri(made.uri), sorted([*rows, evil], key=lambda row: row.name), made.uri)
    inner = Folder(f"{restored.uri}/deep/inner")
    assert decode(made, inner) == 1
    assert inner.files().keys() == PHOTOS.keys()
    assert look("get", made.uri, name, "--output", inner.uri) in (1, 2)
    assert all(each.startswith("deep/inner/") for each in restored.everything())
