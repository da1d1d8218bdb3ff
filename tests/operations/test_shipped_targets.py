"""Targets with the model that ships, on crops of photographs."""

from __future__ import annotations

import itertools
from pathlib import Path

import numpy as np
import pytest

from archivae.bitstream import read_bitstream
from archivae.images import Metadata, Picture, open_picture
from archivae.images.notes import NO_NOTES
from archivae.models import DEFAULT_MODEL, PhotoCodec
from archivae.operations.codec import named_codec
from archivae.operations.decode import decode_stream
from archivae.operations.encode import encode_at
from archivae.operations.quality import ms_ssim
from archivae.operations.rate import MaxBytes, Quality, Rate, TargetBpp, TargetPsnr, TargetSsim
from archivae.operations.source import Encoded, Source
from archivae.operations.typical import ms_ssim_db

PHOTOS = Path(__file__).resolve().parents[2] / "examples" / "photos"


@pytest.fixture(scope="module")
def codec() -> PhotoCodec:
    return named_codec(DEFAULT_MODEL, "cpu")


def crop(name: str) -> Source:
    pixels = open_picture((PHOTOS / f"{name}.png").read_bytes()).pixels[128:384, 256:512].copy()
    return Source(Picture(pixels, "array", Metadata(), NO_NOTES), b"")


def encoded(source: Source, codec: PhotoCodec, rate: Rate) -> Encoded:
    (result,) = encode_at([source], codec, rate)
    return result


def test_targets_are_hit_in_about_four_encodes(codec: PhotoCodec) -> None:
    source = crop("kodim04")
    results = []
    for db in (29, 33, 37):
        results.append(encoded(source, codec, TargetPsnr(db)))
        assert db <= results[-1].psnr <= db + 0.1
    for most in (1200, 4000, 9000):
        results += [encoded(source, codec, rate) for rate in (MaxBytes(most), TargetBpp(most * 8 / 256**2))]
        assert 0.98 * most <= len(results[-1].data) == len(results[-2].data) <= most
    assert np.mean([result.encodes for result in results]) < 4.5
    assert max(result.encodes for result in results) <= 7


@pytest.mark.parametrize("least", [0.93, 0.985])
def test_ms_ssim_is_hit(codec: PhotoCodec, least: float) -> None:
    source = crop("kodim04")
    stream = read_bitstream(encoded(source, codec, TargetSsim(least)).data)
    reached = ms_ssim(source.picture.pixels, decode_stream(stream, lambda _: codec).pixels)
    assert least <= reached and ms_ssim_db(reached) <= ms_ssim_db(least) + 0.1


@pytest.mark.parametrize("name", ["kodim04", "kodim13"])
def test_more_quality_is_more_bytes_and_a_nearer_picture(codec: PhotoCodec, name: str) -> None:
    source = crop(name)
    results = [encoded(source, codec, Quality(quality)) for quality in range(0, 101, 10)]
    for lower, higher in itertools.pairwise(results):
        assert len(lower.data) < len(higher.data) and lower.psnr < higher.psnr
