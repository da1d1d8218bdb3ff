"""Restoration as a Beam developer uses it, on the in-process runner."""

from __future__ import annotations

import threading
import uuid
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any

import apache_beam as beam
import numpy as np
import pytest
from apache_beam.options.pipeline_options import PipelineOptions

from archivae import EncodeImages, ReadImages, RestoreImages, WriteImages, restore
from archivae.errors import ModelError, StorageError, UnknownModelError, UsageError
from archivae.models import Restorer
from archivae.operations.restoration import Restoration
from archivae.operations.restorers import put_restorer_on_device
from archivae.storage import ManifestRow, StoredObject, read_dead_letters, read_manifest
from archivae.transforms import Item
from archivae.transforms.restorer_residency import RestorerSource
from tests.restorers import noisy_picture, write_restorers
from tests.samples import MODEL, file_of, pixels_of
from tests.training.tiny import smooth_picture

PICTURES = {"a.png": noisy_picture(1), "sub/b.png": noisy_picture(2)[:, :, :1], "good.png": smooth_picture(3)}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> str:
    return write_restorers(tmp_path_factory.mktemp("restorers"))


@pytest.fixture
def source(tmp_path: Path) -> Path:
    source = tmp_path / "source"
    for name, pixels in PICTURES.items():
        (source / name).parent.mkdir(parents=True, exist_ok=True)
        (source / name).write_bytes(file_of(pixels))
    return source


def run(source: Path, destination: Path, *steps: beam.PTransform[Any, Any]) -> dict[str, ManifestRow]:
    """The manifest's rows by name."""
    with beam.Pipeline("FnApiRunner") as pipeline:
        items = pipeline | ReadImages(str(source))
        for step in steps:
            items = items | step
        _ = items | WriteImages(str(destination), operation="restore")
    return {row.name: row for row in read_manifest(str(destination)).values()}


def test_pictures_are_what_the_plain_function_gives(source: Path, tmp_path: Path, folder: str) -> None:
    step = RestoreImages("denoise", 20.0, restorers=folder, accelerator="cpu")
    rows = run(source, tmp_path / "restored", step)
    for name, pixels in PICTURES.items():
        alone = restore(pixels, task="denoise", strength=20, restorers=folder, accelerator="cpu")
        written = pixels_of((tmp_path / "restored" / name).read_bytes())
        assert np.array_equal(written.reshape(alone.shape), alone)
        row = rows[name]
        assert (row.status, row.tasks, row.strengths) == ("done", ("denoise",), (20.0,))
        assert row.seconds > 0 and (row.height, row.width) == pixels.shape[:2] and row.operation == "restore"


def test_auto_says_what_it_did(source: Path, tmp_path: Path, folder: str) -> None:
    rows = run(source, tmp_path / "restored", RestoreImages(restorers=folder, accelerator="cpu", format="webp"))
    assert rows["a.png"].notes[0].startswith("auto: noise ") and rows["a.png"].archive.endswith("/a.webp")
    assert rows["good.png"].tasks == () and rows["good.png"].notes[0].endswith("left as it was")
    assert np.array_equal(pixels_of((tmp_path / "restored" / "good.webp").read_bytes()), PICTURES["good.png"])


def test_a_restoration_feeds_encode(source: Path, tmp_path: Path, folder: str) -> None:
    restoration = Restoration("denoise", 20.0, restorers=folder)
    step = EncodeImages(quality=60, model=MODEL, accelerator="cpu", restoration=restoration)
    rows = run(source, tmp_path / "archive", step)
    assert {row.tasks for row in rows.values()} == {("denoise",)} and len(rows) == 3
    plain = run(source, tmp_path / "plain", EncodeImages(quality=60, model=MODEL, accelerator="cpu"))
    assert rows["a.png"].sha256 == plain["a.png"].sha256 and rows["a.png"].archive_bytes != plain["a.png"].archive_bytes


