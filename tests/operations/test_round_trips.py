"""Any mode, any size, any metadata: through encode and decode, everything but the codec's own loss comes back."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from archivae.bitstream import Coding, read_bitstream
from archivae.images import Metadata, Picture, Sequence, open_picture, to_eight_bits
from archivae.images.notes import NO_NOTES, lost, said
from archivae.operations.chunks import same_samples
from archivae.operations.decode import decode_stream
from archivae.operations.encode import encode_at
from archivae.operations.rate import Lossless, Quality, Rate
from archivae.operations.source import Source
from tests.samples import photo, small_codec, stark_jpeg

DTYPES = {"uint8": np.uint8, "uint16": np.uint16, "int16": np.int16, "float32": np.float32}


def samples(generator: np.random.Generator, dtype: str, shape: tuple[int, ...]) -> np.ndarray:
    bits = generator.integers(0, 256, (*shape[:-1], shape[-1] * np.dtype(DTYPES[dtype]).itemsize), np.uint8)
    return bits.view(DTYPES[dtype])  # floats of every kind, those that are no numbers too


@st.composite
def pictures(draw: st.DrawFn) -> Picture:
    height, width = draw(st.integers(1, 70)), draw(st.integers(1, 70))
    channels, dtype = draw(st.sampled_from([1, 3])), draw(st.sampled_from(sorted(DTYPES)))
    generator = np.random.default_rng(draw(st.integers(0, 2**32)))
    metadata = Metadata(*(draw(st.binary(max_size=40)) for _ in range(4)))
    alpha = samples(generator, dtype, (height, width, 1))[:, :, 0] if draw(st.booleans()) else None
    if dtype == "uint8":
        noise = samples(generator, dtype, (height, width, channels))
        soft = np.ascontiguousarray(photo(height, width)[:, :, :channels])
        return Picture(draw(st.sampled_from([noise, soft])), "x", metadata, NO_NOTES, alpha=alpha)
    deep = samples(generator, dtype, (height, width, channels))
    return Picture(to_eight_bits(deep, 65535)[0], "x", metadata, NO_NOTES, alpha=alpha, deep=deep)


@pytest.mark.filterwarnings("ignore")  # of numbers that are none
@settings(max_examples=60, deadline=None)
@given(first=pictures(), rest=st.lists(pictures(), max_size=2), rate=st.sampled_from([Quality(20), Lossless()]))
def test_any_picture_comes_back(first: Picture, rest: list[Picture], rate: Rate) -> None:
    times = tuple(range(1 + len(rest)))
    whole = replace(first, sequence=Sequence(tuple(rest), times, 2)) if rest else first
    (encoded,) = encode_at([Source(whole, b"")], small_codec(), rate)
    back = decode_stream(read_bitstream(encoded.data), lambda _: small_codec())
    assert len(back.frames) == len(whole.frames)
    for was, now in zip(whole.frames, back.frames, strict=True):
        assert now.pixels.shape == was.pixels.shape and now.metadata == was.metadata
        lossy = encoded.coding is Coding.LEARNED and was.deep is None
        assert same_samples(replace(now, pixels=was.pixels) if lossy else now, was)
    if isinstance(rate, Lossless):
        assert encoded.psnr == math.inf


def test_bytes_that_are_kept_keep_everything() -> None:
    data = stark_jpeg()[:2] + b"\xff\xfe\x00\x09by hand" + stark_jpeg()[2:]
    source = Source(open_picture(data), data)
    assert source.picture.notes == lost("comment")
    (encoded,) = encode_at([source], small_codec(), Quality(60))
    assert (encoded.coding, encoded.notes) == (
        Coding.ORIGINAL,
        said("kept within the source's own bytes: comment", "source's own bytes stored: smaller so"),
    )
