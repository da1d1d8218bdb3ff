from __future__ import annotations

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from archivae.errors import CorruptBitstreamError
from archivae.images import LosslessCodec, pack_lossless, unpack_lossless


def pixels_of(height: int, width: int, channels: int, colours: int, seed: int = 1) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, colours, (height, width, channels), dtype=np.uint8)


def unpack_like(data: bytes, pixels: np.ndarray) -> np.ndarray:
    height, width, channels = pixels.shape
    return unpack_lossless(data, height=height, width=width, channels=channels)


@settings(max_examples=60, deadline=None)
@given(
    height=st.integers(1, 70),
    width=st.integers(1, 70),
    channels=st.sampled_from([1, 3]),
    colours=st.sampled_from([1, 2, 9, 256]),
    seed=st.integers(0, 9),
)
@example(height=1, width=16_384, channels=3, colours=2, seed=0)  # too long for WebP
@example(height=16_383, width=1, channels=1, colours=2, seed=0)
def test_round_trip(height: int, width: int, channels: int, colours: int, seed: int) -> None:
    pixels = pixels_of(height, width, channels, colours, seed)
    back = unpack_like(pack_lossless(pixels), pixels)
    assert np.array_equal(back, pixels)
    assert back.flags.c_contiguous and not back.flags.writeable


def test_the_smaller_codec_wins() -> None:
    assert pack_lossless(pixels_of(64, 64, 3, 3))[0] == LosslessCodec.WEBP
    assert pack_lossless(pixels_of(16, 16, 3, 256))[0] == LosslessCodec.PNG  # noise: nothing to find, smaller header


def test_grey_of_either_codec_has_one_channel(monkeypatch: pytest.MonkeyPatch) -> None:
    pixels = pixels_of(33, 21, 1, 50)
    monkeypatch.setattr("archivae.images.lossless._BOTH_UP_TO_PIXELS", 0)
    data = pack_lossless(pixels)
    assert data[0] == LosslessCodec.WEBP
    assert np.array_equal(unpack_like(data, pixels), pixels)


@pytest.mark.parametrize("told", [(20, 31, 3), (21, 30, 3), (20, 30, 1), (30, 20, 3)])
def test_another_size_or_kind_than_told_is_corrupt(told: tuple[int, int, int]) -> None:
    data = pack_lossless(pixels_of(20, 30, 3, 256))
    with pytest.raises(CorruptBitstreamError, match="expected"):
        unpack_lossless(data, height=told[0], width=told[1], channels=told[2])


def test_colour_told_of_a_grey_png_is_corrupt() -> None:
    data = pack_lossless(np.zeros((20, 16_384, 1), np.uint8))
    with pytest.raises(CorruptBitstreamError, match="expected one RGB picture of 16384 x 20, found 1 of mode L"):
        unpack_lossless(data, height=20, width=16_384, channels=3)


@pytest.mark.parametrize("data", [b"", b"\x00", b"\x01", b"\x02abc", b"\x00junk", b"\x01" + bytes(100)])
def test_junk_is_corrupt(data: bytes) -> None:
    with pytest.raises(CorruptBitstreamError):
        unpack_lossless(data, height=4, width=4, channels=3)


@settings(max_examples=120, deadline=None)
@given(colours=st.sampled_from([2, 256]), place=st.floats(0, 1, exclude_max=True), flip=st.integers(1, 255))
def test_damage_is_corrupt_or_harmless_to_the_shape(colours: int, place: float, flip: int) -> None:
    pixels = pixels_of(12, 14, 3, colours)
    data = bytearray(pack_lossless(pixels))
    data[int(place * len(data))] ^= flip
    for damaged in (bytes(data), bytes(data[: int(place * len(data))])):
        try:
            assert unpack_like(damaged, pixels).shape == pixels.shape
        except CorruptBitstreamError:
            pass
