from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

import archivae
from archivae.errors import MaskError, ModelError, UnknownModelError, UnsupportedPictureError, UsageError
from archivae.images import Metadata, Picture
from archivae.images.notes import NO_NOTES, changed, said
from archivae.images.picture import Sequence
from archivae.models import TASKS, Restored
from archivae.operations.restoration import BLIND_TASKS, RESTORE_TASKS, Restoration
from archivae.operations.restore import Step, restore_picture
from archivae.operations.restorers import named_restorer
from tests.restorers import noisy_picture, some_holes, write_restorers
from tests.training.tiny import smooth_picture

STRENGTHS = {"denoise": 20.0, "dejpeg": 30.0, "lowlight": 2.0}
TYPES = {"uint8": 1.0, "uint16": 257.0, "float32": 1 / 255}


@pytest.fixture(scope="session")
def folder(tmp_path_factory: pytest.TempPathFactory) -> str:
    return write_restorers(tmp_path_factory.mktemp("restorers"))


class Painter:
    """Instead of a network: paints holes, or everything, in one level, and says a strength."""

    def __init__(self, level: int = 7, strength: float = 12.5) -> None:
        self.level, self.strength = level, strength
        self.asked: list[float | None] = []

    def restore(
        self, picture: np.ndarray, strength: float | None = None, mask: np.ndarray | None = None, passes: int = 1
    ) -> Restored:
        self.asked.append(strength)
        painted = picture.copy()
        painted[mask if mask is not None else slice(None)] = self.level
        return Restored(painted, self.strength)


@settings(max_examples=20, deadline=None)
@given(
    task=st.sampled_from(BLIND_TASKS),
    dtype=st.sampled_from(sorted(TYPES)),
    channels=st.sampled_from([0, 1, 2, 3, 4]),
    height=st.integers(1, 40),
    width=st.integers(1, 40),
)
def test_any_picture_comes_back_in_its_shape(
    folder: str, task: str, dtype: str, channels: int, height: int, width: int
) -> None:
    shape = (height, width, channels)[: 3 if channels else 2]
    image = (np.random.default_rng(height).integers(0, 256, shape) * TYPES[dtype]).astype(dtype)
    before = image.copy()
    strength = STRENGTHS[task]
    restored = archivae.restore(image, task=task, strength=strength, restorers=folder, accelerator="cpu")
    assert restored.shape == image.shape and restored.dtype == image.dtype
    assert np.array_equal(image, before)
    if channels in (2, 4):
        assert np.array_equal(restored[:, :, -1], image[:, :, -1])


@pytest.mark.parametrize("mode", ["L", "LA", "RGB", "RGBA", "I;16"])
def test_pillow_images(folder: str, mode: str) -> None:
    image = Image.fromarray(smooth_picture(1, 24, 32)).convert("L" if mode == "I;16" else mode).convert(mode)
    restored = archivae.restore(image, task="denoise", strength=20, restorers=folder)
    assert restored.shape == np.asarray(image).shape and not np.array_equal(restored, np.asarray(image))


def test_auto_leaves_a_good_picture_alone() -> None:
    """No weights are even looked for."""
    picture = smooth_picture(2)
    restored = archivae.restore(picture, restorers="/no/such/folder")
    assert np.array_equal(restored, picture) and restored is not picture


def test_auto_does_what_a_picture_needs(folder: str) -> None:
    noisy = noisy_picture()
    assert not np.array_equal(archivae.restore(noisy, restorers=folder), noisy)
    painter = Painter()
    restored = restore_picture(
        Picture(noisy, "png", Metadata(), changed("as found")), Restoration(), lambda task: painter
    )
    assert restored.steps == (Step("denoise", 12.5),)
    (note,) = restored.picture.notes.said
    assert restored.picture.notes.changed == ("as found",)
    assert note.startswith("auto: noise ") and note.endswith(": denoise")


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("dtype", ["uint8", "uint16"])
def test_known_pixels_return_bit_for_bit(folder: str, dtype: str, channels: int) -> None:
    image = (smooth_picture(3)[:, :, :channels] * TYPES[dtype]).astype(dtype)
    mask = some_holes(*image.shape[:2])
    damaged = np.where(mask[:, :, None], 0, image).astype(dtype)
    restored = archivae.restore(damaged, task="inpaint", mask=mask, restorers=folder)
    assert np.array_equal(restored[~mask], image[~mask])
    assert (restored[mask] != 0).mean() > 0.5


