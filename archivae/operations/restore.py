"""One picture restored: an array, or a picture with all that it carries."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
from PIL import Image

from archivae.errors import UnsupportedPictureError, UsageError
from archivae.images import Picture, to_eight_bits
from archivae.images.notes import NO_NOTES, Notes, changed, said
from archivae.models import assess
from archivae.models.restore.pixels import Mask
from archivae.operations.masks import mask_of_alpha, mask_of_colour
from archivae.operations.restoration import AUTO, INPAINT, Restoration
from archivae.operations.restorers import FindRestorer, named_restorer
from archivae.stopwatch import timed

Samples = npt.NDArray[Any]
"""(H, W, 1) or (H, W, 3): uint8, uint16, or float32 about [0, 1]."""

_MODES = ("L", "LA", "RGB", "RGBA", "I;16")
_DTYPES = ("uint8", "uint16", "float32")


class Step(NamedTuple):
    """A task that changed a picture, and the strength at which: given or estimated, 0 for inpaint."""

    task: str
    strength: float


class RestoredSamples(NamedTuple):
    """What a restoration gave; ``steps`` in their order, none if nothing was changed; ``notes`` say why."""

    samples: Samples
    steps: tuple[Step, ...]
    notes: Notes


class RestoredPicture(NamedTuple):
    """The picture, its notes continued, and the steps that changed its first frame."""

    picture: Picture
    steps: tuple[Step, ...]


def restore(
    image: np.ndarray | Image.Image,
    *,
    task: str = AUTO,
    strength: float | None = None,
    mask: np.ndarray | None = None,
    mask_colour: str = "",
    restorers: str = "",
    passes: int = 1,
    accelerator: str = "auto",
) -> np.ndarray:
    """One picture restored: an array of the shape and dtype given.

    Args:
        image: (H, W) or (H, W, C), uint8, uint16, or float32 about [0, 1]; C is 1 grey, 2 grey and alpha, 3 RGB, 4 RGB and
            alpha. Or a Pillow image of mode L, LA, RGB, RGBA or I;16.
        task: denoise, dejpeg, inpaint, lowlight; or auto, which measures the picture and applies what it needs.
        strength: of the damage, in place of the estimate: sigma of noise (0 to 64), quality of a JPEG (10 to 100), or stops
            by which to brighten (0 to 8).
        mask: to inpaint: (H, W) bool, true in holes. Pixels outside come back bit for bit.
        mask_colour: to inpaint 8-bit pictures: the colour of holes, RRGGBB. Without both, holes are what is not opaque;
            then the alpha channel is left out of what comes back.
        restorers: a folder of TASK.safetensors, in place of the shipped ones.
        passes: 1, 4 or 8: the mean over so many turned and mirrored copies. Better, and so many times slower.
        accelerator: ``auto``, ``cpu``, ``cuda``.

    Raises:
        UsageError: an image, task or strength that makes no sense.
        MaskError: a mask of another size than the picture, one that leaves nothing of it, or none at all.
    """
    restoration = Restoration(task, strength, mask_colour=mask_colour, restorers=restorers, passes=passes)
    if mask is not None and (task != INPAINT or mask_colour):
        raise UsageError(f"expected a mask for {INPAINT} alone and no colour beside it, found one for {task}")
    pixels = _as_array(image)
    samples, alpha = _split(pixels[:, :, None] if pixels.ndim == 2 else pixels)
    if mask is None:
        mask = _own_mask(samples, alpha, _opaque(samples), restoration)
        alpha = None if _fills_alpha(restoration) else alpha
    find = partial(named_restorer, folder=restorers, accelerator=accelerator)
    restored = restore_samples(samples, restoration, find, mask)
    result = restored.samples if restored.steps else samples.copy()
    if alpha is not None:
        result = np.dstack([result, alpha])
    return result[:, :, 0] if pixels.ndim == 2 else result


def restore_picture(
    picture: Picture, restoration: Restoration, find: FindRestorer, mask: Mask | None = None
) -> RestoredPicture:
    """``picture`` restored, every frame of it; metadata and transparency stay, but that inpaint fills what it fills.

    Args:
        picture: of 8 or 16 bits; colours in sRGB, or as stored.
        restoration: what to do.
        find: gives the restorers.
        mask: (H, W) bool, true in holes, where the restoration names masks.

    Raises:
        UnsupportedPictureError: samples that are neither 8 nor 16 bits.
        MaskError: as of `restore`.
    """
    first, *rest = [_restore_frame(frame, restoration, find, mask) for frame in picture.frames]
    sequence = picture.sequence and replace(picture.sequence, rest=tuple(frame.picture for frame in rest))
    # The source's own bytes would be the damaged picture's.
    return RestoredPicture(replace(first.picture, sequence=sequence, own_bytes="never"), first.steps)


def restore_samples(
    samples: Samples, restoration: Restoration, find: FindRestorer, mask: Mask | None = None
) -> RestoredSamples:
    """`restore` of bare samples: one step after the other."""
    tasks, notes = _needed(samples, restoration)
    steps = []
    for task in tasks:
        with timed("restore"):
            restored = find(task).restore(samples, restoration.strength, mask, restoration.passes)
        if np.array_equal(restored.pixels, samples):
            notes += said(f"{task}: found nothing to do")
        else:
            steps.append(Step(task, restored.strength))
            samples = restored.pixels
    return RestoredSamples(samples, tuple(steps), notes)


def _needed(samples: Samples, restoration: Restoration) -> tuple[tuple[str, ...], Notes]:
    """The tasks to do, and how auto came to choose them."""
    if restoration.task != AUTO:
        return (restoration.task,), NO_NOTES
    with timed("assess"):
        found = assess(samples)
    measured = f"noise {found.noise:.1f}, blocking {found.blocking:.2f}, mean light {found.mean:.2f}"
    return found.tasks, said(f"auto: {measured}: {', '.join(found.tasks) or 'left as it was'}")


def _restore_frame(
    picture: Picture, restoration: Restoration, find: FindRestorer, mask: Mask | None
) -> RestoredPicture:
    own = mask is None
    if mask is None:
        opaque = 255 if picture.deep is None else picture.largest
        mask = _own_mask(picture.pixels, picture.alpha, opaque, restoration)
    samples, steps, notes = restore_samples(_samples_of(picture), restoration, find, mask)
    if steps:
        picture = _with_samples(picture, samples)
    if own and _fills_alpha(restoration):
        picture = replace(picture, alpha=None)
        notes += changed("transparency filled")
    return RestoredPicture(replace(picture, notes=picture.notes + notes), steps)


def _fills_alpha(restoration: Restoration) -> bool:
    """Whether holes are what is not opaque, if no mask is given."""
    return restoration.task == INPAINT and not restoration.mask_colour


def _own_mask(pixels: Samples, alpha: Samples | None, opaque: float, restoration: Restoration) -> Mask | None:
    """The holes that a picture tells itself, where the restoration asks for them."""
    if _fills_alpha(restoration):
        return mask_of_alpha(alpha, opaque)
    return mask_of_colour(pixels, restoration.mask_colour) if restoration.mask_colour else None


def _samples_of(picture: Picture) -> Samples:
    """What to restore; 16-bit samples whose full scale is less as float32 in [0, 1]."""
    if picture.deep is None:
        return picture.pixels
    if picture.deep.dtype != np.uint16:
        raise UnsupportedPictureError(
            f"expected samples of 8 or 16 bits to restore, found {picture.deep.dtype}: convert the picture first"
        )
    return picture.deep if picture.largest == 65535 else picture.deep / np.float32(picture.largest)


def _with_samples(picture: Picture, samples: Samples) -> Picture:
    if picture.deep is None:
        return replace(picture, pixels=_frozen(samples))
    if samples.dtype == np.float32:
        samples = (samples * picture.largest).round().clip(0, picture.largest).astype(np.uint16)
    pixels, _ = to_eight_bits(samples, picture.largest)
    return replace(picture, pixels=_frozen(pixels), deep=_frozen(samples))


def _frozen(samples: Samples) -> Samples:
    samples.setflags(write=False)
    return samples


def _as_array(image: np.ndarray | Image.Image) -> Samples:
    """(H, W) or (H, W, 1 to 4). UsageError for what is no picture."""
    if isinstance(image, Image.Image) and image.mode not in _MODES:
        raise UsageError(f"expected a Pillow image of mode {', '.join(_MODES)}, found {image.mode}: convert it first")
    pixels = np.asarray(image)
    shaped = pixels.ndim == 2 or (pixels.ndim == 3 and pixels.shape[2] in (1, 2, 3, 4))
    if not shaped or not pixels.size or pixels.dtype.name not in _DTYPES:
        raise UsageError(
            f"expected a picture as (H, W) or (H, W, 1 to 4) of {', '.join(_DTYPES)}, found {pixels.dtype} "
            f"{pixels.shape}: convert it first"
        )
    return pixels


def _split(pixels: Samples) -> tuple[Samples, Samples | None]:
    """Colours, and alpha apart where there is one."""
    if pixels.shape[2] in (1, 3):
        return pixels, None
    return np.ascontiguousarray(pixels[:, :, :-1]), pixels[:, :, -1]


def _opaque(samples: Samples) -> float:
    return 1.0 if samples.dtype == np.float32 else float(np.iinfo(samples.dtype).max)
