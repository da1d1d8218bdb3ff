"""A classifier of digits trained for the occasion: it says what samples show, and how far they are from real ones."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import scipy.linalg
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from archivae.models.families.layers import Down, grid
from archivae.models.protocol import Form
from archivae.models.running import to_tensor

STEPS, BATCH, RATE = 700, 64, 1e-3
FEATURES = 64

Pixels = npt.NDArray[np.uint8]


class Judge(nn.Module):
    """Pictures to scores of classes; `features` are the units before them, (N, FEATURES)."""

    def __init__(self, form: Form) -> None:
        super().__init__()
        self.form = form
        self.down = Down(form, 16, 2)
        height, width = grid(form, 2)
        self.hidden = nn.Linear(self.down.channels * height * width, FEATURES)
        self.out = nn.Linear(FEATURES, len(form.labels))

    def features(self, pictures: Tensor) -> Tensor:
        return F.relu(self.hidden(F.dropout(self.down(pictures).flatten(1), 0.3, self.training)))

    def forward(self, pictures: Tensor) -> Tensor:
        return self.out(self.features(pictures))

    @torch.inference_mode()
    def look(self, pixels: Pixels) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.float64]]:
        """Classes (N,) and features (N, FEATURES) of pictures (N, H, W, C)."""
        found = [self.features(to_tensor(list(part), self.form, torch.device("cpu"))) for part in _parts(pixels)]
        features = torch.cat(found)
        return self.out(features).argmax(1).numpy(), features.double().numpy()


def train_judge(pixels: Pixels, labels: npt.NDArray[np.int64], form: Form) -> Judge:
    """A classifier fitted to labelled pictures."""
    torch.manual_seed(0)
    judge, rng = Judge(form), np.random.default_rng(0)
    optimiser = torch.optim.Adam(judge.parameters(), RATE)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimiser, STEPS)
    for _ in range(STEPS):
        drawn = rng.integers(len(pixels), size=BATCH)
        loss = F.cross_entropy(
            judge(to_tensor(list(pixels[drawn]), form, torch.device("cpu"))), torch.from_numpy(labels[drawn])
        )
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        schedule.step()
    return judge.eval()


def frechet(a: npt.NDArray[np.float64], b: npt.NDArray[np.float64]) -> float:
    """The Fréchet distance of the normal distributions that fit two sets of features (Heusel et al. 2017)."""
    mean = np.square(a.mean(0) - b.mean(0)).sum()
    first, second = np.cov(a.T), np.cov(b.T)
    root = scipy.linalg.sqrtm(first @ second).real
    return float(mean + np.trace(first + second - 2 * root))


def _parts(pixels: Pixels) -> list[Pixels]:
    return [pixels[at : at + 256] for at in range(0, len(pixels), 256)]
