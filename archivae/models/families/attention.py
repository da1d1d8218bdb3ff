"""Self-attention over the positions of small maps (SAGAN, Zhang et al. 2019, arXiv:1805.08318)."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn


class SelfAttention(nn.Module):
    """Maps ``(N, C, h, w)`` to the same shape: each position adds what it finds at all others.

    What it adds starts at nothing, as ``gain`` is zero at first.
    """

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.keys = nn.Conv2d(channels, 3 * channels, 1)
        self.out = nn.Conv2d(channels, channels, 1)
        self.gain = nn.Parameter(torch.zeros(()))

    def forward(self, maps: Tensor) -> Tensor:
        query, key, value = self.keys(maps).flatten(2).transpose(1, 2).chunk(3, 2)
        found = F.scaled_dot_product_attention(query, key, value)
        return maps + self.gain * self.out(found.transpose(1, 2).reshape(maps.shape))
