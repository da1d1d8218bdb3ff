from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from rich.console import Console

from archivae.errors import StorageError, UsageError
from archivae.pipeline.training.data import TrainingPictures, check_enough, describe_pictures, load_pictures
from archivae.storage import scratch_of, write_object
from tests.training.tiny import smooth_picture

PICTURE_BYTES = 96 * 128 * 3


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for n in range(5):
        Image.fromarray(smooth_picture(n)).save(tmp_path / f"{n}.png")
    return tmp_path


def load(source: str | Path, *, seed: int = 0, memory: int = 10**9, side: int = 64) -> TrainingPictures:
    return load_pictures([str(source)], exclude=f"{source}/out", side=side, seed=seed, memory=memory)


def test_a_folder_is_read_whole_in_an_order_of_the_seed(folder: Path) -> None:
    orders = [load(folder, seed=seed).names for seed in (1, 1, 2)]
    assert sorted(orders[0]) == [f"{n}.png" for n in range(5)]
    assert orders[0] == orders[1] != orders[2]


def test_globs_choose(folder: Path) -> None:
    assert sorted(load(folder / "[13].png").names) == ["1.png", "3.png"]
    with pytest.raises(StorageError, match="found none"):
        load(folder / "*.tif")


def test_grey_is_repeated_to_rgb_without_taking_three_times_the_memory(tmp_path: Path) -> None:
    grey = smooth_picture(0)[:, :, 0]
    Image.fromarray(grey).save(tmp_path / "grey.png")
    (pixels,) = (loaded := load(tmp_path)).pixels
    assert loaded.bytes == grey.nbytes
    np.testing.assert_array_equal(pixels, np.stack([grey] * 3, 2))


def test_what_cannot_be_used_is_counted_and_said(folder: Path) -> None:
    (folder / "broken.jpg").write_bytes(b"\xff\xd8\xff but no more")
    (folder / "notes.txt").write_text("no picture, and does not claim to be one")
    (folder / "out").mkdir()
    Image.fromarray(smooth_picture(9)).save(folder / "out" / "logged.png")
    Image.fromarray(smooth_picture(9, 63, 500)).save(folder / "flat.png")
    (folder / "0.png").rename(folder / "5d41402abc4b")
    loaded = load(folder)
    assert sorted(loaded.names) == ["1.png", "2.png", "3.png", "4.png", "5d41402abc4b"]
    assert loaded.too_small == 1 and len(loaded.unreadable) == 1

    said = io.StringIO()
    describe_pictures(loaded, side=64, console=Console(file=said, width=500))
    lines = said.getvalue().splitlines()
    assert lines[0].startswith("5 pictures, 0.1 megapixels, 0.00 GiB")
    assert lines[1] == "1 smaller than 64 pixels: not used"
    assert lines[2] == "1 unreadable: not used; the first:" and "broken.jpg" in lines[3]


def test_beyond_the_memory_a_random_part_is_taken(folder: Path) -> None:
    parts = [load(folder, seed=seed, memory=2 * PICTURE_BYTES) for seed in range(6)]
    assert all(len(part.pixels) == 2 and part.left_out == 3 for part in parts)
    assert len({frozenset(part.names) for part in parts}) > 1
    said = io.StringIO()
    describe_pictures(parts[0], side=64, console=Console(file=said, width=500))
    assert "3 more not used, since the memory allowed is full: raise --memory" in said.getvalue()


def test_too_few_pixels_for_a_batch_are_refused(folder: Path) -> None:
    loaded = load(folder)
    check_enough(loaded, sources=["here"], side=64, batch=15)
    with pytest.raises(UsageError, match=r"expected at least the 0\.07 megapixels .* found 0\.06 in 5 pictures"):
        check_enough(loaded, sources=["here"], side=64, batch=16)


def test_the_fingerprint_tells_other_pictures(folder: Path) -> None:
    before = load(folder).fingerprint
    assert load(folder).fingerprint == before
    (folder / "4.png").unlink()
    assert load(folder).fingerprint != before


def test_buckets_are_read(gcs: str, folder: Path) -> None:
    for n in range(2):
        write_object(f"{gcs}/a/{n}.png", (folder / f"{n}.png").read_bytes(), scratch=scratch_of(gcs))
    assert sorted(load(f"{gcs}/a").names) == ["0.png", "1.png"]
