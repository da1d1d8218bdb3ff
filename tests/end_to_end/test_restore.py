"""`archivae restore` and `archivae encode --restore`, as whole jobs."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from archivae.images import open_picture
from archivae.images.deep_png import write_deep_png
from archivae.pipeline.cli import main
from archivae.transforms.restore import AS_STORED
from tests.end_to_end.jobs import Folder, command, encode
from tests.profiles import DISPLAY_P3, rgb_profile
from tests.restorers import noisy_picture, some_holes, write_restorers
from tests.samples import file_of, pixels_of
from tests.training.tiny import smooth_picture

NOISY, SIDEWAYS = noisy_picture(1), 6
PROFILE = rgb_profile(DISPLAY_P3, 2.2)
HOLES = some_holes(96, 128)


def photograph() -> bytes:
    """A noisy JPEG with EXIF that says it lies on its side, and a profile."""
    exif = Image.Exif()
    exif[0x0112], exif[0x010F] = SIDEWAYS, "A camera"
    return file_of(NOISY, "JPEG", quality=95, exif=exif.tobytes(), icc_profile=PROFILE)


SOURCES = {
    "photo.jpg": photograph(),
    "sub/grey.png": file_of(NOISY[:, :, :1]),
    "sub/deep.png": write_deep_png(NOISY.astype(np.uint16) * 257),
    "good.png": file_of(smooth_picture(2)),
}


@pytest.fixture(scope="module")
def restorers(tmp_path_factory: pytest.TempPathFactory) -> str:
    return f"--restorers={write_restorers(tmp_path_factory.mktemp('restorers'))}"


def mask_file(mask: np.ndarray) -> bytes:
    return file_of(mask[:, :, None].astype(np.uint8) * 255)


def test_a_folder_restored(source: Folder, restored: Folder, restorers: str) -> None:
    source.put({**SOURCES, "README.md": b"not a picture", "old.avae": b"left alone"})
    assert command("restore", source, restored, "--task=denoise", "--strength=20", restorers) == 0
    assert restored.files().keys() == {"photo.png", "sub/grey.png", "sub/deep.png", "good.png"}
    rows = restored.rows()
    assert rows["README.md"].status == "not-a-picture" and "old.avae" not in rows
    for name in SOURCES:
        row = rows[name]
        assert (row.status, row.operation, row.tasks, row.strengths) == ("done", "restore", ("denoise",), (20.0,))
        assert row.seconds > 0 and row.archive_bytes == len(restored.read(row.archive.removeprefix(f"{restored.uri}/")))
        before = open_picture(SOURCES[name], options=AS_STORED)
        after = open_picture(restored.read(row.archive.removeprefix(f"{restored.uri}/")), options=AS_STORED)
        assert after.pixels.shape == before.pixels.shape and (after.deep is None) == (before.deep is None)
        assert after.metadata == before.metadata and not np.array_equal(after.pixels, before.pixels)


def test_exif_profile_and_orientation_survive(source: Folder, restored: Folder, restorers: str) -> None:
    source.put({"photo.jpg": SOURCES["photo.jpg"]})
    assert command("restore", source, restored, "--task=denoise", "--strength=0.01", "--format=jpeg", restorers) == 0
    image = Image.open(io.BytesIO(restored.read("photo.jpg")))
    assert image.size == (96, 128)  # upright
    assert image.getexif()[0x0112] == 1 and image.getexif()[0x010F] == "A camera"
    assert image.info["icc_profile"] == PROFILE


def test_auto_leaves_good_pictures_alone_and_says_what_it_did(
    source: Folder, restored: Folder, restorers: str, capsys: pytest.CaptureFixture[str]
) -> None:
    source.put({"bad.png": file_of(NOISY), "good.png": SOURCES["good.png"]})
    assert command("restore", source, restored, "--task=auto", restorers) == 0
    rows = restored.rows()
    assert rows["good.png"].tasks == () and "left as it was" in rows["good.png"].notes[0]
    assert np.array_equal(pixels_of(restored.read("good.png")), smooth_picture(2))
    assert "denoise" in rows["bad.png"].notes[0]
    assert "restored into" in capsys.readouterr().out


def test_a_second_run_does_nothing_and_a_killed_one_is_finished(
    source: Folder, restored: Folder, restorers: str, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ("--task=denoise", "--strength=20", restorers)
    source.put(SOURCES)
    assert command("restore", source, restored, *words, "--dry-run") == 0
    assert "would work on 4 objects" in capsys.readouterr().out and not restored.everything()
    assert command("restore", source, restored, *words) == 0
    before, files = restored.everything(), restored.files()
    assert command("restore", source, restored, *words) == 0
    assert restored.everything() == before and "4 skipped as done before" in capsys.readouterr().out
    restored.delete("good.png")
    assert command("restore", source, restored, *words) == 0
    assert restored.files() == files
    assert command("restore", source, restored, "--task=denoise", "--strength=21", restorers) == 2
    assert "was filled with" in capsys.readouterr().err


def test_masks_beside_pictures(source: Folder, restored: Folder, restorers: str) -> None:
    damaged = np.where(HOLES[:, :, None], 0, smooth_picture(5)).astype(np.uint8)
    whole = {"a.png": file_of(damaged), "a_mask.png": mask_file(HOLES)}
    wrong = {"small.png": file_of(damaged), "small_mask.png": mask_file(HOLES[:-1])}
    lost = {"all.png": file_of(damaged), "all_mask.png": mask_file(HOLES | True), "none.png": file_of(damaged)}
    source.put({**whole, **wrong, **lost})
    assert command("restore", source, restored, "--task=inpaint", "--masks=*_mask.png", restorers) == 1
    assert restored.files().keys() == {"a.png"}
    found = pixels_of(restored.read("a.png"))
    assert np.array_equal(found[~HOLES], damaged[~HOLES]) and (found[HOLES] != 0).mean() > 0.5
    letters = restored.letters()
    assert letters.keys() == {"small.png", "all.png", "none.png"}
    assert {(letter.step, letter.error) for letter in letters.values()} == {("restore", "MaskError")}
    source.put(
        {"small_mask.png": mask_file(HOLES), "all_mask.png": mask_file(HOLES), "none_mask.png": mask_file(HOLES)}
    )
    assert command("restore", source, restored, "--task=inpaint", "--masks=*_mask.png", restorers) == 0
    assert restored.files().keys() == {"a.png", "small.png", "all.png", "none.png"}


def test_masks_in_a_folder_a_colour_and_transparency(source: Folder, restored: Folder, restorers: str) -> None:
    picture = smooth_picture(5)
    pink = np.where(HOLES[:, :, None], (255, 0, 255), picture).astype(np.uint8)
    clear = np.dstack([picture, np.where(HOLES, 0, 255).astype(np.uint8)])
    source.put({"mask/x/a.png": file_of(picture), "mask/masks/x/a.png": mask_file(HOLES)})
    source.put({"colour/a.png": file_of(pink), "alpha/a.png": file_of(clear)})
    found = []
    for kind, words in (("mask", ["--masks=masks/*.png"]), ("colour", ["--mask-colour=ff00ff"]), ("alpha", [])):
        out = Folder(restored.path(kind))
        assert command("restore", source.path(kind), out, "--task=inpaint", restorers, *words) == 0
        (data,) = out.files().values()
        found.append(pixels_of(data))
    assert all(np.array_equal(found[0], other) for other in found[1:]) and found[0].shape == picture.shape


def test_restoration_feeds_encode(source: Folder, archive: Folder, restored: Folder, restorers: str) -> None:
    source.put({"a.png": file_of(NOISY), "sub/b.png": file_of(noisy_picture(2))})
    words = ("--restore=denoise", "--strength=20", restorers)
    assert encode(source, archive, *words) == 0
    rows = archive.rows()
    assert {(row.operation, row.tasks, row.strengths) for row in rows.values()} == {("encode", ("denoise",), (20.0,))}
    assert encode(source, archive, *words) == 0
    assert encode(source, archive) == 2  # other options
    assert command("restore", source, restored, "--task=denoise", "--strength=20", restorers) == 0
    again = Folder(archive.uri + "-again")
    assert encode(restored, again) == 0
    assert again.rows()["a.png"].psnr == rows["a.png"].psnr  # what was coded is the restored picture


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ([], "--task is missing"),
        (["--task=denoise", "--strength=65"], "denoise of 0 to 64"),
        (["--task=auto", "--strength=5"], "no strength for auto"),
        (["--task=denoise", "--masks=*.png"], "masks for inpaint alone"),
        (["--task=inpaint", "--masks=*_mask.png"], "found none at all"),
        (["--task=inpaint", "--masks=*.png"], "found masks alone"),
        (["--task=inpaint", "--mask-colour=pink"], "RRGGBB"),
        (["--task=denoise", "--restorers=/no/such/folder"], "denoise.safetensors"),
    ],
)
def test_bad_words_are_2(
    tmp_path: Path, restorers: str, words: list[str], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    source = Folder(str(tmp_path / "source")).put({"a.png": file_of(NOISY)})
    assert command("restore", source, str(tmp_path / "restored"), restorers, *words) == 2
    assert message in capsys.readouterr().err
    assert not (tmp_path / "restored").exists()


def test_an_unknown_task_is_2(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as exit:
        main(["restore", "a", "b", "--task=sharpen"])
    assert exit.value.code == 2 and "invalid choice: 'sharpen'" in capsys.readouterr().err


def test_originals_are_never_written_over(tmp_path: Path, restorers: str, capsys: pytest.CaptureFixture[str]) -> None:
    source = Folder(str(tmp_path / "source")).put({"a.png": file_of(NOISY)})
    assert command("restore", source, source, "--task=denoise", restorers) == 2
    assert "is the source itself" in capsys.readouterr().err and source.read("a.png") == file_of(NOISY)


def test_words_of_a_restoration_without_one_are_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    source = Folder(str(tmp_path / "source")).put({"a.png": file_of(NOISY)})
    assert encode(source, str(tmp_path / "archive"), "--strength=20") == 2
    assert "give --restore" in capsys.readouterr().err


def test_the_plain_beam_program(tmp_path: Path, restorers: str) -> None:
    from archivae.pipeline.cli import run_and_report

    source = Folder(str(tmp_path / "source")).put({"a.png": file_of(NOISY)})
    words = ["--operation=restore", f"--input={source.uri}", f"--output={tmp_path / 'out'}", "--accelerator=cpu"]
    assert run_and_report([*words, "--task=dejpeg", "--strength=30", "--format=webp", restorers]) == 0
    assert (tmp_path / "out" / "a.webp").exists()
