"""Pictures that are more than 8 bits of RGB, through whole jobs."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import archivae
from archivae.images import ReadOptions, open_picture
from archivae.images.deep_png import write_deep_png
from archivae.pipeline.cli import main
from tests.end_to_end.jobs import Folder, decode, encode
from tests.profiles import DISPLAY_P3, rgb_profile
from tests.samples import file_of, photo

ALPHA = (np.indices((64, 96)).sum(0) % 256).astype(np.uint8)
DEEP = (np.indices((40, 50)).sum(0)[:, :, None] * np.array([700, 300, 55])).astype(np.uint16)
PROFILE = rgb_profile(DISPLAY_P3, 2.2)


def animation() -> bytes:
    first, *rest = (Image.fromarray(photo(64, 96, seed)) for seed in range(3))
    file = io.BytesIO()
    first.save(file, "PNG", save_all=True, append_images=rest, duration=[40, 50, 60])
    return file.getvalue()


SOURCES = {
    "alpha.png": file_of(np.dstack([photo(64, 96), ALPHA])),
    "animation.png": animation(),
    "deep.png": write_deep_png(DEEP),
    "wide.png": file_of(photo(64, 96), icc_profile=PROFILE),
}


def test_by_default_what_is_dropped_is_said(source: Folder, archive: Folder, restored: Folder) -> None:
    source.put(SOURCES)
    assert encode(source, archive) == 0
    notes = {name: "; ".join(row.notes) for name, row in archive.rows().items()}
    assert "only the first is kept" in notes["animation.png"] and "reduced to 8 bits" in notes["deep.png"]
    assert "converted from made by hand to sRGB" in notes["wide.png"] and notes["alpha.png"] == ""
    assert decode(archive, restored) == 0
    assert np.array_equal(open_picture(restored.read("alpha.png")).alpha, ALPHA)
    assert open_picture(restored.read("wide.png")).metadata.icc == b""


def test_on_request_nothing_is(source: Folder, archive: Folder, restored: Folder) -> None:
    source.put(SOURCES)
    assert encode(source, archive, "--frames=all", "--depth=keep") == 0
    assert encode(source, archive, "--frames=all", "--depth=keep") == 0  # all skipped
    assert decode(archive, restored, "--restore-profile") == 0
    every = ReadOptions(frames="all", depth="keep")
    assert open_picture(restored.read("animation.png"), options=every).sequence.milliseconds == (40, 50, 60)
    assert np.array_equal(open_picture(restored.read("deep.png"), options=every).deep, DEEP)
    assert open_picture(restored.read("wide.png")).metadata.source_icc == PROFILE


@pytest.mark.parametrize("wishes", [(), ("--frames=all", "--depth=keep"), ("--frames=all", "--lossless")])
def test_an_archive_of_shards_gives_back_what_single_files_do(wishes: tuple[str, ...], tmp_path: Path) -> None:
    source, plain, shards, one, two = (Folder(str(tmp_path / name)) for name in ("source", "plain", "shards", "1", "2"))
    turned = Image.Exif()
    turned[0x0112] = 6
    source.put({**SOURCES, "turned.jpg": file_of(photo(64, 96), "JPEG", exif=turned.tobytes())})
    assert encode(source, plain, *wishes) == encode(source, shards, "--archive", *wishes) == 0
    for options in ((), ("--restore-profile", "--format=webp")):
        assert decode(plain, one, *options, "--overwrite") == decode(shards, two, *options, "--overwrite") == 0
    assert one.files() == two.files()
    assert main(["verify", shards.uri, "--all", "--against", source.uri, "--accelerator=cpu"]) == 0
    assert main(["get", shards.uri, "wide.png", "--restore-profile", "--output", str(tmp_path / "got")]) == 0
    if not wishes:
        assert Folder(str(tmp_path / "got")).read("wide.png") == decoded_with_profile(plain, tmp_path)


def decoded_with_profile(archive: Folder, tmp_path: Path) -> bytes:
    decoded = Folder(str(tmp_path / "profile"))
    assert decode(archive, decoded, "--restore-profile") == 0
    return decoded.read("wide.png")


def test_an_opened_archive_gives_what_decode_gives(tmp_path: Path) -> None:
    source, shards = Folder(str(tmp_path / "source")), Folder(str(tmp_path / "shards"))
    assert encode(source.put(SOURCES), shards, "--archive", "--depth=keep") == 0
    opened = archivae.open_archive(shards.uri, accelerator="cpu")
    assert np.array_equal(opened["alpha.png"][:, :, 3], ALPHA)
    assert np.array_equal(opened["deep.png"], DEEP)
    assert opened["animation.png"].shape == (64, 96, 3)


def test_other_wishes_over_the_same_destination_are_refused(source: Folder, archive: Folder) -> None:
    source.put(SOURCES)
    assert encode(source, archive) == 0
    assert encode(source, archive, "--strip-metadata") == 2


def test_a_jpeg_that_cannot_be_written_with_alpha_says_so(source: Folder, archive: Folder, restored: Folder) -> None:
    source.put({"alpha.png": SOURCES["alpha.png"]})
    assert encode(source, archive) == 0
    assert decode(archive, restored, "--format=jpeg") == 0
    (row,) = restored.rows().values()
    assert row.notes == ("transparency laid on white: jpeg has none",)


def test_a_dicom_without_its_extra_is_a_dead_letter(source: Folder, archive: Folder) -> None:
    source.put({"slice.dcm": bytes(128) + b"DICM" + bytes(100)})
    assert encode(source, archive) == 1
    (letter,) = archive.letters().values()
    assert letter.error in ("UnsupportedPictureError", "DamagedPictureError")
    assert "archivae[tfio]" in letter.reason or letter.error == "DamagedPictureError"
