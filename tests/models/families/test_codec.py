"""Families as codecs: what is coded is what is decoded, at every quality, and quality means something."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from archivae.bitstream import Tile
from archivae.bitstream.container import QUALITY_STEP
from archivae.errors import CorruptBitstreamError, ModelError, UsageError
from archivae.models import FamilyCodec, Form, parse_family
from archivae.models.families.tables import IMPOSSIBLE, bell_tables, bits, build_tables, whole_frequencies
from tests.autoencoders import FORM, pictures, weights

CODING = ["dense", "conv", "denoising", "vae", "cvae", "vae-gan", "vq"]
RGB = Form(3, 16, 16)


def codec(name: str, form: Form = FORM, **sizes: int) -> FamilyCodec:
    return FamilyCodec(weights(name, form, **sizes), torch.device("cpu"))


@pytest.mark.parametrize("name", CODING)
@pytest.mark.parametrize("quality", [0, 1, 60 * QUALITY_STEP + 3, 100 * QUALITY_STEP])
def test_pictures_go_in_and_come_back(name: str, quality: int) -> None:
    ours, other = codec(name), codec(name)
    shown = list(pictures(3))
    tiles = ours.encode(shown, quality)
    decoded = other.decode(tiles, 12, 12, quality, 1024)
    assert [picture.shape for picture in decoded] == [(12, 12, 3)] * 3
    wanted = [int(((a[..., :1].astype(int) - b) ** 2).sum()) for a, b in zip(decoded, shown, strict=True)]
    assert ours.squared_errors(shown, tiles, quality, 1024) == wanted
    assert ours.encode([shown[1]], quality)[0] == tiles[1]


def test_spatial_latents_and_colours_are_coded_too() -> None:
    ours = codec("conv", RGB, spatial=1)
    shown = list(pictures(2, 3, 16))
    (tile,) = ours.encode(shown, 50 * QUALITY_STEP)[0]
    assert ours.decode([[tile]], 16, 16, 50 * QUALITY_STEP, 1024)[0].shape == (16, 16, 3)


@pytest.mark.parametrize("name", ["conv", "vq"])
def test_a_higher_quality_is_nearer_the_model_and_larger(name: str) -> None:
    ours = codec(name, RGB, **({"spatial": 1} if name == "conv" else {"stages": 3}))
    built = parse_family(ours.weights.to_bytes()).build()
    shown = pictures(4, 3, 16)
    with torch.inference_mode():
        whole = built.decode(built.encode(torch.from_numpy(shown).permute(0, 3, 1, 2) / 255)).permute(0, 2, 3, 1)
    sizes, errors = [], []
    for quality in (0, 50, 100):
        tiles = ours.encode(list(shown), quality * QUALITY_STEP)
        sizes.append(sum(len(tile.stream) for (tile,) in tiles))
        decoded = np.stack(ours.decode(tiles, 16, 16, quality * QUALITY_STEP, 1024))
        errors.append(float(np.abs(decoded - 255 * whole.numpy()).mean()))
    assert sizes[0] < sizes[-1] or name == "vq"  # whose words here are hardly told apart
    assert errors[0] > errors[-1] and errors[-1] < 1


def test_damage_is_seen() -> None:
    ours = codec("conv", RGB, spatial=1)
    (tile,) = ours.encode([pictures(1, 3, 16)[0]], 80 * QUALITY_STEP)[0]
    for broken in (Tile(tile.stream[:-4], tile.integers_crc), Tile(tile.stream, tile.integers_crc ^ 1)):
        with pytest.raises(CorruptBitstreamError):
            ours.decode([[broken]], 16, 16, 80 * QUALITY_STEP, 1024)
    with pytest.raises(CorruptBitstreamError, match="makes RGB pictures 16x16; found a size of 16x17"):
        ours.decode([[tile]], 16, 17, 80 * QUALITY_STEP, 1024)


def test_what_does_not_suit_the_model_is_said() -> None:
    with pytest.raises(UsageError, match="small-conv takes grey pictures 12x12; found grey, 16x16"):
        codec("conv").encode([pictures(1, 1, 16)[0]], 0)
    with pytest.raises(UsageError, match="takes grey pictures 12x12; found RGB, 12x12"):
        codec("conv").encode([pictures(1, 3, 12)[0]], 0)
    with pytest.raises(ModelError, match="a gan takes no pictures in"):
        codec("gan")


def test_tables_hold_every_distribution() -> None:
    tables = bell_tables()
    taken = bits(tables)
    assert taken[0, 127] == 0 and (taken[0, :127] == IMPOSSIBLE).all()
    sums = (2.0 ** -taken[1:, 1:-1]).sum(1)
    assert ((sums > 0.9) & (sums <= 1)).all()
    for kind in (taken[1::2], taken[2::2]):  # Laplacian and normal: wider ones spend more on zero
        assert (np.diff(kind[:, 127]) >= 0).all()
    counts = whole_frequencies(np.array([0.0, 1.0, 1e9]))
    assert counts.sum() == 2**14 and counts.min() == 1
    skewed = build_tables([np.array([1.0, 2.0, 5.0])])
    assert skewed.radius.tolist() == [0, 1]
