"""What a step of Muon costs by itself and with matrices of one shape stacked: python -m benchmarks.muon [--threads 1]

Matrices are those of the photo codec with four coarse blocks, gradients random. Seconds are of the processor, over all
threads, so that other work on the machine does not count.
"""

from __future__ import annotations

import argparse
import time

import torch

from archivae.models.photo.architecture import Architecture
from archivae.models.photo.trainable import TrainableCodec
from archivae.models.training.muon import StackedMuon
from archivae.models.training.optim import MUON_SMALLEST

STEPS = 5


def seconds_a_step(kind: type[torch.optim.Muon]) -> float:
    """The median of `STEPS` after the first."""
    torch.manual_seed(0)
    parameters = TrainableCodec(Architecture(coarse_blocks=4)).parameters()
    matrices = [p for p in parameters if p.dim() == 2 and min(p.shape) >= MUON_SMALLEST]
    for matrix in matrices:
        matrix.grad = torch.randn_like(matrix)
    optimiser = kind(matrices, lr=1e-3, weight_decay=0.0)
    optimiser.step()
    return sorted(_timed(optimiser) for _ in range(STEPS))[STEPS // 2]


def _timed(optimiser: torch.optim.Muon) -> float:
    began = time.process_time()
    optimiser.step()
    return time.process_time() - began


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--threads", type=int, default=1)
    torch.set_num_threads(parser.parse_args().threads)
    plain, stacked = seconds_a_step(torch.optim.Muon), seconds_a_step(StackedMuon)
    print(f"one by one {plain:.3f} s, stacked {stacked:.3f} s a step: {stacked / plain:.2f}")


if __name__ == "__main__":
    main()
