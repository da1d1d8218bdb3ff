from __future__ import annotations

import copy

import torch
from torch import nn

from archivae.models.training.muon import StackedMuon

SHAPES = [(32, 32), (32, 64), (64, 32), (32, 32), (48, 40), (64, 32), (200, 33)]


def matrices() -> list[nn.Parameter]:
    torch.manual_seed(0)
    return [nn.Parameter(torch.randn(shape)) for shape in SHAPES]


def give_gradients(found: list[nn.Parameter], seed: int) -> None:
    torch.manual_seed(seed)
    for n, matrix in enumerate(found):
        gradient = torch.randn_like(matrix)
        matrix.grad = None if n == 3 and seed == 1 else gradient


def test_steps_are_those_of_the_muon_that_torch_has() -> None:
    plain, stacked = matrices(), matrices()
    before = [matrix.detach().clone() for matrix in plain]
    reference = torch.optim.Muon(plain, lr=0.02, weight_decay=0.1)
    muon = StackedMuon(stacked, lr=0.02, weight_decay=0.1)
    for seed in range(4):
        for found, optimiser in ((plain, reference), (stacked, muon)):
            give_gradients(found, seed)
            optimiser.step()
    for one, other, first in zip(plain, stacked, before, strict=True):
        moved = (one - first).abs().max()
        assert (one - other).abs().max() < 0.01 * moved  # bfloat16 in both


def test_state_goes_from_one_to_the_other() -> None:
    plain, stacked = matrices(), matrices()
    reference, muon = torch.optim.Muon(plain, lr=0.02), StackedMuon(stacked, lr=0.02)
    for found, optimiser in ((plain, reference), (stacked, muon)):
        give_gradients(found, 0)
        optimiser.step()
    muon.load_state_dict(copy.deepcopy(reference.state_dict()))
    for found, optimiser in ((plain, reference), (stacked, muon)):
        give_gradients(found, 2)
        optimiser.step()
    assert all(torch.allclose(one, other, atol=1e-4) for one, other in zip(plain, stacked, strict=True))
