from __future__ import annotations

import numpy as np
import pytest

from archivae.bitstream import Coding, read_bitstream, write_bitstream
from archivae.images import open_picture
from archivae.operations.adopt import adopt
from archivae.operations.encode import Source, encode_pictures, fixed_quality
from tests.samples import file_of, photo, photo_file, small_codec, two_colours

QUALITY = fixed_quality(60)


@pytest.fixture
def source() -> Source:
    data = photo_file()
    return Source(open_picture(data), data)


@pytest.fixture
def archived(source: Source) -> bytes:
    return encode_pictures([source], small_codec(), QUALITY)[0].data


def test_our_own_file_is_taken_as_if_just_made(source: Source, archived: bytes) -> None:
    (fresh,) = encode_pictures([source], small_codec(), QUALITY)
    assert adopt(source, archived, small_codec(), QUALITY) == fresh


def test_another_quality_is_not_ours(source: Source, archived: bytes) -> None:
    assert adopt(source, archived, small_codec(), QUALITY + 1) is None


def test_another_source_is_not_ours(archived: bytes) -> None:
    other = photo_file(seed=2)
    assert adopt(Source(open_picture(other), other), archived, small_codec(), QUALITY) is None


def test_the_same_pixels_in_another_file_are_not_ours(archived: bytes) -> None:
    other = file_of(photo(), "BMP")
    assert adopt(Source(open_picture(other), other), archived, small_codec(), QUALITY) is None


def test_another_model_is_not_ours(source: Source, archived: bytes) -> None:
    class Other:
        id = b"another!"

    assert adopt(source, archived, Other(), QUALITY) is None


@pytest.mark.parametrize("cut", [0, 10, 100, -1])
def test_a_cut_file_is_not_ours(source: Source, archived: bytes, cut: int) -> None:
    assert adopt(source, archived[:cut], small_codec(), QUALITY) is None


def test_a_damaged_file_is_not_ours(source: Source, archived: bytes) -> None:
    damaged = bytearray(archived)
    damaged[-5] ^= 1
    assert adopt(source, bytes(damaged), small_codec(), QUALITY) is None


def test_a_file_that_decodes_to_another_picture_is_not_ours(source: Source, archived: bytes) -> None:
    class Liar:
        id = small_codec().id

        def decode(self, pictures: list, *_: int) -> list[np.ndarray]:
            return [np.zeros((64, 64, 3), np.uint8) for _ in pictures]

    assert adopt(source, archived, Liar(), QUALITY) is None


def test_files_of_other_codings_are_made_anew() -> None:
    data = file_of(two_colours(), "BMP")
    source = Source(open_picture(data), data)
    (encoded,) = encode_pictures([source], small_codec(), QUALITY)
    assert encoded.coding is Coding.LOSSLESS
    assert adopt(source, encoded.data, small_codec(), QUALITY) is None


def test_our_file_with_another_entropy_stream_is_not_ours(source: Source, archived: bytes) -> None:
    stream = read_bitstream(archived)
    (tile,) = stream.tiles
    fields = {name: getattr(stream, name) for name in stream.__dataclass_fields__}
    forged = type(stream)(**{**fields, "tiles": (tile._replace(integers_crc=tile.integers_crc ^ 1),)})
    assert adopt(source, write_bitstream(forged), small_codec(), QUALITY) is None
