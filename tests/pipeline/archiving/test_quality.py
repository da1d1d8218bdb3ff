"""What is archived well enough, and what is not, as it is measured anew."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from archivae.bitstream import read_bitstream
from archivae.images import Picture, open_picture
from archivae.models import PhotoCodec
from archivae.operations.codec import named_codec
from archivae.operations.compare import level_of
from archivae.operations.decode import decode_stream
from archivae.operations.encode import encode_at
from archivae.operations.rate import Quality
from archivae.operations.source import Source
from archivae.pipeline.archiving.quality import shortfall
from tests.samples import file_of

PHOTO = Path(__file__).resolve().parents[3] / "examples" / "photos" / "kodim15.png"


@pytest.fixture(scope="module")
def fast() -> PhotoCodec:
    """The shipped model as jobs run it on this machine: in bfloat16 where the processor is made for it."""
    codec = named_codec("photo")
    assert isinstance(codec, PhotoCodec)
    return codec


def small_picture(top: int, left: int) -> Picture:
    with Image.open(PHOTO) as photo:
        crop = photo.convert("RGB").crop((left, top, left + 32, top + 32))
    return open_picture(file_of(np.asarray(crop)))


def reason_to_stay(picture: Picture, made_at: float, asked: float, fast: PhotoCodec) -> str:
    """Of a job's file that claims the quality ``asked``, as a machine in ten years finds it."""
    exact = PhotoCodec(fast.weights, torch.device("cpu"), torch.float32)
    (made,) = encode_at([Source(picture, b"")], fast, Quality(made_at), fallbacks=False)
    stream = read_bitstream(made.data)
    decoded = decode_stream(stream, lambda _: exact)
    claim, rate = replace(stream, quality=Quality(asked).steps), Quality(asked)
    return shortfall(claim, picture, decoded, level_of(picture, decoded), rate, lambda _: exact, [stream.model_id])


@pytest.mark.parametrize(("top", "left"), [(8, 8), (96, 200)])
def test_small_pictures_of_a_faster_kind_of_processor_are_good_enough(top: int, left: int, fast: PhotoCodec) -> None:
    """In few pixels one other rounding counts for much: 0.6 dB in the first of these."""
    assert reason_to_stay(small_picture(top, left), 60, 60, fast) == ""


def test_a_worse_small_picture_is_not(fast: PhotoCodec) -> None:
    assert "dB" in reason_to_stay(small_picture(96, 200), 20, 60, fast)
