from __future__ import annotations

import io
from typing import Any

import numpy as np
import pytest
from PIL import Image

from archivae.errors import PictureTooLargeError
from archivae.images import Metadata, Picture, ReadOptions, Sequence, fit, open_picture
from archivae.images.deep_png import write_deep_png
from archivae.images.notes import NO_NOTES, lost
from archivae.images.readers import frames as frames_module
from archivae.images.writing import OutputFormat, write_picture

ALL = ReadOptions(frames="all")


def frame(step: int, height: int = 12, width: int = 16) -> np.ndarray:
    y, x = np.mgrid[:height, :width]
    return np.stack([x * 9 + step, y * 9 + 2 * step, np.full_like(x, 40 * step)], axis=2).astype(np.uint8)


def saved(frames: list[np.ndarray], kind: str, **options: Any) -> bytes:
    first, *rest = map(Image.fromarray, frames)
    file = io.BytesIO()
    first.save(file, kind, save_all=True, append_images=rest, **options)
    return file.getvalue()


@pytest.mark.parametrize("kind", ["PNG", "WEBP"])
def test_every_frame_of_an_animation_comes_with_its_time(kind: str) -> None:
    frames = [frame(0), frame(1), frame(2)]
    options = {"lossless": True, "exact": True} if kind == "WEBP" else {}
    picture = open_picture(saved(frames, kind, duration=[100, 250, 40], loop=3, **options), options=ALL)
    assert picture.sequence.milliseconds == (100, 250, 40) and picture.sequence.loops == 3
    for got, meant in zip(picture.frames, frames, strict=True):
        assert np.array_equal(got.pixels, meant)
    assert picture.notes == NO_NOTES


def test_frames_of_a_gif_are_whole_pictures() -> None:
    """Though each after the first stores only what changed."""
    frames = [np.full((8, 8, 3), 200, np.uint8) for _ in range(3)]
    frames[1][2:4, 2:4], frames[2][6:, 6:] = (255, 0, 0), (0, 0, 255)
    picture = open_picture(saved(frames, "GIF", duration=50), options=ALL)
    for got, meant in zip(picture.frames, frames, strict=True):
        assert np.abs(got.pixels.astype(int) - meant).max() <= 2
    assert picture.sequence.milliseconds == (50, 50, 50)


def test_pages_differ_in_size_and_have_no_time() -> None:
    pages = [frame(1), frame(2, 5, 7)]
    picture = open_picture(saved(pages, "TIFF"), options=ALL)
    assert [page.pixels.shape for page in picture.frames] == [(12, 16, 3), (5, 7, 3)]
    assert np.array_equal(picture.frames[1].pixels, pages[1]) and picture.sequence.milliseconds == (0, 0)


def test_all_frames_count_against_the_limit() -> None:
    data = saved([frame(0), frame(1), frame(2)], "PNG")
    assert open_picture(data, max_pixels=12 * 16).sequence is None
    with pytest.raises(PictureTooLargeError, match="16 x 12 in 3 frames = 576"):
        open_picture(data, max_pixels=575, options=ALL)
    assert len(open_picture(data, max_pixels=576, options=ALL).frames) == 3


@pytest.mark.parametrize("kind", ["PNG", "WEBP", "GIF", "TIFF", "AVIF"])
def test_a_still_picture_has_no_sequence(kind: str) -> None:
    file = io.BytesIO()
    Image.fromarray(frame(1)).save(file, kind)
    assert open_picture(file.getvalue(), options=ALL).sequence is None


def animation(alpha: bool = False) -> Picture:
    plane = np.full((12, 16), 90, np.uint8) if alpha else None
    first, *rest = [Picture(frame(step), "x", Metadata(), NO_NOTES, alpha=plane) for step in range(3)]
    return Picture(
        first.pixels, "x", Metadata(), NO_NOTES, alpha=plane, sequence=Sequence(tuple(rest), (100, 200, 300), 2)
    )


@pytest.mark.parametrize("alpha", [False, True])
@pytest.mark.parametrize("format", ["png", "webp"])
def test_animations_are_written_and_read_again(format: OutputFormat, alpha: bool) -> None:
    meant = animation(alpha)
    back = open_picture(write_picture(fit(meant, format), format), options=ALL)
    assert back.sequence.milliseconds == (100, 200, 300) and back.sequence.loops == 2
    for got, frame_meant in zip(back.frames, meant.frames, strict=True):
        assert np.array_equal(got.pixels, frame_meant.pixels)
        assert got.alpha is None if not alpha else np.array_equal(got.alpha, frame_meant.alpha)


def test_a_format_without_frames_gets_the_first() -> None:
    fitted = fit(animation(), "jpeg")
    assert fitted.sequence is None and fitted.notes == lost("3 frames, only the first is written: jpeg has no frames")
    pages = Picture(
        frame(0),
        "x",
        Metadata(),
        NO_NOTES,
        sequence=Sequence((Picture(frame(1, 3, 4), "x", Metadata(), NO_NOTES),), (0, 0)),
    )
    assert "they differ in size" in fit(pages, "png").notes.lines()[0]


def test_an_animation_of_16_bits_is_reduced_frame_by_frame() -> None:
    """Its frames are laid over each other; taken apart into high and low bytes that would go wrong."""
    data = bytearray(saved([frame(0), frame(1)], "PNG"))
    still = write_deep_png((frame(3).astype(np.uint16) << 8) + 77)
    control = data[data.index(b"acTL") - 4 : data.index(b"acTL") + 16]
    at = still.index(b"IDAT") - 4
    picture = open_picture(still[:at] + bytes(control) + still[at:], options=ReadOptions(depth="keep"))
    assert picture.deep is None and picture.own_bytes == "must"


def test_a_long_animation_is_played_once() -> None:
    opened = []
    original = frames_module._open
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(frames_module, "_open", lambda *a: opened.append(a[2]) or original(*a))
        assert len(open_picture(saved([frame(step) for step in range(9)], "GIF"), options=ALL).frames) == 9
    assert opened == [0]
