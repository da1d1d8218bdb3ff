"""What is wrong with a source ends in the dead letters, and takes nothing else with it."""

from __future__ import annotations

import os
import struct
import zlib
from pathlib import Path

import pytest
from google.auth.credentials import AnonymousCredentials
from google.cloud.storage import Client

from archivae.pipeline.cli import main
from tests.end_to_end.jobs import PHOTOS, Folder, decode, encode
from tests.samples import MODEL, file_of, photo


def bomb() -> bytes:
    """A PNG whose header promises 10 gigapixels."""
    head = b"IHDR" + struct.pack(">IIBBBBB", 100_000, 100_000, 8, 2, 0, 0, 0)
    data = b"IDAT" + zlib.compress(bytes(1000))
    chunks = (
        struct.pack(">I", len(chunk) - 4) + chunk + struct.pack(">I", zlib.crc32(chunk)) for chunk in (head, data)
    )
    return b"\x89PNG\r\n\x1a\n" + b"".join(chunks)


JPEG = file_of(photo(96, 128), "JPEG", quality=95)
BAD = {
    "truncated.jpg": (JPEG[: len(JPEG) // 2], "encode", "DamagedPictureError"),
    "empty.jpg": (b"", "encode", "DamagedPictureError"),
    "text.png": (b"I am no picture", "encode", "DamagedPictureError"),
    "zeros.webp": (bytes(500), "encode", "DamagedPictureError"),
    "bomb.png": (bomb(), "encode", "PictureTooLargeError"),
    "raw.cr3": (b"\0\0\0\x18ftypcrx " + bytes(200), "encode", "UnsupportedPictureError"),
    "archive.jpg": (b"\x89AVAE" + bytes(50), "encode", "DamagedPictureError"),
}


def test_bad_pictures_go_to_the_dead_letters_and_good_ones_go_on(
    source: Folder, archive: Folder, capsys: pytest.CaptureFixture[str]
) -> None:
    source.put(PHOTOS).put({name: data for name, (data, *_) in BAD.items()})
    assert encode(source, archive) == 1
    assert archive.files().keys() == {f"{name}.avae" for name in PHOTOS}
    letters = archive.letters()
    assert {name: (letter.step, letter.error) for name, letter in letters.items()} == {
        name: (step, error) for name, (_, step, error) in BAD.items()
    }
    rows = archive.rows()
    for name, letter in letters.items():
        assert letter.object == source.path(name) and letter.reason
        assert rows[name].status == "failed" and rows[name].error == f"{letter.error}: {letter.reason}"
        assert (rows[name].archive, rows[name].archive_bytes) == ("", 0)
    out = " ".join(capsys.readouterr().out.split())
    assert f"3 done, 0 skipped as done before, {len(BAD)} failed" in out
    assert "dead-letters-*.jsonl" in out


def test_max_pixels(source: Folder, archive: Folder, restored: Folder) -> None:
    source.put(PHOTOS)
    assert encode(source, archive, f"--max-pixels={64 * 64}") == 1
    assert archive.files().keys() == {"a.png.avae"}
    assert {letter.error for letter in archive.letters().values()} == {"PictureTooLargeError"}
    assert encode(source, archive) == 0
    assert decode(archive, restored, f"--max-pixels={64 * 64}") == 1
    assert restored.files().keys() == {"a.png"}
    assert restored.letters()["b.png.avae"].error == "PictureTooLargeError"


def test_damaged_bitstreams_never_become_pictures(source: Folder, archive: Folder, restored: Folder) -> None:
    source.put(PHOTOS)
    assert encode(source, archive) == 0
    good = archive.read("a.png.avae")
    flipped = bytearray(good)
    flipped[len(good) // 2] ^= 4
    archive.put({"cut.png.avae": good[:-3], "flipped.png.avae": bytes(flipped), "empty.avae": b"", "text.avae": b"hi"})
    assert decode(archive, restored) == 1
    assert restored.files().keys() == PHOTOS.keys()
    assert {name: (letter.step, letter.error) for name, letter in restored.letters().items()} == dict.fromkeys(
        ("cut.png.avae", "flipped.png.avae", "empty.avae", "text.avae"), ("decode", "CorruptBitstreamError")
    )


def test_an_object_named_for_decode_that_is_no_archive_is_a_failure(source: Folder, restored: Folder) -> None:
    source.put({"a.png": PHOTOS["a.png"]})
    assert decode(source.path("a.png"), restored) == 1
    assert restored.letters()["a.png"].error == "CorruptBitstreamError"


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() == 0, reason="root reads everything")
def test_an_unreadable_file_is_a_dead_letter(tmp_path: Path) -> None:
    source, archive = Folder(str(tmp_path / "source")).put(PHOTOS), Folder(str(tmp_path / "archive"))
    Path(source.path("a.png")).chmod(0)
    assert encode(source, archive) == 1
    assert archive.letters()["a.png"].step == "read"
    assert len(archive.files()) == 2


def test_dangling_links_and_folders_named_like_pictures(tmp_path: Path) -> None:
    source, archive = Folder(str(tmp_path / "source")).put(PHOTOS), Folder(str(tmp_path / "archive"))
    Path(source.path("gone.png")).symlink_to(tmp_path / "nowhere.png")
    source.put({"folder.png/inner.png": PHOTOS["a.png"]})
    assert encode(source, archive) == 1
    assert archive.letters().keys() == {"gone.png"} and archive.letters()["gone.png"].step == "read"
    assert "folder.png/inner.png.avae" in archive.files()


@pytest.mark.parametrize("name", ["../escape.png", "x/../../y.png", "/abs.png"])
def test_names_that_could_escape_the_destination_are_dead_letters(name: str, gcs: str) -> None:
    """A bucket's names are any text."""
    source, archive = Folder(f"{gcs}/source"), Folder(f"{gcs}/archive")
    source.put({"good.png": PHOTOS["a.png"]})
    bucket = Client(project="emulator", credentials=AnonymousCredentials()).bucket(gcs.removeprefix("gs://"))
    bucket.blob(f"source/{name}").upload_from_string(PHOTOS["a.png"])
    if not any(entry.endswith(name) for entry in source.everything()):
        pytest.skip("the emulator spells this name otherwise")
    assert encode(source, archive) == 1
    assert archive.files().keys() == {"good.png.avae"}
    assert [letter.error for letter in archive.letters().values()] == ["UnsafeNameError"]


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--quality=101"], "quality goes from 0 to 100"),
        (["--max-pixels=0"], "max-pixels"),
        (["--accelerator=cuda"], "cuda"),
        (["--runner=DaskRunner"], "loses data"),
        (["--model=no-such-model"], "no-such-model"),
        (["--qualty=3"], "qualty"),
    ],
)
def test_bad_usage_is_2_before_anything_is_written(
    words: list[str], said: str, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("torch.cuda.is_available", lambda: False)
    source, archive = Folder(str(tmp_path / "source")).put(PHOTOS), tmp_path / "archive"
    defaults = [word for word in (f"--model={MODEL}", "--accelerator=cpu") if word.split("=")[0] not in words[0]]
    assert main(["encode", source.uri, str(archive), *defaults, *words]) == 2
    assert said in capsys.readouterr().err
    assert not archive.exists()


def test_words_that_no_command_knows_are_2(tmp_path: Path) -> None:
    for words in (
        [],
        ["paint"],
        ["encode", "only-source"],
        ["encode", "a", "b", "--accelerator=abacus"],
        ["models", "-x"],
    ):
        with pytest.raises(SystemExit) as exit:
            main(words)
        assert exit.value.code == 2


@pytest.mark.parametrize("place", ["nowhere", "empty-folder", "nowhere/*.png"])
def test_a_source_that_holds_nothing_is_2(place: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "empty-folder").mkdir()
    assert encode(str(tmp_path / place), str(tmp_path / "archive")) == 2
    assert "found none" in capsys.readouterr().err
    assert not (tmp_path / "archive").exists()


def test_a_bucket_that_is_not_there_is_2(gcs: str, tmp_path: Path) -> None:
    source = Folder(str(tmp_path / "source")).put(PHOTOS)
    assert encode("gs://no-such-bucket-here/x", str(tmp_path / "archive")) == 2
    assert encode(source, "gs://no-such-bucket-here/x") == 2


def test_a_destination_that_is_a_file_is_2(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    source = Folder(str(tmp_path / "source")).put(PHOTOS)
    (tmp_path / "file").write_bytes(b"mine")
    assert encode(source, str(tmp_path / "file")) == 2
    assert "file" in capsys.readouterr().err
    assert (tmp_path / "file").read_bytes() == b"mine"
