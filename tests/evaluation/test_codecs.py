from __future__ import annotations

import importlib.util
from pathlib import Path

import numpy as np
import pytest

from archivae.bitstream import Coding, read_bitstream
from archivae.errors import UnsupportedPictureError, UsageError
from archivae.evaluation import parse_codecs
from archivae.evaluation.codecs import AVIF_VARIANTS, CLASSIC, ArchivaeCodec
from archivae.operations.quality import psnr


def photograph(height: int = 48, width: int = 64, channels: int = 3) -> np.ndarray:
    rows, columns, bands = np.mgrid[0:height, 0:width, 0:channels]
    waves = np.sin(rows / 7 + bands) + np.cos(columns / 11)
    pixels: np.ndarray = (127 + 60 * waves).astype(np.uint8)
    return pixels


@pytest.mark.parametrize("name", ["jpeg", "webp", *(codec.name for codec in AVIF_VARIANTS)])
@pytest.mark.parametrize("channels", [1, 3])
def test_classic_codecs_give_the_picture_back_nearer_the_more_bytes_they_get(name: str, channels: int) -> None:
    codec, pixels = CLASSIC[name], photograph(channels=channels)
    low, high = (codec.encode(pixels, setting) for setting in (codec.settings[0], codec.settings[-1]))
    assert len(low) < len(high)
    distances = [psnr(np.broadcast_to(pixels, decoded.shape), decoded) for decoded in map(codec.decode, (low, high))]
    assert distances[0] < distances[1] and distances[1] > 30
    assert codec.falls_back(pixels, 50, high) is None


def test_files_are_those_behind_the_reference_curves() -> None:
    """Subsampling and effort, told apart by what Pillow writes."""
    pixels = photograph(256, 256)
    assert b"\xff\xc0\x00\x11\x08\x01\x00\x01\x00\x03\x01\x22\x00" in CLASSIC["jpeg"].encode(pixels, 50)  # luma 2x2
    assert CLASSIC["avif"].encode(pixels, 55) != CLASSIC["avif444"].encode(pixels, 55)


def test_what_a_format_cannot_hold_is_refused_by_name() -> None:
    with pytest.raises(UnsupportedPictureError, match="encoding webp failed"):
        CLASSIC["webp"].encode(np.zeros((1, 16_384, 3), np.uint8), 50)


def test_names_become_codecs_once_each_and_weight_files_models(tmp_path: Path) -> None:
    weights = tmp_path / "new.safetensors"
    weights.touch()
    jpeg, model = parse_codecs(f"jpeg, {weights},jpeg", [50, 0, 50])
    assert jpeg is CLASSIC["jpeg"] and not jpeg.ours
    assert model == ArchivaeCodec(str(weights), (0, 50)) and model.ours


@pytest.mark.parametrize("fallbacks", [False, True])
def test_the_shipped_model_codes_every_picture_and_knows_where_an_archive_would_not(fallbacks: bool) -> None:
    (codec,) = parse_codecs("photo", [50], fallbacks=fallbacks)
    noise = np.random.default_rng(0).integers(0, 20, (96, 128, 3), np.uint8)
    flat, rich = np.full((65, 66, 3), 7, np.uint8), photograph(96, 128) // 2 + noise
    for pixels, expected in ((flat, True), (rich, False)):
        data = codec.encode(pixels, 50)
        assert codec.decode(data).shape == pixels.shape
        assert codec.falls_back(pixels, 50, data) is expected
        assert (read_bitstream(data).coding is Coding.LEARNED) is not (fallbacks and expected)


def test_avif_is_tuned_for_what_it_is_asked_for() -> None:
    """At one setting the tuning for PSNR is nearer by that than its bytes would have it."""
    noise = np.random.default_rng(0).integers(0, 30, (128, 160, 3), np.uint8)
    pixels = photograph(128, 160) // 2 + noise
    files = {codec.name: codec.encode(pixels, 55) for codec in AVIF_VARIANTS}
    assert len(set(files.values())) == len(AVIF_VARIANTS) == 8
    names = [codec.name for codec in parse_codecs("avif-all", [50])]
    assert names == list(files) and [c.name for c in parse_codecs("jpeg,avif-fast", [50])] == ["jpeg", *names[:4]]
    assert names[:4] == ["avif", "avif-psnr", "avif444", "avif444-psnr"]


def test_an_effort_stands_behind_the_model(tmp_path: Path) -> None:
    weights = tmp_path / "user@2.safetensors"
    weights.touch()
    plain, hard, own = parse_codecs(f"photo,photo@2,{weights}@1", [50])
    found = [(codec.model, codec.effort) for codec in (plain, hard, own)]  # type: ignore[attr-defined]
    assert found == [("photo", 0), ("photo", 2), (str(weights), 1)]
    assert (plain.label, hard.label) == ("ArchiVAE photo", "ArchiVAE photo, effort 2")
    with pytest.raises(UsageError, match="effort of 0 to 3"):
        parse_codecs("photo@4", [50])


@pytest.mark.parametrize("names", ["", " , ", "jepg", "missing.safetensors"])
def test_unknown_codecs_are_refused(names: str) -> None:
    with pytest.raises(UsageError, match="expected codecs"):
        parse_codecs(names, [50])


@pytest.mark.skipif(importlib.util.find_spec("pillow_jxl") is not None, reason="the plugin is here")
def test_jpeg_xl_without_its_plugin_says_what_to_install() -> None:
    with pytest.raises(UsageError, match="pip install pillow-jxl-plugin"):
        parse_codecs("jxl", [50])
