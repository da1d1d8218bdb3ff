from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import pytest
import torch
from PIL import Image

import archivae
from archivae.bitstream import Coding, Tile, read_bitstream
from archivae.errors import CorruptBitstreamError, UsageError, VerificationError
from archivae.images import Metadata, Picture, open_picture
from archivae.images.notes import NO_NOTES
from archivae.operations.decode import decode_stream
from archivae.operations.encode import encode_at, encode_file, encode_pictures
from archivae.operations.quality import psnr
from archivae.operations.rate import MaxBytes, Quality, Rate, TargetPsnr, fixed_quality
from archivae.operations.source import Encoded, Source
from tests.samples import MODEL, DecodesWhole, file_of, photo, photo_file, small_codec, stark_jpeg, two_colours

QUALITY = fixed_quality(60)
OVERHEAD = 96  # of a file that holds its source's bytes


def encode(image: np.ndarray | Image.Image, **options: object) -> bytes:
    return archivae.encode(image, model=MODEL, accelerator="cpu", **options)


def decode(data: bytes) -> np.ndarray:
    return archivae.decode(data, model=MODEL, accelerator="cpu")


def source_of(data: bytes) -> Source:
    return Source(open_picture(data), data)


def encoded(data: bytes, quality: float = 60) -> Encoded:
    return encode_file(data, small_codec(), quality)


class LyingCodec(DecodesWhole):
    """Decodes to whatever it was told, from streams of any length."""

    id = b"\1" * 8
    batch_limit = 4
    stream = b"x"

    def __init__(self, answer: np.ndarray | Exception) -> None:
        self.answer = answer

    def encode(self, pictures: Sequence[np.ndarray], quality: int) -> list[list[Tile]]:
        return [[Tile(self.stream, 0)] for _ in pictures]

    def decode(self, pictures: Sequence[Sequence[Tile]], *size_quality_side: int) -> list[np.ndarray]:
        if isinstance(self.answer, Exception):
            raise self.answer
        return [self.answer for _ in pictures]


@pytest.mark.parametrize("size", [(64, 64), (65, 97), (96, 128)])
def test_an_array_comes_back_near_and_of_its_size(size: tuple[int, int]) -> None:
    pixels = photo(*size)
    back = decode(encode(pixels))
    assert back.dtype == np.uint8 and back.shape == pixels.shape
    assert psnr(pixels, back) > 15


def test_a_pillow_image_is_the_array_it_shows() -> None:
    pixels = photo()
    assert encode(Image.fromarray(pixels)) == encode(pixels)
    grey = pixels[:, :, 0]
    assert encode(Image.fromarray(grey)) == encode(grey) == encode(grey[:, :, None])


def test_grey_stays_grey() -> None:
    data = encode(photo()[:, :, :1])
    stream = read_bitstream(data)
    assert stream.coding is Coding.LEARNED and stream.channels == 1
    back = decode(data)
    assert back.shape == (64, 64, 1) and psnr(photo()[:, :, :1], back) > 15


def test_arrays_need_not_be_contiguous() -> None:
    pixels = photo()
    assert encode(pixels[::-1, ::-1]) == encode(pixels[::-1, ::-1].copy())


@pytest.mark.parametrize(
    "image",
    [
        photo().astype(np.float32) / 255,
        photo().astype(np.uint16),
        np.zeros((8, 8, 4), np.uint8),
        np.zeros((8, 8, 2), np.uint8),
        np.zeros((0, 8, 3), np.uint8),
        np.zeros((1, 8, 8, 3), np.uint8),
        np.zeros(8, np.uint8),
        Image.new("RGBA", (8, 8)),
        Image.new("P", (8, 8)),
        Image.new("I;16", (8, 8)),
        Image.new("1", (8, 8)),
    ],
)
def test_what_is_no_picture_is_refused(image: np.ndarray | Image.Image) -> None:
    with pytest.raises(UsageError, match="expected a P?p?i"):
        encode(image)


@pytest.mark.parametrize("quality", [-0.01, 100.5, math.nan, math.inf, -math.inf])
def test_a_quality_out_of_range_is_refused(quality: float) -> None:
    with pytest.raises(UsageError, match="quality goes from 0 to 100"):
        encode(photo(), quality=quality)


def test_quality_is_kept_in_steps_of_1_256() -> None:
    """And that step is what the codec is given: its tiles are those of no other quality."""
    steps = round(33.3 * 256)
    stream = read_bitstream(encode(photo(), quality=33.3, fallbacks=False))
    assert stream.quality == steps
    at_steps, at_others = (small_codec().encode([photo()], q)[0] for q in (steps, fixed_quality(60)))
    assert list(stream.tiles) == at_steps != at_others


@pytest.mark.parametrize(
    "pixels",
    [
        np.full((1, 1, 3), 7, np.uint8),
        photo(3, 5),
        photo(1, 40)[:, :, :1],
        np.kron(np.arange(64, dtype=np.uint8).reshape(8, 8), np.ones((16, 16), np.uint8))[:, :, None],
        two_colours(90, 70),
    ],
    ids=["1x1", "tiny", "one row of grey", "grey blocks", "two colours"],
)
def test_tiny_and_synthetic_pictures_are_kept_exactly(pixels: np.ndarray) -> None:
    data = encode(pixels)
    assert read_bitstream(data).coding is Coding.LOSSLESS
    assert np.array_equal(decode(data), pixels)
    assert len(data) < len(encode(pixels, fallbacks=False))


