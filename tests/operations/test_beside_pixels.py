"""What a picture has beside 8 bits of grey or RGB, through encode and decode: transparency, depth, frames, colours."""

from __future__ import annotations

import io
import math

import numpy as np
import pytest
from PIL import Image

import archivae
from archivae.bitstream import Coding, pack_frames, read_bitstream, unpack_frames, write_bitstream
from archivae.bitstream.container import ALPHA_TAG, DEEP_TAG, FRAMES_TAG, REBUILT_TAG, Bitstream
from archivae.bitstream.frames import FramesChunk
from archivae.errors import ArchivaeError, CorruptBitstreamError, TargetError, UnsupportedBitstreamError
from archivae.images import DEFAULT_OPTIONS, ReadOptions, open_picture
from archivae.images.deep_png import write_deep_png
from archivae.images.notes import NO_NOTES
from archivae.operations.adopt import adopt
from archivae.operations.decode import decode_stream, notes_on_writing, picture_file
from archivae.operations.encode import encode_file, options_for
from archivae.operations.rate import Lossless, MaxBytes, Quality, Rate, TargetPsnr
from archivae.operations.source import Encoded, Source
from tests.profiles import DISPLAY_P3, rgb_profile
from tests.samples import MODEL, DecodesWhole, file_of, photo, small_codec, two_colours

KEEP, ALL = ReadOptions(depth="keep"), ReadOptions(frames="all")
QUALITY = Quality(60)


def encoded(data: bytes, rate: Rate = QUALITY, options: ReadOptions = DEFAULT_OPTIONS) -> Encoded:
    return encode_file(data, small_codec(), rate, options=options)


def decode(data: bytes) -> np.ndarray:
    return archivae.decode(data, model=MODEL, accelerator="cpu")


def see_through(height: int = 64, width: int = 96) -> np.ndarray:
    alpha = np.indices((height, width)).sum(0) % 256
    return np.dstack([photo(height, width), alpha.astype(np.uint8)])


def several(kind: str, count: int = 3, **options: object) -> bytes:
    first, *rest = (Image.fromarray(photo(64, 96, seed)) for seed in range(count))
    file = io.BytesIO()
    first.save(file, kind, save_all=True, append_images=rest, **options)
    return file.getvalue()


@pytest.mark.parametrize(
    "rate", [QUALITY, TargetPsnr(24), MaxBytes(4000), Lossless()], ids=lambda rate: type(rate).__name__
)
def test_transparency_comes_back_exactly_at_every_rate(rate: Rate) -> None:
    result = encoded(file_of(see_through()), rate)
    back = decode(result.data)
    assert back.shape == (64, 96, 4) and np.array_equal(back[:, :, 3], see_through()[:, :, 3])
    assert ALPHA_TAG in read_bitstream(result.data).optional
    if isinstance(rate, MaxBytes):
        assert len(result.data) <= 4000


def test_grey_with_transparency_has_two_channels() -> None:
    back = decode(encoded(file_of(see_through()[:, :, 2:])).data)
    assert back.shape == (64, 96, 2)


def test_a_transparent_icon_is_kept_exactly() -> None:
    icon = np.dstack([two_colours(32, 32), np.where(np.indices((32, 32)).sum(0) < 20, 0, 255).astype(np.uint8)])
    assert np.array_equal(decode(encoded(file_of(icon)).data), icon)


@pytest.mark.parametrize("channels", [1, 2, 3, 4])
def test_depth_is_kept_on_request_and_reduced_otherwise(channels: int) -> None:
    samples = np.random.default_rng(2).integers(0, 65536, (20, 30, channels), dtype=np.uint16)
    samples[0, 0, -1] = 3
    data = write_deep_png(samples)
    kept = encoded(data, options=KEEP)
    assert kept.coding is not Coding.LEARNED and kept.psnr == math.inf
    assert DEEP_TAG in read_bitstream(kept.data).optional
    assert np.array_equal(decode(kept.data), samples)
    reduced = encoded(data)
    assert decode(reduced.data).dtype == np.uint8 and any("reduced to 8 bits" in note for note in reduced.notes.lines())


