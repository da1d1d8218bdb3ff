"""A linear classifier on vectors: how much of the class they tell plainly."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import torch
import torch.nn.functional as F

Labels = npt.NDArray[np.int64]

PENALTY = 1e-3


def probe(train: np.ndarray, labels: Labels, test: np.ndarray, answers: Labels) -> float:
    """Accuracy on ``test`` of multinomial logistic regression fitted to ``train``, both (N, D)."""
    mean, deviation = train.mean(0), train.std(0) + 1e-3 * train.std()
    rows, others = (torch.from_numpy(((x - mean) / deviation).astype(np.float32)) for x in (train, test))
    return _accuracy(_fit(rows, torch.from_numpy(labels), PENALTY), others, answers)


def _fit(rows: torch.Tensor, labels: torch.Tensor, penalty: float) -> torch.Tensor:
    """Weights (D + 1, classes), the last row biases."""
    weights = torch.zeros(rows.shape[1] + 1, int(labels.max()) + 1, requires_grad=True)
    optimiser = torch.optim.LBFGS([weights], max_iter=30, history_size=10, line_search_fn="strong_wolfe")

    def loss() -> torch.Tensor:
        optimiser.zero_grad()
        value = F.cross_entropy(rows @ weights[:-1] + weights[-1], labels) + penalty * weights[:-1].square().sum()
        value.backward()
        return value

    optimiser.step(loss)
    return weights.detach()


def _accuracy(weights: torch.Tensor, rows: torch.Tensor, labels: Labels) -> float:
    return float(((rows @ weights[:-1] + weights[-1]).argmax(1).numpy() == labels).mean())
