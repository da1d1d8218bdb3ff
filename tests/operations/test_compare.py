"""An original against its file: what is near enough, and what differs beside the pixels."""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
from PIL import Image

from archivae.bitstream import read_bitstream
from archivae.errors import VerificationError
from archivae.images import Metadata, Picture, ReadOptions
from archivae.operations.compare import level_against
from archivae.operations.decode import decode_stream
from archivae.operations.encode import encode_file
from archivae.operations.rate import Quality
from tests.samples import file_of, photo, small_codec

QUALITY = Quality(50)
ALPHA = (np.indices((64, 64)).sum(0) % 256).astype(np.uint8)
LATER = [Image.fromarray(photo(64, 64, seed)) for seed in (1, 2)]
STILL = file_of(np.dstack([photo(64, 64), ALPHA]), exif=b"MM\0*\0\0\0\x08\0\0\0\0\0\0")
MOVING = file_of(photo(64, 64, 0), "WEBP", save_all=True, append_images=LATER, duration=[40, 50, 60], lossless=True)


def level(source: bytes, wishes: ReadOptions, change: Callable[[Picture], Picture] = lambda picture: picture) -> float:
    """What is said of a file made with ``wishes``, were it to decode to a changed picture."""
    stream = read_bitstream(encode_file(source, small_codec(), QUALITY, options=wishes).data)
    decoded = change(decode_stream(stream, lambda _: small_codec()))
    return level_against(source, json.dumps({**QUALITY.asked(), **wishes.asked()}), stream, decoded)


@pytest.mark.parametrize("source", [STILL, MOVING])
@pytest.mark.parametrize("wishes", [ReadOptions(), ReadOptions(frames="all"), ReadOptions(strip_metadata=True)])
def test_the_level_is_that_of_the_manifest(source: bytes, wishes: ReadOptions) -> None:
    assert level(source, wishes) == encode_file(source, small_codec(), QUALITY, options=wishes).psnr


def test_samples_that_were_kept_count_as_nothing_lost() -> None:
    deep = file_of(np.arange(4096, dtype=np.uint16).reshape(64, 64))
    assert level(deep, ReadOptions(depth="keep")) == math.inf


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (lambda picture: replace(picture, metadata=Metadata()), "metadata"),
        (lambda picture: replace(picture, alpha=None), "transparency"),
        (lambda picture: replace(picture, alpha=255 - picture.alpha), "transparency"),
        (lambda picture: replace(picture, pixels=picture.pixels[1:]), "decodes to"),
    ],
)
def test_what_differs_is_named(change: Callable[[Picture], Picture], reason: str) -> None:
    with pytest.raises(VerificationError, match=reason):
        level(STILL, ReadOptions(), change)


@pytest.mark.parametrize("times", [(40, 50, 61), (40, 50)])
def test_other_frames_are_noticed(times: tuple[int, ...]) -> None:
    def change(picture: Picture) -> Picture:
        assert picture.sequence is not None
        rest = picture.sequence.rest[: len(times) - 1]
        return replace(picture, sequence=replace(picture.sequence, rest=rest, milliseconds=times))

    with pytest.raises(VerificationError, match="frames"):
        level(MOVING, ReadOptions(frames="all"), change)
