"""Convolutions that halve a picture step by step, and their mirror image.

Both pad pictures at the bottom and right to whole multiples of what the last step leaves, and cut the padding off again.
"""

from __future__ import annotations

import itertools

import torch.nn.functional as F
from torch import Tensor, nn

from archivae.models.families.attention import SelfAttention
from archivae.models.protocol import Form


def grid(form: Form, depth: int) -> tuple[int, int]:
    """Height and width of the maps that are left after ``depth`` halvings of the padded picture."""
    return -(-form.height >> depth), -(-form.width >> depth)


def widths(width: int, depth: int) -> list[int]:
    """Channels after each halving: doubled once, as later maps are small but many.

    >>> widths(32, 3)
    [32, 64, 64]
    """
    return [width] + [2 * width] * (depth - 1)


class Down(nn.Module):
    """Pictures ``(N, C, H, W)`` to maps ``(N, channels, h, w)`` through ``depth`` halvings.

    The first halving puts 2x2 pixels side by side, which keeps full-sized maps, and their cost, out of the network; the
    others are max-pooling after convolution and ReLU. Where asked for, self-attention follows at the lowest resolution.
    """

    def __init__(self, form: Form, width: int, depth: int, attention: bool = False) -> None:
        super().__init__()
        steps = [4 * form.channels, *widths(width, depth)]
        self.steps = nn.ModuleList(nn.Conv2d(a, b, 3, padding=1) for a, b in itertools.pairwise(steps))
        self.channels = steps[-1]
        self.last = nn.Conv2d(self.channels, self.channels, 3, padding=1)
        self.attention = SelfAttention(self.channels) if attention else nn.Identity()
        height, width = grid(form, depth)
        self._missing = (0, (width << depth) - form.width, 0, (height << depth) - form.height)

    def forward(self, pictures: Tensor) -> Tensor:
        x = F.pad(pictures, self._missing) if any(self._missing) else pictures
        x = F.pixel_unshuffle(x, 2)
        for n, step in enumerate(self.steps):
            x = F.relu(step(x if n == 0 else F.max_pool2d(x, 2)))
        return self.attention(F.relu(self.last(x)))


class Up(nn.Module):
    """Maps ``(N, channels, h, w)`` to pictures ``(N, C, H, W)``, before any squashing.

    The mirror image: transposed convolutions double the maps, and the last doubling lays four channels out as 2x2 pixels.
    With ``normalised``, maps are batch-normalised before each ReLU.
    """

    def __init__(self, form: Form, width: int, depth: int, attention: bool = False, normalised: bool = False) -> None:
        super().__init__()
        steps = widths(width, depth)[::-1]
        self.channels = steps[0]
        self.attention = SelfAttention(self.channels) if attention else nn.Identity()
        self.first = nn.Conv2d(self.channels, self.channels, 3, padding=1)
        self.steps = nn.ModuleList(
            nn.ConvTranspose2d(a, b, 4, stride=2, padding=1) for a, b in itertools.pairwise(steps)
        )
        self.norms = nn.ModuleList(nn.BatchNorm2d(c) if normalised else nn.Identity() for c in steps)
        self.last = nn.Conv2d(steps[-1], 4 * form.channels, 3, padding=1)
        self._size = form.height, form.width

    def forward(self, maps: Tensor) -> Tensor:
        x = self.first(self.attention(maps))
        for norm, step in zip(self.norms, self.steps, strict=False):
            x = step(F.relu(norm(x)))
        x = F.relu(self.norms[-1](x))
        height, width = self._size
        return F.pixel_shuffle(self.last(x), 2)[:, :, :height, :width]


def pooled(maps: Tensor, cells: int = 4) -> Tensor:
    """Maps ``(N, C, h, w)`` as vectors ``(N, C * cells**2)`` float32: what each part of the picture holds on average.

    Coates, Lee and Ng 2011, An analysis of single-layer networks in unsupervised feature learning.
    """
    return F.adaptive_avg_pool2d(maps.float(), cells).flatten(1)
