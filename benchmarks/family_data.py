"""The pictures that the families are measured on: those that none of them was trained on, and those that all were."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import numpy.typing as npt
import scipy.linalg

from archivae.pipeline.training.labelled import LabelledPictures, load_labelled

TRAINED = 8000
"""Of the 10,000 digits the shipped models saw the first so many; the others are for measuring."""

Matrix = npt.NDArray[np.float64]


def digits(folder: Path) -> tuple[LabelledPictures, LabelledPictures]:
    """MNIST's 10,000 test digits, as trained on and as measured on."""
    whole = load_labelled(str(folder / "mnist"))
    rest = LabelledPictures(whole.pixels[TRAINED:], whole.labels[TRAINED:], whole.names)
    return whole.first(TRAINED), rest


def objects(folder: Path) -> tuple[LabelledPictures, LabelledPictures]:
    """The subset of CIFAR-10, as trained on and as measured on."""
    archive = str(folder / "cifar10" / "cifar10-subset.zip")
    return load_labelled(archive, part="train"), load_labelled(archive, part="test")


def flat(pixels: npt.NDArray[np.uint8]) -> Matrix:
    """Pictures as rows of samples in [0, 1]."""
    return pixels.reshape(len(pixels), -1) / 255.0


class Pca:
    """Principal components fitted to rows."""

    def __init__(self, rows: Matrix, count: int) -> None:
        self.mean = rows.mean(0)
        centred, side = rows - self.mean, rows.shape[1]
        _, components = scipy.linalg.eigh(centred.T @ centred, subset_by_index=(side - count, side - 1))
        self.components = components[:, ::-1]

    def encode(self, rows: Matrix) -> Matrix:
        latents: Matrix = (rows - self.mean) @ self.components
        return latents

    def rebuild(self, rows: Matrix) -> Matrix:
        """What is left of rows, clipped to [0, 1]."""
        rebuilt: Matrix = (self.encode(rows) @ self.components.T + self.mean).clip(0, 1)
        return rebuilt
