"""Fixtures for the models: one small codec for all tests, and torch left as it was found."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import torch

from archivae.models.photo.codec import PhotoCodec
from archivae.models.photo.weights import PhotoWeights
from tests.models.small_codec import small_weights


@pytest.fixture(scope="session")
def weights() -> PhotoWeights:
    return small_weights()


@pytest.fixture(scope="session")
def codec(weights: PhotoWeights) -> PhotoCodec:
    return PhotoCodec(weights, torch.device("cpu"), torch.float32)


@pytest.fixture(autouse=True)
def _threads() -> Iterator[None]:
    """One thread, whatever the machine has, and what was set before afterwards."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)
