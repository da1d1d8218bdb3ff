"""Pictures whose names no archive could keep as they are go in and come back under their own."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from google.auth.credentials import AnonymousCredentials
from google.cloud.storage import Client

import archivae
from archivae.pipeline.cli import main
from tests.end_to_end.jobs import Folder, decode, encode
from tests.samples import photo_file

ODD = {
    "line\nend.png": "line%{0a}end.png.avae",
    "tab\there.png": "tab%{09}here.png.avae",
    "back\\slash.png": "back%{5c}slash.png.avae",
    os.fsdecode(b"latin-\xe9.png"): "latin-%{dce9}.png.avae",
    "C:colon.png": "C%{3a}colon.png.avae",
    "%{0a}.png": "%{25}{0a}.png.avae",
    "sub\x1b[31m/deep\x7f.png": "sub%{1b}[31m/deep%{7f}.png.avae",
}
PLAIN = {"a%20b.png": "a%20b.png.avae", "zoë.png": "zoë.png.avae"}
BUCKET = {
    name: archived for name, archived in ODD.items() if "\n" not in name and "%{" not in name and name.isascii()
} | PLAIN


def odd_pictures(names: dict[str, str]) -> dict[str, bytes]:
    return {name: photo_file(64, 64, seed) for seed, name in enumerate(names)}


@pytest.fixture
def local(tmp_path: Path) -> Folder:
    return Folder(str(tmp_path / "source")).put(odd_pictures(ODD | PLAIN))


def test_single_files(local: Folder, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    archive, restored = Folder(str(tmp_path / "archive")), Folder(str(tmp_path / "restored"))
    assert encode(local, archive, "--lossless") == 0
    assert {*archive.files()} == {*ODD.values(), *PLAIN.values()}
    assert {*archive.rows()} == {*ODD, *PLAIN}
    assert {row.source for row in archive.rows().values()} == {local.path(name) for name in ODD | PLAIN}
    said = capsys.readouterr().out
    assert "\x1b[31m/" not in said and "line\nend" not in said and "tab\there" not in said
    assert encode(local, archive, "--lossless") == 0
    assert f"0 done, {len(ODD | PLAIN)} skipped" in " ".join(capsys.readouterr().out.split())
    assert decode(archive, restored) == 0
    assert {*restored.files()} == {*ODD, *PLAIN}
    assert decode(archive, restored) == 0
    assert f"0 done, {len(ODD | PLAIN)} skipped" in " ".join(capsys.readouterr().out.split())


def test_shards(local: Folder, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    archive, restored, got = (Folder(str(tmp_path / name)) for name in ("archive", "restored", "got"))
    small = ("--lossless", "--archive", "--shard_size=8kB")  # a picture or two a shard: names don't sort as they did
    assert encode(local, archive, *small) == 0
    pictures = archivae.open_archive(archive.uri, accelerator="cpu")
    assert {*pictures} == {*ODD, *PLAIN} and all(name in pictures for name in ODD)
    assert main(["verify", archive.uri, "--all", "--accelerator=cpu", f"--against={local.uri}"]) == 0
    assert decode(archive, restored) == 0
    assert {*restored.files()} == {*ODD, *PLAIN}
    index = Path(archive.uri, "_archivae", "index.parquet").read_bytes()
    assert main(["reindex", archive.uri]) == 0
    assert Path(archive.uri, "_archivae", "index.parquet").read_bytes() == index
    capsys.readouterr()
    assert main(["ls", archive.uri]) == 0
    listed = [line.split("\t")[0] for line in capsys.readouterr().out.splitlines()]
    assert sorted(f"{name}.avae" for name in listed) == sorted([*ODD.values(), *PLAIN.values()])
    assert (
        main(["get", archive.uri, "line%{0a}end.png", "tab\there.png", f"--output={got.uri}", "--accelerator=cpu"]) == 0
    )
    assert {*got.files()} == {"line\nend.png", "tab\there.png"}
    more = local.put({"more\n.png": photo_file(64, 64, 99)})
    assert main(["append", more.uri, archive.uri, "--lossless", "--accelerator=cpu", "--shard_size=8kB"]) == 0
    assert {*archivae.open_archive(archive.uri)} == {*ODD, *PLAIN, "more\n.png"}


@pytest.mark.parametrize("options", [(), ("--archive",)])
def test_buckets(options: tuple[str, ...], gcs: str, tmp_path: Path) -> None:
    source, archive, back = Folder(f"{gcs}/source"), Folder(f"{gcs}/archive"), Folder(f"{gcs}/restored")
    bucket = Client(project="emulator", credentials=AnonymousCredentials()).bucket(gcs.removeprefix("gs://"))
    for name, data in odd_pictures(BUCKET).items():
        bucket.blob(f"source/{name}").upload_from_string(data)
    if {*source.everything()} != {*BUCKET}:
        pytest.skip("the emulator spells these names otherwise")
    assert encode(source, archive, "--lossless", *options) == 0
    if not options:
        assert {*archive.files()} == {*BUCKET.values()}
    assert {*archive.rows()} == {*BUCKET}
    assert decode(archive, back) == 0
    assert {*back.files()} == {*BUCKET}


def test_names_that_a_bucket_cannot_hold_stay_escaped_there(local: Folder, gcs: str) -> None:
    archive, back = Folder(f"{gcs}/archive"), Folder(f"{gcs}/restored")
    assert encode(local, archive, "--lossless") == 0
    assert {*archive.files()} == {*ODD.values(), *PLAIN.values()}
    assert decode(archive, back) == 0
    assert {"line%{0a}end.png", "latin-%{dce9}.png", "%{25}{0a}.png", "C:colon.png", "zoë.png"} <= {*back.files()}
    assert len(back.files()) == len(ODD | PLAIN)


def test_a_name_that_is_too_long_escaped_is_a_dead_letter(tmp_path: Path) -> None:
    source, archive = Folder(str(tmp_path / "source")), Folder(str(tmp_path / "archive"))
    source.put({f"{chr(10) * 60}.png": photo_file(), f"{'a' * 240}.png": photo_file(64, 64, 2)})
    assert encode(source, archive, "--lossless") == 1
    (letter,) = archive.letters().values()
    assert letter.error == "UnsafeNameError" and "at most 255 bytes" in letter.reason


@pytest.mark.parametrize("shard_size", ["", "shard_size: 1MiB\n"])
def test_a_policy_archives_and_deletes_them(shard_size: str, local: Folder, tmp_path: Path) -> None:
    policy = tmp_path / "policy.yaml"
    policy.write_text(
        f"sources: [{local.uri}]\ndestination: {tmp_path}/archive\nlossless: true\noriginals: delete\ngrace: 0s\n{shard_size}"
    )
    assert main(["archive", str(policy), "--accelerator=cpu"]) == 0
    assert main(["archive", str(policy), "--accelerator=cpu"]) == 0
    assert local.files() == {}
    assert not any("quarantine" in name for name in local.everything())
    restored = Folder(str(tmp_path / "restored"))
    assert decode(f"{tmp_path}/archive", restored) == 0
    prefix = local.uri.lstrip("/")
    assert {*restored.files()} == {f"{prefix}/{name}" for name in ODD | PLAIN}