def test_without_fallbacks_the_codec_codes_everything() -> None:
    assert read_bitstream(encode(np.zeros((1, 1, 3), np.uint8), fallbacks=False)).coding is Coding.LEARNED


def test_a_source_smaller_than_ours_is_stored_as_it_is() -> None:
    source = stark_jpeg()
    result = encoded(source)
    stream = read_bitstream(result.data)
    assert result.coding is stream.coding is Coding.ORIGINAL
    assert stream.payload == source and len(result.data) == len(source) + OVERHEAD
    assert result.psnr == math.inf and any("own bytes" in note for note in result.notes.lines())
    assert np.array_equal(decode(result.data), open_picture(source).pixels)


@pytest.mark.parametrize(("excess", "coding"), [(0, Coding.LEARNED), (1, Coding.ORIGINAL)])
def test_the_smaller_file_wins(excess: int, coding: Coding) -> None:
    """A codec that decodes perfectly to files as long as the source's own would be, or one byte longer."""
    source = source_of(file_of(photo(96, 128), "JPEG", quality=60))
    codec = LyingCodec(source.picture.pixels)
    (result,) = encode_pictures([source], codec, QUALITY)
    codec.stream = bytes(len(source.data) + OVERHEAD - len(result.data) + 1 + excess)
    (result,) = encode_pictures([source], codec, QUALITY)
    assert result.coding is coding and len(result.data) == len(source.data) + OVERHEAD


def test_what_decodes_to_a_bad_picture_is_kept_exactly() -> None:
    """High contrast is more than the small model's random weights can do."""
    pixels = np.random.default_rng(1).integers(0, 256, (64, 64, 3), dtype=np.uint8)
    result = encoded(file_of(pixels))
    assert result.coding is not Coding.LEARNED and result.psnr == math.inf
    assert np.array_equal(decode(result.data), pixels)


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "WEBP", "GIF", "BMP"])
@pytest.mark.parametrize("size", [(1, 1), (7, 5), (64, 64), (96, 128)])
def test_an_archive_is_never_larger_than_its_source(kind: str, size: tuple[int, int]) -> None:
    for quality in (0, 100):
        source = file_of(photo(*size), kind)
        result = encoded(source, quality)
        assert len(result.data) <= len(source) + OVERHEAD


def test_metadata_comes_back() -> None:
    exif = Image.Exif()
    exif[0x010F] = "Maker"
    exif[0x0112] = 1
    icc = b"not a real profile, but bytes" * 9
    xmp = b"<x:xmpmeta xmlns:x='adobe:ns:meta/'/>"
    source = file_of(photo(96, 128), "JPEG", quality=95, exif=exif, icc_profile=icc, xmp=xmp)
    result = encoded(source)
    assert result.coding is Coding.LEARNED
    back = decode_stream(read_bitstream(result.data), lambda _: small_codec()).metadata
    assert back == open_picture(source).metadata
    assert back.exif and (back.icc, back.xmp) == (icc, xmp)


def test_notes_say_what_was_changed() -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    result = encoded(file_of(photo(64, 96), "JPEG", quality=95, exif=exif))
    stream = read_bitstream(result.data)
    assert (stream.height, stream.width) == (96, 64)
    assert "orientation 6 applied" in result.notes.lines()


def test_the_source_is_named_by_its_sha256() -> None:
    source = source_of(photo_file())
    (result,) = encode_pictures([source], small_codec(), QUALITY)
    assert read_bitstream(result.data).source_sha256 == source.sha256


@pytest.mark.parametrize("rate", [Quality(60), TargetPsnr(30), MaxBytes(500)])
def test_a_file_that_does_not_decode_is_never_passed_on(rate: Rate) -> None:
    liar = LyingCodec(CorruptBitstreamError("the checksum of the integers is wrong"))
    for fallbacks in (True, False):
        with pytest.raises(VerificationError, match="does not decode: the checksum"):
            encode_at([source_of(photo_file())], liar, rate, fallbacks)


def test_a_file_that_decodes_to_another_picture_is_not_kept() -> None:
    liar = LyingCodec(np.zeros((64, 64, 3), np.uint8))
    source = source_of(photo_file())
    (result,) = encode_pictures([source], liar, QUALITY)
    assert result.coding is Coding.LOSSLESS
    assert np.array_equal(decode(result.data), source.picture.pixels)


def test_a_fallback_that_does_not_read_back_is_never_passed_on(monkeypatch: pytest.MonkeyPatch) -> None:
    another = np.zeros((8, 8, 3), np.uint8)
    monkeypatch.setattr(
        "archivae.operations.fallbacks.stored_picture", lambda _: Picture(another, "avae", Metadata(), NO_NOTES)
    )
    with pytest.raises(VerificationError, match="does not read back"):
        encode(two_colours())


def test_same_picture_same_bytes_whoever_its_neighbours_are() -> None:
    sources = [source_of(photo_file(64, 96, seed)) for seed in range(4)]
    alone = [encode_pictures([source], small_codec(), QUALITY)[0].data for source in sources]
    together = [result.data for result in encode_pictures(sources, small_codec(), QUALITY)]
    backwards = [result.data for result in encode_pictures(sources[::-1], small_codec(), QUALITY)]
    assert alone == together == backwards[::-1]
    assert len(set(alone)) == len(alone)


def test_same_picture_same_bytes_on_any_number_of_threads() -> None:
    before = torch.get_num_threads()
    files = []
    try:
        for threads in (1, 2, 1):
            torch.set_num_threads(threads)
            files.append(encode(photo(128, 192)))
    finally:
        torch.set_num_threads(before)
    assert files[0] == files[1] == files[2]