def test_so_does_the_transform_by_itself(source: Path, tmp_path: Path, folder: str) -> None:
    first = RestoreImages("denoise", 20.0, restorers=folder, accelerator="cpu")
    rows = run(source, tmp_path / "archive", first, EncodeImages(quality=60, model=MODEL, accelerator="cpu"))
    assert {(row.status, row.tasks) for row in rows.values()} == {("done", ("denoise",))}


def test_one_failure_takes_no_neighbour_with_it(source: Path, tmp_path: Path, folder: str) -> None:
    (source / "a_mask.png").write_bytes(file_of(np.zeros((96, 127, 1), np.uint8)))
    (source / "good_mask.png").write_bytes(file_of(np.full((96, 128, 1), 255, np.uint8)))
    (source / "cut.png").write_bytes(file_of(PICTURES["a.png"])[:999])
    step = RestoreImages("inpaint", masks="*_mask.png", restorers=folder, accelerator="cpu")
    rows = run(source, tmp_path / "restored", step)
    letters = {Path(letter.object).name: letter for letter in read_dead_letters(str(tmp_path / "restored"))}
    assert {letter.step for letter in letters.values()} == {"restore"}
    assert letters["a.png"].error == letters["b.png"].error == letters["good.png"].error == "MaskError"
    assert "expected a mask of (96, 128)" in letters["a.png"].reason and "found none" in letters["b.png"].reason
    assert "everything masked" in letters["good.png"].reason
    assert letters["cut.png"].error == "DamagedPictureError"
    assert all(row.status == "failed" for row in rows.values())


def test_wrong_words_are_said_before_anything_runs(source: Path) -> None:
    for words, message in (({"task": "sharpen"}, "expected a task of"), ({"task": "denoise", "strength": 99}, "99")):
        with pytest.raises(UsageError, match=message):
            _ = beam.Pipeline("FnApiRunner") | ReadImages(str(source)) | RestoreImages(**words)


@pytest.fixture
def loads(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The tokens of all copies that this process puts on a device."""
    tokens: list[str] = []

    def put(*arguments: Any) -> Restorer:
        restorer = put_restorer_on_device(*arguments)
        tokens.append(restorer.copy)
        return restorer

    monkeypatch.setattr("archivae.transforms.restorer_residency.put_restorer_on_device", put)
    monkeypatch.setattr("archivae.transforms.restorer_residency._kept", {})
    return tokens


@pytest.mark.parametrize("share", [False, True])
def test_eight_threads_load_once(share: bool, loads: list[str], folder: str) -> None:
    source, together = RestorerSource(folder, "cpu", share, f"test-{uuid.uuid4().hex}"), threading.Barrier(8)

    def ask(_: int) -> np.ndarray:
        together.wait(60)
        return source.restorer("denoise").restore(PICTURES["a.png"], 20.0).pixels

    with ThreadPoolExecutor(8) as pool:
        first, *others = pool.map(ask, range(8))
    assert len(loads) == 1 and all(np.array_equal(first, other) for other in others)


def test_a_pipeline_of_four_threads_loads_each_task_once(loads: list[str], folder: str) -> None:
    options = PipelineOptions(["--direct_running_mode=multi_threading", "--direct_num_workers=4"])
    data = file_of(PICTURES["a.png"])
    items = [Item(StoredObject(f"/{n}.png", f"{n}.png", 0, ""), f"{n}.png", data) for n in range(6)]
    with beam.Pipeline("FnApiRunner", options) as pipeline:
        step = RestoreImages("denoise", 20.0, restorers=folder, accelerator="cpu")
        _ = pipeline | beam.Create(items) | beam.Reshuffle() | step
    assert len(loads) == 1


def test_weights_that_are_not_there_or_anothers(folder: str, tmp_path: Path) -> None:
    with pytest.raises(StorageError):
        RestorerSource(str(tmp_path)).restorer("denoise")
    (tmp_path / "denoise.safetensors").write_bytes(RestorerSource(folder).weight_file("inpaint"))
    with pytest.raises(ModelError, match="found one for inpaint"):
        replace(RestorerSource(folder), folder=str(tmp_path)).restorer("denoise")
    with pytest.raises(UnknownModelError):
        RestorerSource().weight_file("sharpen")
