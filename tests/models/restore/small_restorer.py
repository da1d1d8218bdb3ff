"""Restorers small enough for tests, with random weights that change every pixel."""

from __future__ import annotations

import torch

from archivae.models.restore.architecture import RestorerArchitecture
from archivae.models.restore.network import RestorationModel
from archivae.models.restore.restorer import Restorer
from archivae.models.restore.tasks import find_task
from archivae.models.restore.weights import RestorerWeights, shipped_form

SMALL = RestorerArchitecture(
    width=8, encode_half=1, encode_quarter=1, latent=1, decode_quarter=1, decode_half=1, features=8
)


def small_restorer_weights(task: str) -> RestorerWeights:
    torch.manual_seed(0)
    model = RestorationModel(find_task(task), SMALL)
    torch.nn.init.normal_(model.network.tail.weight)  # or it would hardly add anything
    return shipped_form(model, task)


def small_restorer(task: str, side: int = 1024, dtype: torch.dtype = torch.float32) -> Restorer:
    return Restorer(small_restorer_weights(task), torch.device("cpu"), dtype, side)
