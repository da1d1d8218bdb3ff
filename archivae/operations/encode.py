"""One picture, or a batch of one size, into ``.avae`` bytes: coded, verified, and never larger or worse than it need be."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from PIL import Image

from archivae.bitstream import Coding
from archivae.errors import UsageError
from archivae.images import DEFAULT_OPTIONS, MAX_PIXELS, Metadata, Picture, ReadOptions, open_picture
from archivae.images.notes import NO_NOTES
from archivae.models import DEFAULT_MODEL
from archivae.operations.codec import Codec, Pixels, named_codec, with_effort
from archivae.operations.fallbacks import keep_best, keep_exact_within
from archivae.operations.frames import frames_of, join_frames
from archivae.operations.learned import learned_files, psnr_again
from archivae.operations.rate import Lossless, Quality, Rate, pick_rate
from archivae.operations.source import Encoded, Source
from archivae.operations.target import encode_to_target


def encode(
    image: np.ndarray | Image.Image,
    *,
    quality: float | None = None,
    target_psnr: float | None = None,
    target_ssim: float | None = None,
    target_ssimulacra2: float | None = None,
    target_bpp: float | None = None,
    max_bytes: int | None = None,
    lossless: bool = False,
    model: str = DEFAULT_MODEL,
    effort: int = 0,
    fallbacks: bool = True,
    accelerator: str = "auto",
) -> bytes:
    """One picture into ``.avae`` bytes, at a quality or to a target: one of the first seven after the image, no more.

    Args:
        image: (H, W), (H, W, 1) or (H, W, 3) uint8, or a Pillow image of mode L or RGB.
        quality: 0 to 100; 60 if nothing else is asked for.
        target_psnr: at least so many dB, and at most 0.1 more.
        target_ssim: at least this MS-SSIM, between 0 and 1, and at most 0.1 more in dB, -10 log10(1 - x).
        target_ssimulacra2: at least this SSIMULACRA 2, between 0 and 100, and at most 0.5 more. Takes the extra
            ``archivae[ssimulacra2]``.
        target_bpp: at most so many bits per pixel of the whole file, and hardly fewer.
        max_bytes: at most so many bytes, and hardly fewer.
        lossless: the very pixels back.
        model: a shipped model's name, or a ``.safetensors`` file.
        effort: 0 to 3; each takes several times as long as the one before and saves some percent of the bytes.
        fallbacks: store losslessly what the codec would make larger, or cannot bring as near as asked.
        accelerator: ``auto``, ``cpu``, ``cuda``.

    Raises:
        UsageError: an image, quality or effort that is none, or two things asked for at once.
        TargetError: a target that this picture cannot meet; the message says what it can.
    """
    rate = pick_rate(
        quality=quality, target_psnr=target_psnr, target_ssim=target_ssim,
        target_ssimulacra2=target_ssimulacra2, target_bpp=target_bpp, max_bytes=max_bytes, lossless=lossless,
    )  # fmt: skip
    picture = Picture(_check_pixels(_as_array(image)), "array", Metadata(), NO_NOTES)
    codec = with_effort(named_codec(model, accelerator), effort)
    (encoded,) = encode_at([Source(picture, b"")], codec, rate, fallbacks)
    return encoded.data


def encode_file(
    data: bytes,
    codec: Codec,
    rate: Rate | float,
    *,
    max_pixels: int = MAX_PIXELS,
    options: ReadOptions = DEFAULT_OPTIONS,
) -> Encoded:
    """One picture file into an ``.avae`` file, metadata included; a number as ``rate`` is a quality.

    Raises what `open_picture` and `encode` raise.
    """
    asked = Quality(rate) if isinstance(rate, int | float) else rate
    picture = open_picture(data, max_pixels=max_pixels, options=options_for(asked, options))
    (encoded,) = encode_at([Source(picture, data)], codec, asked)
    return encoded


def options_for(rate: Rate, options: ReadOptions) -> ReadOptions:
    """How to read what is coded at ``rate``: for coding without loss, colours and samples as they are stored."""
    return replace(options, exact=True) if isinstance(rate, Lossless) else options


def encode_at(sources: Sequence[Source], codec: Codec, rate: Rate, fallbacks: bool = True) -> list[Encoded]:
    """Pictures of one size into verified files: at one quality all together, to a target one by one."""
    plain = [source for source in sources if not (source.picture.sequence or source.is_exact_only)]
    if isinstance(rate, Quality):
        coded = iter(encode_pictures(plain, codec, rate.steps, fallbacks) if plain else ())
    else:
        coded = (encode_to_target(source, codec, rate, fallbacks) for source in plain)
    return [_encode_special(source, codec, rate, fallbacks) or next(coded) for source in sources]


def _encode_special(source: Source, codec: Codec, rate: Rate, fallbacks: bool) -> Encoded | None:
    """What a batch can't do: pictures of several frames, and those that only a file without loss holds; else None."""
    if source.picture.sequence:
        frames = [encode_at([frame], codec, rate, fallbacks)[0] for frame in frames_of(source, rate)]
        return join_frames(source, frames)
    if source.is_exact_only:
        return keep_exact_within(source, rate)
    return None


def encode_pictures(sources: Sequence[Source], codec: Codec, quality: int, fallbacks: bool = True) -> list[Encoded]:
    """Pictures of one size into verified ``.avae`` files; ``quality`` in steps of 1/256."""
    files = learned_files(sources, codec, quality)
    learned = [
        Encoded(data, Coding.LEARNED, decoded_psnr, source.picture.notes, quality, encodes=1)
        for source, data, decoded_psnr in zip(sources, files, psnr_again(sources, files, codec), strict=True)
    ]
    return [keep_best(*pair) for pair in zip(sources, learned, strict=True)] if fallbacks else learned


def _as_array(image: np.ndarray | Image.Image) -> np.ndarray:
    if isinstance(image, Image.Image) and image.mode not in ("L", "RGB"):
        raise UsageError(f'expected a Pillow image of mode L or RGB, found {image.mode}: call .convert("RGB") first')
    return np.asarray(image)


def _check_pixels(pixels: np.ndarray) -> Pixels:
    if pixels.ndim == 2:
        pixels = pixels[:, :, None]
    if pixels.dtype != np.uint8 or pixels.ndim != 3 or pixels.shape[2] not in (1, 3) or pixels.size == 0:
        raise UsageError(
            f"expected a picture as (H, W), (H, W, 1) or (H, W, 3) uint8, found {pixels.dtype} {pixels.shape}: "
            "convert it first"
        )
    return pixels
