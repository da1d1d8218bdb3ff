"""By how much do pictures compress better once they are restored?

    python -m benchmarks.restore_encode [--count 8] [--models FOLDER] [--quality 60]

Kodak pictures, damaged, through `archivae.encode` at one quality: as they are, and restored blind before. Written is
``benchmarks/results/restore/encode.json``: of every picture the bytes, and how near what decodes comes to the damaged
picture's clean original.
"""

from __future__ import annotations

import argparse
import statistics
from collections.abc import Callable
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path

import numpy as np
from rich import box
from rich.console import Console
from rich.table import Table

import archivae
from archivae.models.training.degrade import through_jpeg
from archivae.operations.quality import psnr
from benchmarks.machine import RESULTS, write_json
from benchmarks.pictures import KODAK, Pixels, read_pictures

SIGMAS, JPEGS = (5, 10, 25), (10, 30)


@dataclass(frozen=True)
class Result:
    """One picture, encoded one way; ``psnr`` against the clean picture."""

    damage: str
    way: str
    picture: str
    bits_per_pixel: float
    psnr: float


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--kodak", type=Path, default=KODAK)
    parser.add_argument("--count", type=int, help="pictures; all without")
    parser.add_argument("--models", default="", help="a folder of TASK.safetensors; the shipped ones without")
    parser.add_argument("--quality", type=float, default=60)
    parser.add_argument("--out", type=Path, default=RESULTS / "restore" / "encode.json")
    arguments = parser.parse_args()
    results: list[Result] = []
    for name, clean in read_pictures(arguments.kodak, arguments.count).items():
        for damage, task, damaged in damages(clean):
            restored = archivae.restore(damaged, task=task, restorers=arguments.models, accelerator="cpu")
            for way, pixels in (("as it is", damaged), ("restored", restored)):
                results.append(_encoded(damage, way, name, clean, pixels, arguments.quality))
    Console().print(as_table(results, arguments.quality))
    write_json(arguments.out, {"quality": arguments.quality, "pictures": [asdict(result) for result in results]})


def damages(clean: Pixels) -> list[tuple[str, str, Pixels]]:
    """Each damage by name, the task that undoes it, and the damaged picture."""
    noisy: list[tuple[str, Callable[[], Pixels]]] = [(f"sigma {s}", partial(_noisy, clean, s)) for s in SIGMAS]
    jpegs = [(f"JPEG quality {q}", partial(through_jpeg, clean, q, "4:2:0")) for q in JPEGS]
    return [(n, "denoise", make()) for n, make in noisy] + [(n, "dejpeg", make()) for n, make in jpegs]


def _noisy(clean: Pixels, sigma: float) -> Pixels:
    noise = np.random.default_rng(0).normal(0, sigma, clean.shape)
    return np.asarray((clean + noise).round().clip(0, 255), np.uint8)


def _encoded(damage: str, way: str, name: str, clean: Pixels, pixels: Pixels, quality: float) -> Result:
    data = archivae.encode(pixels, quality=quality, accelerator="cpu")
    bits = 8 * len(data) / (clean.shape[0] * clean.shape[1])
    return Result(damage, way, name, bits, psnr(clean, archivae.decode(data, accelerator="cpu")))


def as_table(results: list[Result], quality: float) -> Table:
    """Means over pictures."""
    table = Table("damage", "encoded", title=f"quality {quality:g}, means over pictures", box=box.SIMPLE)
    for column in ("bits/pixel", "PSNR to the clean picture"):
        table.add_column(column, justify="right")
    for damage, way in dict.fromkeys((result.damage, result.way) for result in results):
        group = [result for result in results if (result.damage, result.way) == (damage, way)]
        bits, level = (
            statistics.mean(getattr(result, field) for result in group) for field in ("bits_per_pixel", "psnr")
        )
        table.add_row(damage, way, f"{bits:.3f}", f"{level:.2f}")
    return table


if __name__ == "__main__":
    main()
