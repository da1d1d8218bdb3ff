"""Peak memory of restoring one large picture, in a process of its own: prints MiB.

    python -m benchmarks.restore_memory denoise 4000 6000

`benchmarks.restore` calls it for every task.
"""

from __future__ import annotations

import resource
import subprocess
import sys

import numpy as np

from archivae.models import Restorer, fastest_dtype, load_restorer, pick_device


def peak_mebibytes(model: str, height: int, width: int) -> float:
    """Resident memory, at its peak, of a process that restores a picture of that size."""
    words = [sys.executable, "-m", "benchmarks.restore_memory", model, str(height), str(width)]
    return float(subprocess.run(words, check=True, capture_output=True, text=True).stdout.split()[-1])


def main() -> None:
    model, height, width = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
    device = pick_device("cpu")
    restorer = Restorer(load_restorer(model), device, fastest_dtype(device))
    picture = np.random.default_rng(0).integers(0, 256, (height, width, 3), np.uint8)
    mask = picture[:, :, 0] < 64 if restorer.task.name == "inpaint" else None
    restorer.restore(picture, mask=mask)
    print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024)  # Linux counts in KiB


if __name__ == "__main__":
    main()
