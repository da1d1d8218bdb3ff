from __future__ import annotations

import argparse
import csv
import json
import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from archivae.errors import UnsupportedPictureError, UsageError
from archivae.evaluation.codecs import CLASSIC
from archivae.pipeline import evaluate


@dataclass(frozen=True)
class FakeModel:
    """Keeps every (101 - quality)th column and says it would fall back below quality 50; refuses pictures 99 wide."""

    name: str = "fake"
    label: str = "Fake"
    settings: tuple[float, ...] = (98.0, 99.0, 100.0)
    ours: bool = True

    def encode(self, pixels: np.ndarray, setting: float) -> bytes:
        if pixels.shape[1] == 99:
            raise UnsupportedPictureError("99 columns")
        step = round(101 - setting)
        kept = pixels[:, ::step]
        return np.array([*pixels.shape, step], ">u2").tobytes() + kept.tobytes()

    def decode(self, data: bytes) -> np.ndarray:
        height, width, channels, step = (int(n) for n in np.frombuffer(data[:8], ">u2"))
        kept = np.frombuffer(data[8:], np.uint8).reshape(height, -1, channels)
        return np.repeat(kept, step, axis=1)[:, :width]

    def falls_back(self, pixels: np.ndarray, setting: float, data: bytes) -> bool:
        return setting < 99 and pixels.shape[1] > 180


@pytest.fixture
def photos(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Two pictures and a text; the fake beside the classic codecs."""
    monkeypatch.setitem(CLASSIC, "fake", FakeModel())
    folder = tmp_path / "photos"
    folder.mkdir()
    noise = np.random.default_rng(0)
    for name, width in (("a.png", 176), ("b.png", 192)):
        smooth = np.add.outer(np.arange(168), np.arange(width))[:, :, np.newaxis] // 2 + np.arange(3)
        Image.fromarray((smooth + noise.integers(0, 20, smooth.shape)).astype(np.uint8)).save(folder / name)
    (folder / "README.md").write_text("About these pictures")
    return folder


def arguments(*words: str) -> argparse.Namespace:
    parser = argparse.ArgumentParser()
    evaluate.add_parser(parser.add_subparsers())
    return parser.parse_args(["evaluate", *words])


def test_files_tables_and_plot(photos: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "out"
    args = arguments(str(photos), "--out", str(out), "--codecs", "fake,jpeg", "--reference", "kodak")
    assert args.run(args) == 0
    assert sorted(path.name for path in out.iterdir()) == [
        f"rate_distortion.{e}" for e in ("csv", "json", "png", "svg")
    ]

    content = json.loads((out / "rate_distortion.json").read_text())
    assert content["pictures"] == 2 and content["skipped"] == {}
    assert len(content["points"]) == 3 + 8 and len(content["files"]) == 2 * (3 + 8)
    check_means(content)
    check_bd_rates(content)

    rows = list(csv.DictReader((out / "rate_distortion.csv").open()))
    assert [(row["codec"], float(row["bpp"])) for row in rows] == [(p["codec"], p["bpp"]) for p in content["points"]]
    assert (out / "rate_distortion.svg").read_text().startswith("<?xml")
    assert Image.open(out / "rate_distortion.png").size == (2080, 896)

    printed = capsys.readouterr().out
    assert "Means over 2 pictures" in printed and "JPEG 4:2:0" in printed and "VVC intra (VTM)" in printed
    assert "means over the 24 Kodak pictures" in printed


def check_means(content: dict[str, Any]) -> None:
    """Of the fake at quality 99, which keeps every second column, and 100, which keeps all."""
    half, whole = content["points"][1:3]
    files = [file for file in content["files"] if file["codec"] == "fake" and file["setting"] == 99]
    assert [file["bytes"] for file in files] == [8 + 168 * 88 * 3, 8 + 168 * 96 * 3]
    assert half["bpp"] == pytest.approx(
        np.mean([8 * f["bytes"] / (168 * w) for f, w in zip(files, (176, 192), strict=True)]), rel=1e-5
    )
    assert half["psnr"] == pytest.approx(np.mean([file["psnr"] for file in files]), rel=1e-5)
    assert whole["psnr"] is None and whole["ms_ssim"] == 1  # nothing lost: infinite, which JSON cannot say
    assert [point["fallbacks"] for point in content["points"][:4]] == [1, 0, 0, None]


def check_bd_rates(content: dict[str, Any]) -> None:
    rates = {(rate["codec"], rate["anchor"]): rate for rate in content["bd_rates"]}
    assert ("jpeg", "vtm") in rates and ("fake", "vtm") in rates
    assert rates["fake", "jpeg"]["anchor_measured"] and not rates["fake", "vtm"]["anchor_measured"]
    assert sum(anchor == "jpeg" for _, anchor in rates) == 1  # measured, so the published curve is left out
    against_jpeg2000 = rates["jpeg", "jpeg2000"]["psnr"]
    assert math.isfinite(against_jpeg2000["percent"]) and against_jpeg2000["low_db"] + 1 <= against_jpeg2000["high_db"]


def test_same_numbers_same_plot(photos: Path, tmp_path: Path) -> None:
    for out in ("one", "two"):
        args = arguments(str(photos / "a.png"), "--out", str(tmp_path / out), "--codecs", "fake")
        args.run(args)
    for ending in ("svg", "png"):
        one, two = ((tmp_path / out / f"rate_distortion.{ending}").read_bytes() for out in ("one", "two"))
        assert one == two


def test_a_picture_that_one_codec_fails_on_is_left_out_for_all(
    photos: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    Image.new("RGB", (99, 170)).save(photos / "c.png")
    (photos / "d.jpg").write_bytes(b"\xff\xd8\xff cut short")
    args = arguments(str(photos), "--out", str(tmp_path / "out"), "--codecs", "jpeg,fake")
    assert args.run(args) == 1
    content = json.loads((tmp_path / "out" / "rate_distortion.json").read_text())
    assert sorted(content["skipped"]) == ["c.png", "d.jpg"]
    assert {point["pictures"] for point in content["points"]} == {2}
    assert "left out c.png: 99 columns" in capsys.readouterr().out


def test_no_picture_at_all_is_an_error(photos: Path, tmp_path: Path) -> None:
    args = arguments(str(photos / "README.md"), "--out", str(tmp_path / "out"), "--codecs", "jpeg")
    with pytest.raises(UsageError, match=r"expected a picture .* found none"):
        args.run(args)


@pytest.mark.parametrize("qualities", ["", "a", "0,101", "-1"])
def test_qualities_that_are_none_are_refused(qualities: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as stopped:
        arguments("photos", "--out", "out", f"--qualities={qualities}")
    assert stopped.value.code == 2 and "expected" in capsys.readouterr().err
