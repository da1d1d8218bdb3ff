"""The four transforms as a Beam developer uses them, on the in-process runner."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import apache_beam as beam
import pytest
from apache_beam.metrics import MetricsFilter
from apache_beam.testing.util import assert_that, equal_to

from archivae import DecodeImages, EncodeImages, ReadImages, WriteImages
from archivae.bitstream import read_bitstream
from archivae.errors import UsageError
from archivae.operations.quality import psnr
from archivae.storage import read_dead_letters, read_manifest
from tests.samples import MODEL, file_of, photo, photo_file, pixels_of

PHOTOS = {"a.png": photo_file(64, 64, 1), "sub/b.jpg": file_of(photo(64, 96, 2), "JPEG", quality=95), "c": photo_file()}


@pytest.fixture
def source(tmp_path: Path) -> Path:
    return filled(tmp_path / "source", PHOTOS)


def filled(folder: Path, files: dict[str, bytes]) -> Path:
    for name, data in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(data)
    return folder


def encode(source: Path, archive: Path) -> Any:
    """The finished pipeline's result."""
    pipeline = beam.Pipeline("FnApiRunner")
    rows = (
        pipeline
        | ReadImages(str(source))
        | EncodeImages(quality=60, model=MODEL, accelerator="cpu")
        | WriteImages(str(archive))
    )
    _ = rows | beam.Map(lambda row: row.status)
    result = pipeline.run()
    result.wait_until_finish()
    return result


def files(folder: Path) -> set[str]:
    found = (path.relative_to(folder) for path in folder.rglob("*") if path.is_file())
    return {path.as_posix() for path in found if path.parts[0] != "_archivae"}


def test_there_and_back(source: Path, tmp_path: Path) -> None:
    archive, restored = tmp_path / "archive", tmp_path / "restored"
    encode(source, archive)
    assert files(archive) == {f"{name}.avae" for name in PHOTOS}
    with beam.Pipeline("FnApiRunner") as pipeline:
        _ = (
            pipeline
            | ReadImages(str(archive))
            | DecodeImages(format="webp", accelerator="cpu")
            | WriteImages(str(restored), operation="decode")
        )
    assert files(restored) == {"a.webp", "sub/b.webp", "c.webp"}
    assert psnr(pixels_of((restored / "sub/b.webp").read_bytes()), pixels_of(PHOTOS["sub/b.jpg"])) > 15


def test_write_gives_the_rows_that_it_records(source: Path, tmp_path: Path) -> None:
    archive = tmp_path / "archive"
    with beam.Pipeline("FnApiRunner") as pipeline:
        rows = (
            pipeline
            | ReadImages(str(source))
            | EncodeImages(model=MODEL, accelerator="cpu")
            | WriteImages(str(archive))
        )
        told = rows | beam.Map(lambda row: (row.name, row.status, row.coding))
        assert_that(told, equal_to([(name, "done", "learned") for name in PHOTOS]))
    recorded = read_manifest(str(archive)).values()
    assert {(row.name, row.status, row.coding) for row in recorded} == {(name, "done", "learned") for name in PHOTOS}


def test_a_failing_picture_stops_no_other(source: Path, tmp_path: Path) -> None:
    filled(source, {"cut.jpg": PHOTOS["sub/b.jpg"][:900], "text.png": b"hello", "README.md": b"# hello"})
    archive = tmp_path / "archive"
    encode(source, archive)
    assert files(archive) == {f"{name}.avae" for name in PHOTOS}
    statuses = {row.name: row.status for row in read_manifest(str(archive)).values()}
    assert statuses == {
        **dict.fromkeys(PHOTOS, "done"), "cut.jpg": "failed", "text.png": "failed", "README.md": "not-a-picture",
    }  # fmt: skip
    letters = read_dead_letters(str(archive))
    assert {Path(letter.object).name for letter in letters} == {"cut.jpg", "text.png"}
    assert {letter.step for letter in letters} == {"encode"}


def test_metrics_tell_what_was_done(source: Path, tmp_path: Path) -> None:
    filled(source, {"text.png": b"hello", "README.md": b"# hello"})
    archive = tmp_path / "archive"
    metrics = encode(source, archive).metrics().query(MetricsFilter().with_namespace("archivae"))
    counters = {found.key.metric.name: found.result for found in metrics["counters"]}
    pixels = 64 * 64 + 64 * 96 + 64 * 64
    archived = sum((archive / name).stat().st_size for name in files(archive))
    assert counters["done"] == 3 and counters["failed"] == 1 and counters["not_a_picture"] == 1
    assert (counters["encode_pictures"], counters["encode_pixels"]) == (3, pixels)
    assert counters["encode_bytes_in"] == sum(map(len, PHOTOS.values()))
    assert counters["encode_bytes_out"] == counters["write_bytes_out"] == archived
    spread = {found.key.metric.name: found.result for found in metrics["distributions"]}
    assert spread["encode_batch_size"].sum == 3
    for name in ("encode_microseconds_model", "encode_microseconds_entropy_coder", "read_microseconds_io",
                 "write_microseconds_io", "encode_microseconds_pixels"):  # fmt: skip
        assert spread[name].count >= 1 and spread[name].sum > 0, name


def test_settings_are_checked_when_the_graph_is_built(source: Path) -> None:
    with pytest.raises(UsageError, match="quality"), beam.Pipeline("FnApiRunner") as pipeline:
        _ = pipeline | ReadImages(str(source)) | EncodeImages(quality=101)


def test_labels_let_a_transform_be_used_twice(source: Path, tmp_path: Path) -> None:
    with beam.Pipeline("FnApiRunner") as pipeline:
        read = pipeline | ReadImages(str(source))
        for quality in (10, 90):
            encoded = read | f"Encode at {quality}" >> EncodeImages(quality, model=MODEL, accelerator="cpu")
            _ = encoded | f"Write {quality}" >> WriteImages(str(tmp_path / f"{quality}"))
    for quality in (10, 90):
        folder = tmp_path / f"{quality}"
        assert files(folder) == {f"{name}.avae" for name in PHOTOS}
        streams = [read_bitstream((folder / name).read_bytes()) for name in files(folder)]
        assert {stream.quality for stream in streams} == {quality * 256}
