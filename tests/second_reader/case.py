"""A file of the corpus, what it holds, and how our reading of it is judged."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import numpy as np

from archivae.errors import DamagedPictureError, PictureError, UnsupportedPictureError
from archivae.images import Picture, ReadOptions, open_picture

Outcome = Literal["agreed", "refused", "noted", "wrong"]
OUTCOMES: tuple[Outcome, ...] = ("agreed", "refused", "noted", "wrong")
_EXACT = ReadOptions(exact=True)

Truth = Callable[[bytes], np.ndarray]
"""The samples that a file holds: those that it was made from, or an independent decoder's."""


@dataclass(frozen=True)
class Case:
    """``truth`` gives (H, W, C), alpha as the last channel, upright. ``within`` levels of it count as the same, where
    a lossy codec may round in either way. ``broken``: damaged on purpose, so that refusing it as damage is right."""

    name: str
    data: bytes
    truth: Truth
    within: float = 0
    broken: bool = False


def made_from(samples: np.ndarray) -> Truth:
    """Samples that the file was made from."""
    whole = samples[:, :, None] if samples.ndim == 2 else samples
    return lambda data: whole


def judge(case: Case) -> tuple[Outcome, str]:
    """How our reading compares, and why."""
    try:
        picture = open_picture(case.data, options=_EXACT)
    except UnsupportedPictureError as error:
        return "refused", str(error)
    except DamagedPictureError as error:
        return ("refused" if case.broken else "wrong"), str(error)
    except PictureError as error:
        return "refused", str(error)
    except Exception as error:
        return "wrong", f"{type(error).__name__}: {error}"
    difference = compare(samples_of(picture), case.truth(case.data), case.within)
    if not difference:
        return "agreed", ""
    lacking = "; ".join(picture.notes.lost)
    return ("noted" if lacking or picture.own_bytes == "must" else "wrong"), f"{difference}: {lacking}"


def samples_of(picture: Picture) -> np.ndarray:
    samples = picture.pixels if picture.deep is None else picture.deep
    return samples if picture.alpha is None else np.dstack([samples, picture.alpha])


def compare(ours: np.ndarray, truth: np.ndarray, within: float) -> str:
    """In words how two readings differ; empty if they don't. A grey picture is that of three equal channels, and an
    opaque alpha is none."""
    ours, truth = _plain(ours), _plain(truth)
    if ours.shape != truth.shape:
        return f"{ours.shape} instead of {truth.shape}"
    if np.array_equal(ours.astype(np.float64), truth.astype(np.float64), equal_nan=True):
        return ""
    apart = float(np.nanmax(np.abs(ours.astype(np.float64) - truth.astype(np.float64))))
    return "" if apart <= within else f"{apart:g} levels apart"


def _plain(samples: np.ndarray) -> np.ndarray:
    opaque = {"u": np.iinfo(samples.dtype).max} if samples.dtype.kind == "u" else {}
    if samples.shape[2] in (2, 4) and (samples[:, :, -1] >= opaque.get(samples.dtype.kind, 1)).all():
        samples = samples[:, :, :-1]
    if samples.shape[2] == 3 and (samples == samples[:, :, :1]).all():
        samples = samples[:, :, :1]
    return samples
