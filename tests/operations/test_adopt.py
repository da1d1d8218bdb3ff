from __future__ import annotations

import numpy as np
import pytest

from archivae.bitstream import Coding, read_bitstream, write_bitstream
from archivae.images import open_picture
from archivae.operations.adopt import adopt
from archivae.operations.decode import decode_stream
from archivae.operations.encode import encode_at
from archivae.operations.quality import psnr
from archivae.operations.rate import Lossless, MaxBytes, Quality, Rate, TargetBpp, TargetPsnr, TargetSsim
from archivae.operations.source import Source
from tests.samples import file_of, photo, photo_file, small_codec, two_colours

QUALITY = Quality(60)


@pytest.fixture
def source() -> Source:
    data = photo_file()
    return Source(open_picture(data), data)


@pytest.fixture
def archived(source: Source) -> bytes:
    return encode_at([source], small_codec(), QUALITY)[0].data


def test_our_own_file_is_taken_as_if_just_made(source: Source, archived: bytes) -> None:
    (fresh,) = encode_at([source], small_codec(), QUALITY)
    assert adopt(source, archived, small_codec(), QUALITY) == fresh


def test_another_quality_is_not_ours(source: Source, archived: bytes) -> None:
    assert adopt(source, archived, small_codec(), Quality(60 + 1 / 256)) is None


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
    (encoded,) = encode_at([source], small_codec(), QUALITY)
    assert encoded.coding is Coding.LOSSLESS
    assert adopt(source, encoded.data, small_codec(), QUALITY) is None


def test_our_file_with_another_entropy_stream_is_not_ours(source: Source, archived: bytes) -> None:
    stream = read_bitstream(archived)
    (tile,) = stream.tiles
    fields = {name: getattr(stream, name) for name in stream.__dataclass_fields__}
    forged = type(stream)(**{**fields, "tiles": (tile._replace(integers_crc=tile.integers_crc ^ 1),)})
    assert adopt(source, write_bitstream(forged), small_codec(), QUALITY) is None


def made(source: Source, rate: Rate) -> bytes:
    return encode_at([source], small_codec(), rate)[0].data


def test_a_file_that_meets_its_target_is_taken_as_if_just_made(source: Source) -> None:
    (fresh,) = encode_at([source], small_codec(), Quality(10))
    size = len(fresh.data)
    for rate in (TargetPsnr(fresh.psnr), MaxBytes(size), TargetBpp(size * 8 / 64**2)):
        assert adopt(source, fresh.data, small_codec(), rate) == fresh
    near = TargetPsnr(fresh.psnr)
    (found,) = encode_at([source], small_codec(), near)
    assert found.coding is Coding.LEARNED and adopt(source, found.data, small_codec(), near) == found


def test_a_file_too_far_from_the_picture_or_too_near_is_not_ours(source: Source) -> None:
    archived = made(source, Quality(10))
    level = psnr(source.picture.pixels, decode_stream(read_bitstream(archived), lambda _: small_codec()).pixels)
    ours = [adopt(source, archived, small_codec(), TargetPsnr(level + more)) for more in (-0.2, -0.05, 0.0, 0.01)]
    assert [found is not None for found in ours] == [False, True, True, False]


def test_a_file_too_large_or_much_smaller_than_allowed_is_not_ours(source: Source) -> None:
    archived = made(source, Quality(10))
    size = len(archived)
    mosts = (size - 1, size, size + size // 200, 2 * size)
    ours = [adopt(source, archived, small_codec(), MaxBytes(most)) for most in mosts]
    assert [found is not None for found in ours] == [False, True, True, False]


def test_a_file_that_loses_something_is_not_ours_where_a_lossless_one_may_fit(archived: bytes) -> None:
    data = photo_file()
    assert adopt(Source(open_picture(data), data), archived, small_codec(), MaxBytes(len(data))) is None


def test_nothing_is_adopted_for_lossless_nor_where_ms_ssim_is_not_defined(source: Source, archived: bytes) -> None:
    for rate in (Lossless(), TargetSsim(0.5)):
        assert adopt(source, archived, small_codec(), rate) is None
    assert adopt(source, made(source, Lossless()), small_codec(), Lossless()) is None
