"""The commands beside encode and decode, and what the environment may lack."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from archivae.models import shipped_models
from archivae.pipeline.cli import main
from tests.end_to_end.jobs import MODEL, PHOTOS, Folder, encode
from tests.samples import file_of, photo, small_codec

ROOT = Path(__file__).parents[2]


def test_inspect_as_json(source: Folder, archive: Folder, capsys: pytest.CaptureFixture[str]) -> None:
    source.put(PHOTOS)
    assert encode(source, archive) == 0
    files = [archive.path(f"{name}.avae") for name in PHOTOS]
    capsys.readouterr()
    assert main(["inspect", "--json", *files]) == 0
    contents = json.loads(capsys.readouterr().out)
    assert list(contents) == files
    for file, content in contents.items():
        assert content["model"] == small_codec().id.hex() and content["quality"] == 60
        assert sum(content["parts"].values()) == content["bytes"] > 0
        assert content["source_sha256"] in {row.sha256 for row in archive.rows().values()}, file


def test_inspect_as_a_table(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    source = Folder(str(tmp_path / "source")).put({"x[/y].png": PHOTOS["a.png"]})
    archive = Folder(str(tmp_path / "archive"))
    assert encode(source, archive) == 0
    capsys.readouterr()
    assert main(["inspect", archive.path("x[/y].png.avae")]) == 0
    out = capsys.readouterr().out
    assert small_codec().id.hex() in out and "entropy streams" in out and "x[/y].png.avae" in out


def test_inspect_of_damaged_files_is_1_and_shows_the_others(
    source: Folder, archive: Folder, capsys: pytest.CaptureFixture[str]
) -> None:
    source.put({"a.png": PHOTOS["a.png"]})
    assert encode(source, archive) == 0
    good = archive.path("a.png.avae")
    archive.put({"cut.avae": archive.read("a.png.avae")[:-1]})
    capsys.readouterr()
    assert main(["inspect", "--json", archive.path("cut.avae"), good]) == 1
    captured = capsys.readouterr()
    assert json.loads(captured.out).keys() == {good}
    assert "cut.avae" in captured.err
    assert main(["inspect", archive.path("gone.avae")]) == 2


def test_models(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["models"]) == 0
    out = capsys.readouterr().out
    assert all(name in out for name in shipped_models()) and "default" in out


def test_help_names_every_command(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as exit:
        main(["--help"])
    assert exit.value.code == 0
    out = capsys.readouterr().out
    assert all(command in out for command in ("encode", "decode", "restore", "inspect", "models", "train"))


def test_no_credentials_are_needed_and_none_waited_for(gcs: str) -> None:
    """In a process of its own, with nothing of Google's in its environment but the emulator's address."""
    source, archive = Folder(f"{gcs}/source").put(PHOTOS), Folder(f"{gcs}/archive")
    kept = {key: os.environ[key] for key in ("PATH", "STORAGE_EMULATOR_HOST") if key in os.environ}
    environment = {**kept, "PYTHONPATH": str(ROOT), "HOME": "/nonexistent", "OMP_NUM_THREADS": "1"}
    words = ["encode", source.uri, archive.uri, f"--model={MODEL}", "--accelerator=cpu"]
    began = time.monotonic()
    job = subprocess.run(
        [sys.executable, "-m", "archivae", *words], env=environment, cwd=ROOT, timeout=120, check=False,
        capture_output=True, text=True,
    )  # fmt: skip
    assert job.returncode == 0, job.stderr
    assert len(archive.files()) == 3
    (line,) = [line for line in job.stdout.splitlines() if "pictures/s" in line]
    seconds = float(line.split()[0])
    assert seconds < 20 < 120 and time.monotonic() - began < 120  # a search for credentials alone takes 22


@pytest.mark.parametrize("share", [[], ["--share-model"]], ids=["own copies", "shared"])
def test_two_worker_processes_make_the_same_archive(share: list[str], tmp_path: Path) -> None:
    source = Folder(str(tmp_path / "source")).put(PHOTOS)
    plain, parallel = Folder(str(tmp_path / "plain")), Folder(str(tmp_path / "parallel"))
    assert encode(source, plain) == 0
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}
    words = ["--direct_running_mode=multi_processing", "--direct_num_workers=2", "--accelerator=cpu", *share]
    subprocess.run(
        [sys.executable, "-m", "archivae", "encode", source.uri, parallel.uri, f"--model={MODEL}", *words],
        env=environment, cwd=ROOT, timeout=180, check=True, stdout=subprocess.DEVNULL,
    )  # fmt: skip
    assert parallel.files() == plain.files() and len(plain.files()) == 3
    assert {row.status for row in parallel.rows().values()} == {"done"}


def test_inspect_says_what_the_manifest_says_is_lost(
    source: Folder, archive: Folder, capsys: pytest.CaptureFixture[str]
) -> None:
    source.put({"sub/a.jpg": file_of(photo(96, 128), "JPEG", quality=95, comment=b"by hand")})
    assert encode(source, archive) == 0
    said = capsys.readouterr().out
    assert f"lost of {source.path('sub/a.jpg')}: comment" in said
    assert main(["inspect", "--json", archive.path("sub/a.jpg.avae")]) == 0
    (content,) = json.loads(capsys.readouterr().out).values()
    assert (content["lost"], content["changed"]) == (["comment"], [])
