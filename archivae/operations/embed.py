"""Vectors for search: what a model sees in pictures, and which pictures it finds alike."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from archivae.errors import UsageError
from archivae.models import RunningModel

Pixels = npt.NDArray[np.uint8]
Vectors = npt.NDArray[np.float32]


class Match(NamedTuple):
    """A picture and how alike it is: the cosine, at most 1."""

    uri: str
    likeness: float


def embed(model: RunningModel, pictures: Sequence[Pixels]) -> Vectors:
    """A vector a picture, float32 (N, D). Pictures are uint8 (H, W, 1 or 3), of one size."""
    return model.describe(pictures)


def most_similar(uris: Sequence[str], vectors: Vectors, query: npt.NDArray[np.float32], count: int) -> list[Match]:
    """The ``count`` pictures whose vectors point most like that of ``query`` (D,), seen from the mean of all.

    UsageError where the query's vector has another length.
    """
    if query.shape != vectors.shape[1:]:
        raise UsageError(
            f"expected a vector of {vectors.shape[1]} numbers, found {query.size}: embed with the same model"
        )
    centre = vectors.mean(0)
    likeness = _directions(vectors - centre) @ _directions(query[None] - centre)[0]
    best = np.argsort(-likeness, kind="stable")[:count]
    return [Match(uris[n], float(likeness[n])) for n in best]


def _directions(vectors: Vectors) -> Vectors:
    lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
    scaled: Vectors = vectors / np.maximum(lengths, np.finfo(np.float32).tiny)
    return scaled
