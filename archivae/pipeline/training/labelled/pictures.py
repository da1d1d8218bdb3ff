"""Pictures of one size in one array, with the class of each."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from archivae.errors import UsageError
from archivae.models.protocol import Form

NO_CLASS = ""


@dataclass(frozen=True, eq=False)
class LabelledPictures:
    """``pixels`` (N, H, W, 1 or 3) uint8; ``labels`` (N,) int64, numbers into ``names``; no names: no classes.

    ``unreadable`` says which objects were passed over, and why.
    """

    pixels: npt.NDArray[np.uint8]
    labels: npt.NDArray[np.int64]
    names: tuple[str, ...]
    unreadable: tuple[str, ...] = ()

    @property
    def form(self) -> Form:
        """What a model of these pictures takes."""
        _, height, width, channels = self.pixels.shape
        return Form(channels, height, width, labels=self.names)

    @property
    def fingerprint(self) -> str:
        """Differs when there are other pictures."""
        return hashlib.sha256(self.pixels.tobytes() + self.labels.tobytes()).hexdigest()[:16]

    def first(self, count: int) -> LabelledPictures:
        """The first ``count`` pictures."""
        if not 0 < count <= len(self.pixels):
            raise UsageError(f"expected --first of 1 to {len(self.pixels)}, as many as there are, found {count}")
        return LabelledPictures(self.pixels[:count], self.labels[:count], self.names, self.unreadable)


def gather(
    pictures: Sequence[npt.NDArray[np.uint8]], classes: Sequence[str], source: str, unreadable: Sequence[str] = ()
) -> LabelledPictures:
    """Pictures (H, W, C) of one size and the class of each. UsageError if there are none, or sizes differ.

    Where some are grey and some are not, grey ones get three equal channels.
    """
    if not pictures:
        reasons = "".join(f"; {reason}" for reason in unreadable[:3])
        raise UsageError(f"expected pictures under {source!r}, found none that can be read{reasons}")
    sizes = sorted({picture.shape[:2] for picture in pictures})
    if len(sizes) > 1:
        raise UsageError(
            f"expected pictures of one size under {source!r}, found {sizes[0]} and {sizes[-1]}: resize them"
        )
    channels = max(picture.shape[2] for picture in pictures)
    pixels = np.stack([np.broadcast_to(picture, (*sizes[0], channels)) for picture in pictures])
    names = tuple(sorted({*classes} - {NO_CLASS}))
    labels = np.array([names.index(name) if name else 0 for name in classes], np.int64)
    return LabelledPictures(pixels, labels, names, tuple(unreadable))