def test_lossless_is_the_very_samples_in_the_very_colours() -> None:
    samples = np.random.default_rng(2).integers(0, 65536, (9, 9, 3), dtype=np.uint16)
    assert np.array_equal(decode(encoded(write_deep_png(samples), Lossless()).data), samples)
    icc = rgb_profile(DISPLAY_P3, 2.2)
    result = encoded(file_of(photo(), icc_profile=icc), Lossless())
    if result.coding is Coding.LOSSLESS:
        assert np.array_equal(decode(result.data), photo())
    picture = open_picture(file_of(photo(), icc_profile=icc), options=options_for(Lossless(), ReadOptions()))
    assert np.array_equal(picture.pixels, photo())


def test_what_is_deep_and_too_large_is_a_target_error() -> None:
    with pytest.raises(TargetError, match="reduce it to 8 bits"):
        encoded(
            write_deep_png(np.random.default_rng(2).integers(0, 65536, (20, 30, 3), dtype=np.uint16)),
            MaxBytes(99),
            KEEP,
        )


def test_smooth_deep_pictures_are_packed_and_decode_to_their_floats() -> None:
    y, x = np.mgrid[:64, :64]
    file = io.BytesIO()
    floats = (x * y / 977).astype(np.float32)
    Image.fromarray(floats).save(file, "TIFF")
    result = encoded(file.getvalue(), options=KEEP)
    assert result.coding is Coding.LOSSLESS
    back = decode(result.data)
    assert back.dtype == np.float32 and np.array_equal(back[:, :, 0], floats)


@pytest.mark.parametrize("kind", ["PNG", "WEBP"])
def test_all_frames_come_back_with_their_times(kind: str) -> None:
    data = several(kind, duration=[40, 50, 60], loop=2, **({"lossless": True} if kind == "WEBP" else {}))
    result = encoded(data, options=ALL)
    assert result.coding is Coding.LEARNED and len(result.data) < len(data)
    stream = read_bitstream(result.data)
    assert unpack_frames(stream.optional[FRAMES_TAG]).milliseconds == (40, 50, 60)
    picture = decode_stream(stream, lambda _: small_codec())
    assert picture.sequence.milliseconds == (40, 50, 60) and picture.sequence.loops == 2
    for frame, meant in zip(picture.frames, (photo(64, 96, seed) for seed in range(3)), strict=True):
        assert np.abs(frame.pixels.astype(int) - meant).mean() < 25
    written = open_picture(picture_file(stream, picture, "webp"), options=ALL)
    assert written.sequence.milliseconds == (40, 50, 60)
    assert decode(result.data).shape == (64, 96, 3)


def test_frames_smaller_as_the_source_are_kept_as_it_is() -> None:
    first, *rest = (Image.fromarray(np.roll(two_colours(64, 64), step, 0)) for step in range(4))
    file = io.BytesIO()
    first.save(file, "GIF", save_all=True, append_images=rest, duration=70)
    result = encoded(file.getvalue(), options=ALL)
    stream = read_bitstream(result.data)
    if result.coding is Coding.ORIGINAL:
        assert stream.payload == file.getvalue()
    picture = decode_stream(stream, lambda _: small_codec())
    assert len(picture.frames) == 4 and picture.sequence.milliseconds == (70,) * 4


def test_the_first_frame_alone_is_said() -> None:
    result = encoded(several("PNG"))
    assert (
        "3 frames, only the first is kept" in result.notes.lines()
        and FRAMES_TAG not in read_bitstream(result.data).optional
    )


def test_a_size_can_not_be_asked_of_several_frames() -> None:
    with pytest.raises(TargetError, match="several frames"):
        encoded(several("PNG"), MaxBytes(5000), ALL)


def test_a_frame_with_frames_is_corrupt() -> None:
    result = read_bitstream(encoded(several("PNG"), options=ALL).data)
    nested = write_bitstream(result)
    chunk = pack_frames(FramesChunk((1, 1), 0, (nested,)))
    with pytest.raises(CorruptBitstreamError, match="frames of its own"):
        decode_stream(_with(result, optional={FRAMES_TAG: chunk}), lambda _: small_codec())


