"""Pairs of photographs, one of them dark: ``low/NAME`` beside ``high/NAME``."""

from __future__ import annotations

import sys

import numpy as np
import numpy.typing as npt

from archivae.errors import UsageError
from archivae.models.training.plan import CropPlan
from archivae.pipeline.showing import Console
from archivae.pipeline.training.data import TrainingPictures, load_pictures


def load_pairs(folder: str, plan: CropPlan, console: Console) -> tuple[list[npt.NDArray[np.uint8]], str]:
    """The pairs under ``folder``, (H, W, 6) uint8, dark channels first, and a fingerprint of them.

    UsageError for a picture that has no fellow of its size.
    """
    low, high = (_load(f"{folder.rstrip('/')}/{half}", plan) for half in ("low", "high"))
    dark, light = (dict(zip(half.names, half.pixels, strict=True)) for half in (low, high))
    lonely = sorted(dark.keys() ^ light.keys()) or [n for n in sorted(dark) if dark[n].shape != light[n].shape]
    if lonely:
        raise UsageError(
            f"expected every picture of {folder}/low in {folder}/high under its name and in its size, found "
            f"{', '.join(lonely[:3])} ({len(lonely)} in all) without"
        )
    pairs = [np.concatenate([dark[name], light[name]], 2) for name in sorted(dark)]
    console.print(f"{len(pairs):,} pairs")
    return pairs, low.fingerprint + high.fingerprint


def _load(folder: str, plan: CropPlan) -> TrainingPictures:
    return load_pictures([folder], exclude="", side=plan.crop, seed=plan.seed, memory=sys.maxsize)
