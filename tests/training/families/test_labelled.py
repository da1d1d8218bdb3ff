"""Labelled pictures out of folders, zips and IDX files."""

from __future__ import annotations

import io
import zipfile
from pathlib import Path

import numpy as np
import pytest

from archivae.errors import DamagedPictureError, UsageError
from archivae.models import Form
from archivae.pipeline.training.labelled import load_labelled
from tests.autoencoders import pictures
from tests.samples import file_of
from tests.training.families.test_idx import idx_file


def class_files() -> dict[str, bytes]:
    shown = pictures(4)
    names = ["train/b/1.png", "train/a/2.png", "test/a/3.png", "train/a/1.png"]
    return {name: file_of(picture) for name, picture in zip(names, shown, strict=True)}


def fill(folder: Path, files: dict[str, bytes]) -> str:
    for name, data in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
    return str(folder)


def zipped(files: dict[str, bytes]) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for name, data in files.items():
            archive.writestr(name, data)
    return buffer.getvalue()


@pytest.mark.parametrize("packed", [False, True])
def test_folders_are_classes(tmp_path: Path, packed: bool) -> None:
    files = class_files()
    source = fill(tmp_path, {"all.zip": zipped(files)} if packed else files)
    loaded = load_labelled(source, part="train")
    shown = pictures(4)
    assert loaded.names == ("a", "b") and loaded.labels.tolist() == [0, 0, 1]
    assert np.array_equal(loaded.pixels, shown[[3, 1, 0]])
    assert loaded.form == Form(1, 12, 12, labels=("a", "b"))
    assert len(load_labelled(source).pixels) == 4


def test_what_is_unreadable_is_told_and_left_out(tmp_path: Path) -> None:
    source = fill(tmp_path, class_files() | {"train/a/bad.png": b"no picture", "train/README": b"text"})
    loaded = load_labelled(source)
    assert len(loaded.pixels) == 4 and len(loaded.unreadable) == 1
    assert loaded.unreadable[0].startswith("train/a/bad.png: ")


def test_idx_files_go_together(tmp_path: Path) -> None:
    shown = pictures(5)[..., 0]
    files = {
        "t10k-images-idx3-ubyte": idx_file(shown),
        "t10k-labels-idx1-ubyte": idx_file(np.array([2, 0, 1, 1, 0], np.uint8)),
    }
    loaded = load_labelled(fill(tmp_path, files), first=3)
    assert loaded.names == ("0", "1", "2") and loaded.labels.tolist() == [2, 0, 1]
    assert np.array_equal(loaded.pixels, shown[:3, ..., None])
    alone = load_labelled(str(tmp_path / "t10k-images-idx3-ubyte"))
    assert alone.names == () and alone.form == Form(1, 12, 12)


def test_mistakes_are_said(tmp_path: Path) -> None:
    shown = pictures(2)[..., 0]
    both = {"images": idx_file(shown), "labels": idx_file(np.zeros(3, np.uint8))}
    with pytest.raises(UsageError, match="a label a picture .* found 3 for 2"):
        load_labelled(fill(tmp_path / "counts", both))
    with pytest.raises(UsageError, match=r"one size .* found \(12, 12\) and \(16, 16\)"):
        load_labelled(
            fill(tmp_path / "sizes", {"a.png": file_of(pictures(1)[0]), "b.png": file_of(pictures(1, side=16)[0])})
        )
    with pytest.raises(UsageError, match="found none that can be read"):
        load_labelled(fill(tmp_path / "none", {"a.txt": b"x"}))
    with pytest.raises(UsageError, match="--first of 1 to 4"):
        load_labelled(fill(tmp_path / "few", class_files()), first=5)
    with pytest.raises(DamagedPictureError, match="damaged or encrypted"):
        load_labelled(fill(tmp_path / "zip", {"a.zip": zipped(class_files())[:-30]}))