def test_holes_are_told_by_a_mask_a_colour_or_transparency(folder: str) -> None:
    image, mask = smooth_picture(4), some_holes(96, 128)
    pink = np.where(mask[:, :, None], (255, 0, 255), image).astype(np.uint8)
    clear = np.dstack([image, np.where(mask, 254, 255).astype(np.uint8)])
    told = archivae.restore(image, task="inpaint", mask=mask, restorers=folder)
    assert np.array_equal(archivae.restore(pink, task="inpaint", mask_colour="#FF00ff", restorers=folder), told)
    assert np.array_equal(archivae.restore(clear, task="inpaint", restorers=folder), told)
    both = archivae.restore(clear, task="inpaint", mask=mask, restorers=folder)
    assert np.array_equal(both, np.dstack([told, clear[:, :, 3]]))


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ({"task": "sharpen"}, "expected a task of denoise, .*, auto, found 'sharpen'"),
        ({"task": "denoise", "strength": 65}, "denoise of 0 to 64 .*, found 65"),
        ({"task": "denoise", "strength": float("nan")}, "found nan"),
        ({"task": "lowlight", "strength": -1}, "lowlight of 0 to 8 .*, found -1"),
        ({"task": "auto", "strength": 5}, "no strength for auto"),
        ({"task": "inpaint", "strength": 5, "mask": np.zeros((8, 8), bool)}, "no strength for inpaint"),
        ({"task": "denoise", "mask": np.zeros((8, 8), bool)}, "a mask for inpaint alone"),
        ({"task": "inpaint", "mask": np.zeros((8, 8), bool), "mask_colour": "ff00ff"}, "no colour beside it"),
        ({"task": "denoise", "mask_colour": "ff00ff"}, "masks for inpaint alone"),
        ({"task": "inpaint", "mask_colour": "pink"}, "RRGGBB, such as ff00ff, found 'pink'"),
    ],
)
def test_what_makes_no_sense_is_said(folder: str, words: dict[str, object], message: str) -> None:
    with pytest.raises(UsageError, match=message):
        archivae.restore(np.zeros((8, 8, 3), np.uint8), restorers=folder, **words)


@pytest.mark.parametrize(
    ("mask", "message"),
    [
        (np.zeros((8, 9), bool), r"expected a mask of \(8, 8\) booleans.*found \(8, 9\) of bool: make it as large"),
        (np.zeros((8, 8), np.uint8), "of uint8"),
        (np.ones((8, 8), bool), "found everything masked: see that holes are white"),
        (None, "found an opaque picture and nothing else: give --masks or --mask-colour"),
    ],
)
def test_masks_that_do_not_fit(folder: str, mask: np.ndarray | None, message: str) -> None:
    with pytest.raises(MaskError, match=message):
        archivae.restore(np.zeros((8, 8, 3), np.uint8), task="inpaint", mask=mask, restorers=folder)


@pytest.mark.parametrize(
    "image", [np.zeros((8, 8, 5), np.uint8), np.zeros(8, np.uint8), np.zeros((8, 8), bool), Image.new("CMYK", (8, 8))]
)
def test_what_is_no_picture(image: np.ndarray | Image.Image) -> None:
    with pytest.raises(UsageError, match="convert it first"):
        archivae.restore(image)


def test_a_folder_without_the_weights_or_with_anothers(tmp_path: Path, folder: str) -> None:
    with pytest.raises(UnknownModelError, match=r"denoise\.safetensors"):
        archivae.restore(noisy_picture(), task="denoise", restorers=str(tmp_path))
    (tmp_path / "denoise.safetensors").write_bytes(Path(f"{folder}/dejpeg.safetensors").read_bytes())
    with pytest.raises(ModelError, match="a restorer for denoise, found one for dejpeg"):
        archivae.restore(noisy_picture(), task="denoise", restorers=str(tmp_path))


def test_a_process_keeps_a_restorer(folder: str) -> None:
    assert named_restorer("denoise", folder, "cpu") is named_restorer("denoise", folder, "cpu")


def test_whatever_a_picture_carries_stays() -> None:
    metadata = Metadata(exif=b"II*\0", icc=b"profile", xmp=b"<x/>")
    alpha = np.full((8, 8), 9, np.uint8)
    picture = Picture(np.zeros((8, 8, 3), np.uint8), "png", metadata, NO_NOTES, alpha=alpha)
    restored = restore_picture(picture, Restoration("denoise", 3), lambda task: Painter()).picture
    assert restored.metadata == metadata and restored.alpha is alpha and (restored.pixels == 7).all()
    assert restored.own_bytes == "never" and not restored.pixels.flags.writeable