@pytest.mark.parametrize("cut", [0, 3, 9, 20, -1])
def test_a_torn_frames_chunk_is_corrupt(cut: int) -> None:
    body = pack_frames(FramesChunk((10, 20, 30), 1, (b"one", b"two two")))
    assert unpack_frames(body) == FramesChunk((10, 20, 30), 1, (b"one", b"two two"))
    for torn in (body[:cut], body + b"x"):
        with pytest.raises(CorruptBitstreamError):
            unpack_frames(torn)


def test_samples_of_a_type_of_the_future_are_unsupported() -> None:
    stream = read_bitstream(encoded(write_deep_png(np.zeros((4, 4, 3), np.uint16)), options=KEEP).data)
    with pytest.raises(UnsupportedBitstreamError, match="type 9"):
        decode(write_bitstream(_with(stream, optional={DEEP_TAG: b"\x09\0\0"})))
    for body in (b"", b"\x01\0\0", b"\x03\1\0", b"\x01\xff\xff\0"):
        with pytest.raises(ArchivaeError):
            decode(write_bitstream(_with(stream, optional={DEEP_TAG: body})))


def test_a_jpeg_without_loss_is_rebuilt_from_jpeg_xl() -> None:
    source = file_of(photo(128, 160), "JPEG", quality=90)
    result = encoded(source, Lossless())
    stream = read_bitstream(result.data)
    assert result.coding is Coding.ORIGINAL and REBUILT_TAG in stream.optional
    assert len(result.data) < 0.95 * len(source)
    assert picture_file(stream, decode_stream(stream, lambda _: small_codec()), "jpeg") == source
    damaged = _with(stream, payload=stream.payload[:-9])
    with pytest.raises(CorruptBitstreamError):
        decode(write_bitstream(damaged))


def test_colours_are_coded_in_srgb_and_restored_on_request() -> None:
    icc = rgb_profile(DISPLAY_P3, 2.2)
    result = encoded(file_of(photo(64, 96), icc_profile=icc))
    stream = read_bitstream(result.data)
    picture = decode_stream(stream, lambda _: small_codec())
    assert picture.metadata.source_icc == icc
    plain, restored = (open_picture(picture_file(stream, picture, "png", back)) for back in (False, True))
    assert plain.metadata.icc == b"" and np.array_equal(plain.pixels, picture.pixels)
    assert restored.metadata.source_icc == icc  # read again, it is converted again
    assert np.abs(restored.pixels.astype(int) - picture.pixels).max() <= 3
    assert notes_on_writing(stream, picture, "png") == NO_NOTES


def test_stripped_files_hold_nothing_of_what_was_dropped() -> None:
    secret = b"taken at home, by me"
    source = file_of(two_colours(40, 40), "JPEG", quality=60, comment=secret, xmp=b"<x>" + secret + b"</x>")
    assert secret in encoded(source).data
    assert secret not in encoded(source, options=ReadOptions(strip_metadata=True)).data


def test_a_found_file_with_other_metadata_is_not_adopted() -> None:
    source = file_of(photo(), "PNG", icc_profile=rgb_profile(DISPLAY_P3, 2.2))
    with_all = encoded(source)
    same = Source(open_picture(source), source)
    stripped = Source(open_picture(source, options=ReadOptions(strip_metadata=True)), source)
    assert adopt(same, with_all.data, small_codec(), QUALITY) is not None
    other = Source(open_picture(file_of(see_through(64, 64))), source)
    assert adopt(other, with_all.data, small_codec(), QUALITY) is None
    assert stripped.ancillary == same.ancillary  # a profile is no secret


class Unused(DecodesWhole):
    id, batch_limit = b"\1" * 8, 4

    def encode(self, *_: object) -> list[object]:
        raise AssertionError("expected no learned coding")


def test_nothing_deep_reaches_the_codec() -> None:
    data = write_deep_png(np.zeros((4, 4, 3), np.uint16))
    assert encode_file(data, Unused(), QUALITY, options=KEEP).coding is not Coding.LEARNED  # type: ignore[arg-type]


def _with(stream: Bitstream, **changes: object) -> Bitstream:
    return Bitstream(**{**{name: getattr(stream, name) for name in stream.__dataclass_fields__}, **changes})
