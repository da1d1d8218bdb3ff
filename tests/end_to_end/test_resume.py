"""Second runs: nothing twice, nothing lost."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from archivae.storage import read_fragment, read_fragments
from tests.end_to_end.jobs import PHOTOS, Folder, decode, encode
from tests.samples import file_of, photo_file, two_colours


@pytest.fixture
def filled(source: Folder, archive: Folder) -> Folder:
    """The archive of `PHOTOS`, just made."""
    source.put(PHOTOS)
    assert encode(source, archive) == 0
    return archive


def changed(before: dict[str, str], after: dict[str, str]) -> set[str]:
    """Names of objects that are new or were written again, our own aside."""
    return {name for name in after if after[name] != before.get(name) and not name.startswith("_archivae/")}


def redone(folder: Folder) -> set[str]:
    """Names in the newest fragment of the manifest."""
    return {row.name for row in read_fragment(read_fragments(folder.uri)[-1])}


def test_a_second_run_does_nothing(source: Folder, filled: Folder, capsys: pytest.CaptureFixture[str]) -> None:
    before = filled.everything()
    capsys.readouterr()
    assert encode(source, filled) == 0
    assert filled.everything() == before
    assert "0 done, 3 skipped as done before, 0 failed" in capsys.readouterr().out


def test_a_second_decode_does_nothing(filled: Folder, restored: Folder) -> None:
    assert decode(filled, restored) == 0
    before = restored.everything()
    assert decode(filled, restored) == 0
    assert restored.everything() == before


def test_only_what_is_missing_is_done_again(source: Folder, filled: Folder) -> None:
    files, before = filled.files(), filled.everything()
    filled.delete("sub/b.png.avae")
    assert encode(source, filled) == 0
    assert filled.files() == files
    assert changed(before, filled.everything()) == {"sub/b.png.avae"}
    assert redone(filled) == {"sub/b.png"}


def test_only_what_is_new_is_done(source: Folder, filled: Folder) -> None:
    before = filled.everything()
    source.put({"sub/new.png": photo_file(seed=9)})
    assert encode(source, filled) == 0
    assert changed(before, filled.everything()) == {"sub/new.png.avae"}
    assert redone(filled) == {"sub/new.png"}


def test_a_changed_source_is_done_again(source: Folder, filled: Folder) -> None:
    before, old = filled.everything(), filled.files()
    source.put({"a.png": photo_file(seed=9)})
    assert encode(source, filled) == 0
    assert changed(before, filled.everything()) == {"a.png.avae"}
    assert filled.read("a.png.avae") != old["a.png.avae"]
    assert filled.rows()["a.png"].fingerprint == source.everything()["a.png"]


def test_what_failed_is_tried_again(source: Folder, archive: Folder) -> None:
    source.put({"a.png": PHOTOS["a.png"], "b.png": b"not yet a picture"})
    assert encode(source, archive) == 1
    assert encode(source, archive) == 1
    source.put({"b.png": PHOTOS["sub/b.png"]})
    assert encode(source, archive) == 0
    assert {row.status for row in archive.rows().values()} == {"done"}
    assert encode(source, archive) == 0


def test_finished_files_without_a_row_are_adopted(source: Folder, filled: Folder) -> None:
    """As when a job was killed between writing its files and writing their rows."""
    rows = filled.rows()
    filled.delete(*filled.own("manifest/"))
    before = filled.everything()
    assert encode(source, filled) == 0
    assert not changed(before, filled.everything())
    again = filled.rows()
    assert again.keys() == rows.keys()
    for name, row in rows.items():
        for field in ("sha256", "fingerprint", "status", "coding", "archive", "archive_bytes", "psnr", "model", "bpp"):
            assert getattr(again[name], field) == getattr(row, field)


def test_damaged_or_foreign_files_without_a_row_are_made_anew_when_asked(source: Folder, filled: Folder) -> None:
    files = filled.files()
    filled.delete(*filled.own("manifest/"), "a.png.avae", "sub/b.png.avae")
    filled.put({"a.png.avae": files["a.png.avae"][:-1], "sub/b.png.avae": files["a.png.avae"]})
    before = filled.everything()
    assert encode(source, filled) == encode(source, filled, "--overwrite") == 1
    assert changed(before, filled.everything()) == set()
    assert {name: letter.error for name, letter in filled.letters().items()} == {
        "a.png": "DestinationError", "b.png": "DestinationError",
    }  # fmt: skip
    assert encode(source, filled, "--overwrite-foreign") == 0
    assert filled.files() == files
    assert changed(before, filled.everything()) == {"a.png.avae", "sub/b.png.avae"}


def test_files_of_another_quality_without_a_row_are_made_anew_when_asked(source: Folder, filled: Folder) -> None:
    files = filled.files()
    filled.delete(*filled.own("manifest/"))
    assert encode(source, filled, "--quality=5") == 1
    assert filled.files() == files
    assert encode(source, filled, "--quality=5", "--overwrite-foreign") == 0
    assert all(len(data) < len(files[name]) for name, data in filled.files().items())


def test_other_options_are_refused_unless_overwritten(
    source: Folder, filled: Folder, capsys: pytest.CaptureFixture[str]
) -> None:
    files, before = filled.files(), filled.everything()
    assert encode(source, filled, "--quality=5") == 2
    assert "--overwrite" in capsys.readouterr().err
    assert encode(source, filled, "--quality=5", "--dry-run") == 2
    assert decode(source, filled) == 2
    assert filled.everything() == before
    assert encode(source, filled, "--quality=5", "--overwrite") == 0
    assert filled.files().keys() == files.keys() and filled.files() != files
    assert {row.quality for row in filled.rows().values()} == {5}
    # Now these are the options of the archive.
    before = filled.everything()
    assert encode(source, filled, "--quality=5") == 0
    assert filled.everything() == before
    assert encode(source, filled) == 2


def test_overwrite_with_the_same_options_does_nothing_twice(source: Folder, filled: Folder) -> None:
    before = filled.everything()
    assert encode(source, filled, "--overwrite") == 0
    assert filled.everything() == before


def test_another_collection_does_not_take_over_names(
    filled: Folder, new_folder: Callable[[str], Folder], source: Folder
) -> None:
    files = filled.files()
    other = new_folder("other").put({"a.png": photo_file(seed=8), "fresh.png": photo_file(seed=7)})
    assert encode(other, filled) == 1
    assert filled.files().keys() == {*files, "fresh.png.avae"}
    assert filled.read("a.png.avae") == files["a.png.avae"]
    assert filled.letters()["a.png"].error == "DestinationError"
    assert encode(other, filled) == encode(other, filled, "--overwrite") == 1
    assert filled.read("a.png.avae") == files["a.png.avae"]
    assert encode(other, filled, "--overwrite-foreign") == 0
    assert filled.read("a.png.avae") != files["a.png.avae"]


def test_a_dry_run_writes_nothing_and_counts_what_is_left(
    source: Folder, archive: Folder, capsys: pytest.CaptureFixture[str]
) -> None:
    source.put(PHOTOS)
    assert encode(source, archive, "--dry-run") == 0
    assert not archive.everything()
    total = sum(map(len, PHOTOS.values()))
    assert f"3 objects, {total:,} bytes" in " ".join(capsys.readouterr().out.split())
    assert encode(source, archive) == 0
    archive.delete("a.png.avae")
    before = archive.everything()
    capsys.readouterr()
    assert encode(source, archive, "--dry-run") == 0
    assert archive.everything() == before
    assert f"1 objects, {len(PHOTOS['a.png']):,} bytes" in " ".join(capsys.readouterr().out.split())


def test_decoding_again_after_more_was_archived(source: Folder, filled: Folder, restored: Folder) -> None:
    """A new name may take another's short one: both then keep their full names."""
    assert decode(filled, restored) == 0
    source.put({"a.bmp": file_of(two_colours(64, 64))})
    assert encode(source, filled) == 0
    assert decode(filled, restored) == 0
    assert {"a.png.png", "a.bmp.png"} <= restored.files().keys()
    assert restored.read("a.png.png") == restored.read("a.png")


def test_lost_pictures_of_decode_are_made_again(filled: Folder, restored: Folder) -> None:
    assert decode(filled, restored) == 0
    files = restored.files()
    restored.delete("sub/b.png")
    before = restored.everything()
    assert decode(filled, restored) == 0
    assert restored.files() == files
    assert changed(before, restored.everything()) == {"sub/b.png"}