@pytest.mark.parametrize("largest", [65535, 4095])
def test_depth_stays(folder: str, largest: int) -> None:
    deep = (smooth_picture(5)[:, :, :1] / 255 * largest).astype(np.uint16)
    picture = Picture((deep // 257).astype(np.uint8), "png", Metadata(), NO_NOTES, deep=deep, largest=largest)
    find = {"denoise": named_restorer("denoise", folder, "cpu")}.__getitem__
    restored = restore_picture(picture, Restoration("denoise", 20), find).picture
    assert restored.deep is not None and restored.deep.dtype == np.uint16 and restored.deep.max() <= largest
    assert len(np.unique(restored.deep)) > 300  # not through 8 bits
    assert np.abs(restored.pixels * (largest / 255) - restored.deep).max() <= largest / 255


def test_other_depths_are_refused() -> None:
    light = np.ones((8, 8, 3), np.float32)
    picture = Picture(np.zeros((8, 8, 3), np.uint8), "tiff", Metadata(), NO_NOTES, deep=light)
    with pytest.raises(UnsupportedPictureError, match="8 or 16 bits to restore, found float32"):
        restore_picture(picture, Restoration("denoise", 3), lambda task: Painter())


def test_every_frame_is_restored() -> None:
    still = Picture(np.zeros((8, 8, 3), np.uint8), "gif", Metadata(), NO_NOTES)
    animation = Picture(still.pixels, "gif", Metadata(), NO_NOTES, sequence=Sequence((still, still), (10, 20, 30), 2))
    painter = Painter()
    restored = restore_picture(animation, Restoration("denoise"), lambda task: painter).picture
    assert [int(frame.pixels.max()) for frame in restored.frames] == [7, 7, 7] and len(painter.asked) == 3
    assert restored.sequence is not None and restored.sequence.milliseconds == (10, 20, 30)


def test_what_changes_nothing_is_no_step() -> None:
    picture = Picture(np.full((8, 8, 3), 7, np.uint8), "png", Metadata(), NO_NOTES)
    restored = restore_picture(picture, Restoration("denoise"), lambda task: Painter())
    assert restored.steps == () and restored.picture.notes == said("denoise: found nothing to do")
    assert restored.picture.own_bytes == "never"


def test_transparency_that_is_filled_is_gone() -> None:
    alpha = np.full((8, 8), 255, np.uint8)
    alpha[2:4] = 100
    picture = Picture(np.zeros((8, 8, 3), np.uint8), "png", Metadata(), NO_NOTES, alpha=alpha)
    restored = restore_picture(picture, Restoration("inpaint"), lambda task: Painter(strength=0)).picture
    assert restored.alpha is None and "transparency filled" in restored.notes.lines()
    assert (restored.pixels[2:4] == 7).all() and not restored.pixels[4:].any()


def test_the_strength_is_handed_on_and_auto_estimates() -> None:
    painter = Painter()
    picture = Picture(noisy_picture(), "png", Metadata(), NO_NOTES)
    restore_picture(picture, Restoration("denoise", 3.5), lambda task: painter)
    restore_picture(picture, Restoration(), lambda task: painter)
    assert painter.asked == [3.5, None]


def test_what_is_asked_and_whose_weights_it_takes() -> None:
    assert Restoration().asked() == {"task": "auto"} and Restoration().tasks == BLIND_TASKS
    assert Restoration("dejpeg", 30.0).asked() == {"task": "dejpeg", "strength": 30.0}
    inpaint = Restoration("inpaint", mask_colour="FF00FF", restorers="x")
    assert inpaint.asked() == {"task": "inpaint", "mask_colour": "ff00ff"} and inpaint.tasks == ("inpaint",)
    assert set(RESTORE_TASKS) == {*TASKS, "auto"}


@pytest.mark.parametrize("pattern", ["masks", "*", "*_*.png", "../masks/*.png"])
def test_patterns_that_are_none(pattern: str) -> None:
    with pytest.raises(UsageError, match="a pattern with one"):
        Restoration("inpaint", masks=pattern)


def test_a_mask_or_a_colour() -> None:
    with pytest.raises(UsageError, match="found both: choose one"):
        Restoration("inpaint", masks="*_mask.png", mask_colour="ff00ff")
