"""The model that ships: does it decode everywhere, and is it worth shipping?"""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from archivae.bitstream import Tile
from archivae.evaluation.bd_rate import bd_rate
from archivae.images import open_picture
from archivae.models import PhotoCodec, load_model
from archivae.operations.quality import psnr

PHOTOS = sorted((Path(__file__).resolve().parents[2] / "examples" / "photos").glob("*.png"))
QUALITIES = (6400, 20480)
DTYPES = [torch.float32]
if torch.cpu.get_capabilities().get("avx512_bf16") or torch.cpu.get_capabilities().get("amx_bf16"):
    DTYPES.append(torch.bfloat16)
WITHIN_LEVELS, WITHIN_DB = 2, 0.02


@pytest.fixture(scope="module")
def codecs() -> dict[torch.dtype, PhotoCodec]:
    weights = load_model("photo")
    return {dtype: PhotoCodec(weights, torch.device("cpu"), dtype) for dtype in DTYPES}


def pixels(path: Path) -> np.ndarray:
    return open_picture(path.read_bytes()).pixels


def decoded(codec: PhotoCodec, coded: list[Tile], picture: np.ndarray, quality: int, threads: int) -> np.ndarray:
    before = torch.get_num_threads()
    torch.set_num_threads(threads)
    try:
        return codec.decode([coded], *picture.shape[:2], quality)[0]
    finally:
        torch.set_num_threads(before)


@pytest.mark.parametrize("path", PHOTOS[:3], ids=lambda path: path.stem)
@pytest.mark.parametrize("quality", QUALITIES)
def test_every_setting_decodes_what_every_other_wrote(
    codecs: dict[torch.dtype, PhotoCodec], path: Path, quality: int
) -> None:
    """A decode that met other integers than were coded would raise: each file holds their checksum."""
    picture = pixels(path)
    for writer in codecs.values():
        (coded,) = writer.encode([picture], quality)
        exact = decoded(codecs[torch.float32], coded, picture, quality, threads=1)
        for reader in codecs.values():
            found = decoded(reader, coded, picture, quality, threads=2)
            assert np.abs(found.astype(int) - exact).max() <= WITHIN_LEVELS
            assert abs(psnr(picture, found) - psnr(picture, exact)) <= WITHIN_DB


def test_it_is_clearly_better_than_jpeg(codecs: dict[torch.dtype, PhotoCodec]) -> None:
    """Entropy-coded bytes against whole JPEG files (4:2:0, optimised) over the sample photographs."""
    codec = list(codecs.values())[-1]
    pictures = [pixels(path) for path in PHOTOS[::2]]
    ours = [curve_point(codec, pictures, quality) for quality in (3200, 9600, 16000, 22400)]
    jpeg = [jpeg_point(pictures, quality) for quality in (10, 25, 50, 75, 90)]
    gain = bd_rate(jpeg, ours)
    assert gain is not None and gain.percent < -25


def curve_point(codec: PhotoCodec, pictures: list[np.ndarray], quality: int) -> tuple[float, float]:
    rates, levels = [], []
    for picture in pictures:
        (coded,) = codec.encode([picture], quality)
        rates.append(8 * sum(len(tile.stream) for tile in coded) / (picture.shape[0] * picture.shape[1]))
        levels.append(psnr(picture, codec.decode([coded], *picture.shape[:2], quality)[0]))
    return float(np.mean(rates)), float(np.mean(levels))


def jpeg_point(pictures: list[np.ndarray], quality: int) -> tuple[float, float]:
    rates, levels = [], []
    for picture in pictures:
        file = io.BytesIO()
        Image.fromarray(picture).save(file, "JPEG", quality=quality, optimize=True, subsampling="4:2:0")
        rates.append(8 * len(file.getvalue()) / (picture.shape[0] * picture.shape[1]))
        levels.append(psnr(picture, open_picture(file.getvalue()).pixels))
    return float(np.mean(rates)), float(np.mean(levels))
