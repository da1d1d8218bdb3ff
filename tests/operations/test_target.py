"""Targets against a codec whose curves are known, and against the small model."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import pytest

import archivae
from archivae.bitstream import Coding, Tile, read_bitstream
from archivae.errors import ArchivaeError, TargetError, UsageError
from archivae.images import Metadata, Picture, open_picture
from archivae.images.notes import NO_NOTES, said
from archivae.operations.codec import with_effort
from archivae.operations.decode import decode_stream
from archivae.operations.encode import encode_at
from archivae.operations.quality import has_ssimulacra2, ms_ssim, psnr, ssimulacra2
from archivae.operations.rate import (
    Distortion,
    Lossless,
    MaxBytes,
    Quality,
    Rate,
    Size,
    TargetBpp,
    TargetPsnr,
    TargetSsim,
    TargetSsimulacra2,
)
from archivae.operations.search import TOP
from archivae.operations.source import Encoded, Source
from archivae.operations.typical import ms_ssim_db
from tests.samples import MODEL, DecodesWhole, file_of, photo, photo_file, small_codec, stark_jpeg, two_colours


class GradedCodec(DecodesWhole):
    """From ``psnrs[0]`` dB and ``sizes[0]`` bytes a stream at quality 0 to the seconds at 100; counts its calls."""

    id = b"\1" * 8
    batch_limit = 1

    def __init__(
        self, original: np.ndarray, psnrs: tuple[float, float] = (24, 42), sizes: tuple[int, int] = (200, 8000)
    ) -> None:
        self._original = original
        self._psnrs, self._log_sizes = psnrs, [math.log(size) for size in sizes]
        self.encoded: list[int] = []
        self.decoded: list[int] = []

    def encode(self, pictures: Sequence[np.ndarray], quality: int) -> list[list[Tile]]:
        self.encoded.append(quality)
        return [[Tile(bytes(round(math.exp(np.interp(quality, (0, TOP), self._log_sizes)))), 0)] for _ in pictures]

    def decode(self, pictures: Sequence[Sequence[Tile]], *size_quality_side: int) -> list[np.ndarray]:
        quality = size_quality_side[2]
        self.decoded.append(quality)
        mean_square = 255**2 * 10 ** (-np.interp(quality, (0, TOP), self._psnrs) / 10)
        low = math.isqrt(int(mean_square))
        error = np.full(self._original.size, low)
        error[: round((mean_square - low**2) / (2 * low + 1) * error.size)] += 1
        return [(self._original + error.reshape(self._original.shape)).astype(np.uint8) for _ in pictures]


def source_of(data: bytes) -> Source:
    return Source(open_picture(data), data)


def array_source(pixels: np.ndarray) -> Source:
    return Source(Picture(pixels, "array", Metadata(), NO_NOTES), b"")


PHOTO = photo(192, 256)


@pytest.fixture
def source() -> Source:
    return source_of(file_of(PHOTO))


@pytest.fixture
def graded() -> GradedCodec:
    return GradedCodec(PHOTO)


def encoded(source: Source, codec: GradedCodec, rate: Rate, fallbacks: bool = True) -> Encoded:
    (result,) = encode_at([source], codec, rate, fallbacks)
    return result


@pytest.mark.parametrize("db", [24.3, 27, 30.55, 36, 41.5])
def test_psnr_is_hit_and_each_encode_counted(source: Source, graded: GradedCodec, db: float) -> None:
    result = encoded(source, graded, TargetPsnr(db))
    assert result.coding is Coding.LEARNED and db <= result.psnr <= db + 0.1
    assert result.encodes == len(graded.encoded) <= 6
    assert read_bitstream(result.data).quality == result.quality in graded.encoded
    assert result.notes == NO_NOTES


def test_the_file_kept_is_decoded_once_and_no_more(source: Source) -> None:
    for rate, decodes in ((TargetPsnr(33), None), (MaxBytes(3000), 1)):
        codec = GradedCodec(PHOTO)
        result = encoded(source, codec, rate)
        assert codec.decoded == ([result.quality] if decodes else codec.encoded)


@pytest.mark.parametrize("most", [320, 999, 3000, 8000])
def test_bytes_are_used_and_never_exceeded(source: Source, graded: GradedCodec, most: int) -> None:
    result = encoded(source, graded, MaxBytes(most))
    assert result.coding is Coding.LEARNED and 0.99 * most - 1 <= len(result.data) <= most
    assert result.encodes == len(graded.encoded) <= 6


def test_bits_per_pixel_are_bytes(source: Source, graded: GradedCodec) -> None:
    assert encoded(source, graded, TargetBpp(0.5)) == encoded(source, graded, MaxBytes(192 * 256 // 16))


def test_metadata_count(graded: GradedCodec) -> None:
    icc = bytes(range(256)) * 10
    source = source_of(file_of(PHOTO, icc_profile=icc))
    result = encoded(source, graded, MaxBytes(4000))
    assert 3960 <= len(result.data) <= 4000 and result.encodes <= 6
    with pytest.raises(TargetError, match="quality 0 takes 2,8"):
        encoded(source, graded, MaxBytes(2000))


def test_a_psnr_beyond_quality_100_is_stored_losslessly(source: Source, graded: GradedCodec) -> None:
    result = encoded(source, graded, TargetPsnr(60))
    assert result.coding is Coding.LOSSLESS and result.psnr == math.inf
    assert graded.encoded == [TOP] and (result.encodes, result.quality) == (1, 0)
    (note,) = result.notes.said
    assert note == "stored losslessly: quality 100 gives 42.00 dB, less than the 60.00 dB asked for"
    assert np.array_equal(decode_stream(read_bitstream(result.data), lambda _: graded).pixels, PHOTO)


def test_without_fallbacks_a_psnr_beyond_quality_100_is_an_error(source: Source, graded: GradedCodec) -> None:
    with pytest.raises(TargetError, match=r"expected 60.00 dB, found 42.00 dB at quality 100"):
        encoded(source, graded, TargetPsnr(60), fallbacks=False)


def test_a_psnr_below_quality_0_is_quality_0(source: Source, graded: GradedCodec) -> None:
    result = encoded(source, graded, TargetPsnr(20))
    assert (result.coding, result.quality, graded.encoded) == (Coding.LEARNED, 0, [0])
    assert result.notes == said("quality 0 gives 24.00 dB, more than the 20.00 dB asked for")


def test_fewer_bytes_than_quality_0_are_an_error_that_says_what_is_needed(source: Source, graded: GradedCodec) -> None:
    least = len(encoded(source, graded, Quality(0)).data)
    with pytest.raises(TargetError, match=f"at most 250 bytes, found that quality 0 takes {least}"):
        encoded(source, graded, MaxBytes(250))
    assert len(encoded(source, graded, MaxBytes(least)).data) == least


def test_the_error_says_when_a_lossless_file_needs_the_fewest(graded: GradedCodec) -> None:
    source = source_of(file_of(two_colours(96, 128), "BMP"))
    needed = len(encoded(source, graded, Lossless()).data)
    with pytest.raises(TargetError, match=f"without loss it takes {needed}: allow as many"):
        encoded(source, GradedCodec(source.picture.pixels, sizes=(3000, 9000)), MaxBytes(needed - 1))


def test_bytes_that_a_lossless_file_fits_into_are_given_to_it(graded: GradedCodec) -> None:
    source = source_of(file_of(two_colours(192, 256), "BMP"))
    result = encoded(source, graded, MaxBytes(3000))
    assert result.coding is Coding.LOSSLESS and len(result.data) < 3000 and graded.encoded == []
    assert result.notes == said("stored losslessly: fits into 3,000 bytes")


def test_bytes_that_the_source_fits_into_are_given_to_it(graded: GradedCodec) -> None:
    jpeg = stark_jpeg()
    result = encoded(source_of(jpeg), graded, MaxBytes(len(jpeg) + 96))
    assert result.coding is Coding.ORIGINAL and graded.encoded == []
    assert any("own bytes stored: fits" in note for note in result.notes.lines())


def test_more_bytes_than_quality_100_needs_let_an_array_be_lossless() -> None:
    codec = GradedCodec(PHOTO, sizes=(200, 3000))
    result = encoded(array_source(PHOTO), codec, MaxBytes(1_000_000))
    assert result.coding is Coding.LOSSLESS and result.encodes == len(codec.encoded) == 1
    assert encoded(array_source(PHOTO), codec, MaxBytes(20_000)).quality == TOP


def test_bytes_that_leave_no_picture_are_an_error(source: Source) -> None:
    with pytest.raises(TargetError, match=r"give 1\d\.\d dB, too little to count as the picture"):
        encoded(source, GradedCodec(PHOTO, psnrs=(10, 30)), MaxBytes(350))


def test_a_fallback_that_is_smaller_still_wins(graded: GradedCodec) -> None:
    source = source_of(file_of(two_colours(192, 256), "BMP"))
    result = encoded(source, GradedCodec(source.picture.pixels, sizes=(3000, 9000)), TargetPsnr(30))
    assert result.coding is Coding.LOSSLESS and result.psnr == math.inf and result.encodes >= 1
    assert result.notes == said("stored losslessly: smaller so")


@pytest.mark.parametrize("data", [photo_file(), stark_jpeg(), file_of(two_colours(), "BMP")])
def test_lossless_gives_the_very_pixels_back(data: bytes) -> None:
    source = source_of(data)
    codec = GradedCodec(source.picture.pixels)
    result = encoded(source, codec, Lossless())
    assert result.psnr == math.inf and codec.encoded == []
    assert np.array_equal(decode_stream(read_bitstream(result.data), lambda _: codec).pixels, source.picture.pixels)
    assert result.coding is (Coding.ORIGINAL if data == stark_jpeg() else Coding.LOSSLESS)


def test_ms_ssim_is_refused_where_it_is_not_defined(graded: GradedCodec) -> None:
    with pytest.raises(TargetError, match="short side of at least 161 pixels, found 160x300") as raised:
        encoded(array_source(photo(160, 300)), graded, TargetSsim(0.9))
    assert isinstance(raised.value, ArchivaeError)
    assert graded.encoded == []


def test_the_same_picture_and_target_give_the_same_bytes(source: Source) -> None:
    target = TargetPsnr(20)
    first = encoded(source, small_codec(), target)
    together = encode_at([source, source], small_codec(), target)
    assert [result.data for result in together] == [first.data] * 2


def middle(source: Source, rate: type[TargetPsnr | TargetSsim | MaxBytes]) -> Distortion | Size:
    """A target that lies between what qualities 0 and 20 of the small model give; above it, it does not rise."""
    ends = [encoded(source, small_codec(), Quality(quality), fallbacks=False) for quality in (0, 20)]
    if rate is TargetPsnr:
        return TargetPsnr(float(np.mean([end.psnr for end in ends])))
    if rate is MaxBytes:
        return MaxBytes(round(np.mean([len(end.data) for end in ends])))
    return TargetSsim(float(np.mean([ms_ssim(source.picture.pixels, pixels_of(end)) for end in ends])))


def pixels_of(result: Encoded) -> np.ndarray:
    return decode_stream(read_bitstream(result.data), lambda _: small_codec()).pixels


@pytest.mark.parametrize("channels", [1, 3])
def test_the_small_model_meets_targets(channels: int) -> None:
    source = source_of(file_of(PHOTO[:, :, :channels]))
    near = middle(source, TargetPsnr)
    assert near.db <= psnr(source.picture.pixels, pixels_of(encoded(source, small_codec(), near))) <= near.db + 0.1
    alike = middle(source, TargetSsim)
    excess = ms_ssim_db(ms_ssim(source.picture.pixels, pixels_of(encoded(source, small_codec(), alike))))
    assert 0 <= excess - ms_ssim_db(alike.ms_ssim) <= 0.1
    small = middle(source, MaxBytes)  # sizes go by stairs here, so that nothing may lie within 1 %
    least, found = (len(encoded(source, small_codec(), rate).data) for rate in (Quality(0), small))
    assert (least + small.count) / 2 < found <= small.count


def test_the_plain_function_takes_each_target() -> None:
    asked = [{"quality": 10}, {"target_psnr": 19}, {"target_ssim": 0.3}, {"target_bpp": 0.65}, {"max_bytes": 4000}]
    for target in asked:
        data = archivae.encode(PHOTO, model=MODEL, accelerator="cpu", **target)
        assert read_bitstream(data).coding is Coding.LEARNED
    data = archivae.encode(PHOTO, model=MODEL, accelerator="cpu", lossless=True)
    assert np.array_equal(archivae.decode(data), PHOTO)
    with pytest.raises(UsageError, match="quality and lossless at once"):
        archivae.encode(PHOTO, quality=60, lossless=True, model=MODEL)


@pytest.mark.skipif(not has_ssimulacra2(), reason="the extra ssimulacra2 is not installed")
def test_ssimulacra2_is_hit(source: Source, graded: GradedCodec) -> None:
    decoded = graded.decode([[]], 0, 0, TOP // 2, 0)[0]
    wanted = ssimulacra2(PHOTO, decoded)
    graded.decoded.clear()
    result = encoded(source, graded, TargetSsimulacra2(wanted))
    found = ssimulacra2(PHOTO, graded.decode([[]], 0, 0, result.quality, 0)[0])
    assert result.coding is Coding.LEARNED and wanted <= found <= wanted + 0.5
    with pytest.raises(TargetError, match="SSIMULACRA 2 needs a short side of at least 8 pixels, found 7x300"):
        encoded(array_source(photo(7, 300)), graded, TargetSsimulacra2(50))


class HardCodec(GradedCodec):
    """Writes 1 dB better files where it is asked to."""

    def __init__(self) -> None:
        super().__init__(PHOTO)
        self.hard: list[int] = []

    def encode(self, pictures: Sequence[np.ndarray], quality: int, *, effort: int = 0) -> list[list[Tile]]:
        self.hard += [effort] * bool(effort)
        self._psnrs = (25, 43) if effort else (24, 42)
        return super().encode(pictures, quality)


def test_effort_searches_without_it_first_and_then_nearby(source: Source) -> None:
    plain, hard = HardCodec(), HardCodec()
    (easy,) = encode_at([source], plain, TargetPsnr(35.3))
    (result,) = encode_at([source], with_effort(hard, 2), TargetPsnr(35.3))
    assert 35.3 <= result.psnr <= 35.4 and result.quality < easy.quality
    assert result.encodes == len(hard.encoded) and 1 <= len(hard.hard) <= 3 and set(hard.hard) == {2}
    assert len(hard.encoded) == easy.encodes + len(hard.hard)
    hard.hard.clear()
    assert len(encode_at([source], with_effort(hard, 1), MaxBytes(3000))[0].data) <= 3000 and set(hard.hard) == {1}


def test_the_library_takes_an_effort() -> None:
    plain, hard = (archivae.encode(PHOTO, quality=40, model=MODEL, effort=effort, fallbacks=False) for effort in (0, 1))
    assert plain != hard == archivae.encode(PHOTO, quality=40, model=MODEL, effort=1, fallbacks=False)
    with pytest.raises(UsageError, match="effort goes from 0 to 3"):
        archivae.encode(PHOTO, model=MODEL, effort=5)
