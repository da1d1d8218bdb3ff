"""Pictures that are more than 8 bits of RGB, through whole jobs."""

from __future__ import annotations

import io

import numpy as np
from PIL import Image

from archivae.images import ReadOptions, open_picture
from archivae.images.deep_png import write_deep_png
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
