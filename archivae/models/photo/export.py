"""From trained weights to the shipped model: freeze the integer networks, fit the tables to what the model produces."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor
from torch.special import ndtr

from archivae.bitstream import Tables
from archivae.bitstream.rans import MAX_RADIUS, PRECISION
from archivae.models.photo.architecture import HYPER_STRIDE, TABLES
from archivae.models.photo.codec import PhotoCodec
from archivae.models.photo.exact import QUALITY_SCALE
from archivae.models.photo.integer import PARAMETER_UNIT, IntegerWeights, _IntegerLayer
from archivae.models.photo.trainable import SCALE_FLOOR, SCALE_STEP, TrainableCodec
from archivae.models.photo.weights import PhotoWeights

PRIOR_WEIGHT = 2000.0
"""Observations a Gaussian counts for when it is blended with what was seen."""
FITTING_ROUNDS = 2
COUNTED = 512
"""Residuals up to this magnitude are counted; beyond, they are escapes whatever the table."""


def freeze(model: TrainableCodec, name: str, tables: Tables) -> PhotoWeights:
    """The shipped form of ``model``. Transforms are stored as float16, gains as float32."""
    state = model.state_dict()
    floats = {n: t.half() for n, t in state.items() if n.startswith(("analysis.", "synthesis.", "hyper_analysis."))}
    floats |= {n: state[n].float() for n in ("encoder_gain", "decoder_gain")}
    layers: dict[str, IntegerWeights] = {
        n: module.freeze() for n, module in model.named_modules() if isinstance(module, _IntegerLayer)
    }
    return PhotoWeights(
        name=name,
        arch=model.arch,
        floats=floats,
        layers=layers,
        index_offset=torch.round(state["index_offset"] * PARAMETER_UNIT).to(torch.int32),
        hyper_index=torch.round(state["hyper_index"] * PARAMETER_UNIT).to(torch.int32),
        tables=tables,
    )


def export(model: TrainableCodec, name: str, pictures: Sequence[npt.NDArray[np.uint8]]) -> PhotoWeights:
    """Freeze ``model`` and fit its tables on ``pictures`` ((H, W, 3) uint8, at least 64x64; training pictures).

    An encoder rounds by the tables' prices, so what the first tables make of the pictures is counted again.
    """
    tables = fit_tables(np.zeros((TABLES, 2 * COUNTED + 1)))
    for _ in range(FITTING_ROUNDS):
        codec = PhotoCodec(freeze(model, name, tables), torch.device("cpu"), torch.float32)
        tables = fit_tables(count_integers(codec, pictures))
    return freeze(model, name, tables)


def count_integers(codec: PhotoCodec, pictures: Iterable[npt.NDArray[np.uint8]]) -> npt.NDArray[np.float64]:
    """How often each table met each value, over qualities spread evenly: (TABLES, 2 * COUNTED + 1)."""
    counts = np.zeros((TABLES, 2 * COUNTED + 1))
    for n, picture in enumerate(pictures):
        height, width = (side // HYPER_STRIDE * HYPER_STRIDE for side in picture.shape[:2])
        quality = int(QUALITY_SCALE * ((n * 0.618) % 1))
        values, indices = codec.integers(picture[:height, :width], quality)
        inside = np.abs(values) <= COUNTED
        np.add.at(counts, (indices[inside], values[inside] + COUNTED), 1)
    return counts


def fit_tables(counts: npt.NDArray[np.float64]) -> Tables:
    """Frequencies from counts, made symmetric and blended with the Gaussian each table stands for."""
    cumulative = np.zeros((TABLES, 2 * MAX_RADIUS + 3), np.uint16)
    radii = np.zeros(TABLES, np.uint8)
    symmetric = (counts + counts[:, ::-1]) / 2
    for t in range(1, TABLES):
        scale = SCALE_FLOOR * float(np.exp(SCALE_STEP * t))
        chances = _blend(symmetric[t], scale)
        radius = min(MAX_RADIUS, max(1, int(np.ceil(scale * 4.5))))
        kept = chances[COUNTED - radius : COUNTED + radius + 1]
        frequencies = _whole_frequencies(np.append(kept, max(1 - kept.sum(), 0)))
        cumulative[t, 1 : len(frequencies) + 1] = np.cumsum(frequencies)
        radii[t] = radius
    return Tables(cumulative, radii)


def _blend(counts: npt.NDArray[np.float64], scale: float) -> npt.NDArray[np.float64]:
    values = torch.arange(-COUNTED, COUNTED + 1, dtype=torch.float64)
    gaussian: Tensor = ndtr((0.5 - values.abs()) / scale) - ndtr((-0.5 - values.abs()) / scale)
    mixed = counts + PRIOR_WEIGHT * gaussian.numpy()
    return np.asarray(mixed / mixed.sum())


def _whole_frequencies(chances: npt.NDArray[np.float64]) -> npt.NDArray[np.int64]:
    """Positive integers that add up to 2^14 and follow ``chances``; the likeliest symbols take what rounding leaves."""
    total = 1 << PRECISION
    whole = np.maximum(1, np.round(chances / chances.sum() * total)).astype(np.int64)
    while left := total - int(whole.sum()):
        whole[np.argmax(whole)] += np.sign(left)  # one by one: in a flat table no symbol alone could give enough
    return whole
