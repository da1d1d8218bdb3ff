"""Jobs that ask for a PSNR or a size."""

from __future__ import annotations

from pathlib import Path

import pytest

from archivae.bitstream import read_bitstream
from archivae.operations.encode import encode_file
from archivae.pipeline.cli import main
from tests.end_to_end.jobs import Folder, encode
from tests.samples import file_of, photo, photo_file, small_codec, two_colours

FILES = {"a.png": photo_file(192, 256), "drawing.bmp": file_of(two_colours(96, 128), "BMP")}
LARGE = {"large.png": photo_file(256, 320)}


def least_bytes(data: bytes) -> int:
    """What quality 0 takes."""
    return len(encode_file(data, small_codec(), 0).data)


@pytest.fixture
def source(tmp_path: Path) -> Folder:
    return Folder(str(tmp_path / "source")).put(FILES)


@pytest.fixture
def archive(tmp_path: Path) -> Folder:
    return Folder(str(tmp_path / "archive"))


def test_what_does_not_fit_is_a_dead_letter(source: Folder, archive: Folder) -> None:
    source.put(LARGE)
    most = round(1.2 * least_bytes(FILES["a.png"]))
    assert most < least_bytes(LARGE["large.png"])
    assert encode(source, archive, f"--max-bytes={most}") == 1
    rows = archive.rows()
    assert [rows[name].status for name in ("a.png", "drawing.bmp", "large.png")] == ["done", "done", "failed"]
    letter = archive.letters()["large.png"]
    assert (letter.step, letter.error) == ("encode", "TargetError")
    assert f"at most {most:,} bytes" in letter.reason and "quality 0 takes" in letter.reason
    for name, coding in (("a.png", "learned"), ("drawing.bmp", "lossless")):
        assert rows[name].coding == coding and rows[name].archive_bytes <= most
    assert rows["a.png"].quality == read_bitstream(archive.read("a.png.avae")).quality / 256 > 0


def test_ms_ssim_of_a_small_picture_is_a_dead_letter(source: Folder, archive: Folder) -> None:
    assert encode(source, archive, "--target-ssim=.9") == 1
    assert {letter.error for letter in archive.letters().values()} == {"TargetError"}


def test_a_second_run_does_nothing_and_finished_files_are_adopted(source: Folder, archive: Folder) -> None:
    assert encode(source, archive, "--target-psnr=19") == 0
    row = archive.rows()["a.png"]
    assert 19 <= row.psnr <= 19.1 and row.coding == "learned"
    before = archive.everything()
    assert encode(source, archive, "--target-psnr=19") == 0
    assert archive.everything() == before
    archive.delete(*archive.own("manifest/"))
    assert encode(source, archive, "--target-psnr=19") == 0
    assert archive.everything()["a.png.avae"] == before["a.png.avae"]
    again = archive.rows()["a.png"]
    assert (again.quality, again.psnr, again.notes) == (row.quality, row.psnr, row.notes)


def test_another_target_is_another_archive(source: Folder, archive: Folder, capsys: pytest.CaptureFixture[str]) -> None:
    assert encode(source, archive, "--target-psnr=19") == 0
    assert encode(source, archive, "--target-psnr=19.5") == 2
    assert encode(source, archive) == 2
    assert "--overwrite" in capsys.readouterr().err
    assert encode(source, archive, "--target-psnr=19.5", "--overwrite") == 0
    assert 19.5 <= archive.rows()["a.png"].psnr <= 19.6


def test_lossless_keeps_every_pixel(source: Folder, archive: Folder, tmp_path: Path) -> None:
    source.put({"photo.jpg": file_of(photo(96, 128), "JPEG", quality=30)})
    assert encode(source, archive, "--lossless") == 0
    rows = archive.rows()
    assert {name: row.coding for name, row in rows.items()} == {
        "a.png": "lossless", "drawing.bmp": "lossless", "photo.jpg": "original",
    }  # fmt: skip
    assert {row.psnr for row in rows.values()} == {float("inf")}


def test_two_at_once_are_bad_usage(source: Folder, archive: Folder, capsys: pytest.CaptureFixture[str]) -> None:
    assert encode(source, archive, "--lossless", "--target-bpp=1") == 2
    assert "target_bpp and lossless at once" in capsys.readouterr().err
    assert not archive.everything()


def test_the_help_names_every_target(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["encode", "--help"])
    out = capsys.readouterr().out
    assert all(word in out for word in ("--quality", "--target-psnr", "--target-ssim", "--target-bpp", "--max-bytes"))
