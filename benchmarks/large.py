"""A picture of 300 megapixels, there and back: peak memory and seconds of ``archivae encode`` and ``archivae decode``.

    python -m benchmarks.large [--size 15000 20000] [--grey] [--pictures FOLDER] [--out FILE]

The picture is a mosaic of photographs, each continued by its mirror images, saved as a JPEG of quality 92. Each command
runs in a process of its own; its memory is the most that was resident at once.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import NamedTuple

import numpy as np
from PIL import Image
from rich import box
from rich.console import Console
from rich.table import Table

from benchmarks.machine import RESULTS, write_json
from benchmarks.pictures import Pixels, mirrored, read_pictures

BLOCK = 2500
"""Pixels a side that one photograph covers."""


class Cost(NamedTuple):
    seconds: float
    mebibytes: float


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--size", type=int, nargs=2, default=[15_000, 20_000], metavar=("HEIGHT", "WIDTH"))
    parser.add_argument("--grey", action="store_true", help="a picture of one channel")
    parser.add_argument("--pictures", type=Path, default=Path("examples/photos"))
    parser.add_argument("--out", type=Path, default=RESULTS / "large.json")
    arguments = parser.parse_args()
    height, width = arguments.size
    with tempfile.TemporaryDirectory(prefix="archivae-large-") as name:
        folder = Path(name)
        path = folder / "in" / "mosaic.jpg"
        size = write_mosaic(path, height, width, arguments.pictures, "L" if arguments.grey else "RGB")
        costs = {
            "encode": run("encode", folder / "in", folder / "archive"),
            "decode": run("decode", folder / "archive", folder / "out"),
        }
        (archived,) = (folder / "archive").glob("*.avae")
        (decoded,) = (folder / "out").glob("*.png")
        sizes = {"jpeg": size, "avae": archived.stat().st_size, "png": decoded.stat().st_size}
    show(costs, arguments.size, sizes)
    result = {
        "size": arguments.size,
        "grey": arguments.grey,
        "bytes": sizes,
        **{name: cost._asdict() for name, cost in costs.items()},
    }
    write_json(arguments.out, result)


def write_mosaic(path: Path, height: int, width: int, photographs: Path, mode: str) -> int:
    """Bytes of the file. ``mode``: L or RGB."""
    pictures: list[Pixels] = [
        np.asarray(Image.fromarray(picture).convert(mode)) for picture in read_pictures(photographs).values()
    ]
    pixels = np.empty((height, width, *pictures[0].shape[2:]), np.uint8)
    blocks = [(top, left) for top in range(0, height, BLOCK) for left in range(0, width, BLOCK)]
    for n, (top, left) in enumerate(blocks):
        place = pixels[top : top + BLOCK, left : left + BLOCK]
        place[:] = mirrored(pictures[n % len(pictures)], *place.shape[:2])
    path.parent.mkdir()
    Image.fromarray(pixels).save(path, quality=92)
    return path.stat().st_size


def run(command: str, source: Path, destination: Path) -> Cost:
    started = time.perf_counter()
    process = subprocess.Popen([Path(sys.executable).with_name("archivae"), command, source, destination])
    _, status, usage = os.wait4(process.pid, 0)
    if status:
        raise SystemExit(f"archivae {command} ended with {os.waitstatus_to_exitcode(status)}")
    return Cost(time.perf_counter() - started, usage.ru_maxrss / 1024)  # Linux counts in KiB


def show(costs: dict[str, Cost], size: list[int], sizes: dict[str, int]) -> None:
    table = Table("", "seconds", "peak MiB", box=box.SIMPLE)
    for name, cost in costs.items():
        table.add_row(name, f"{cost.seconds:.0f}", f"{cost.mebibytes:,.0f}")
    Console().print(f"{size[1]:,} x {size[0]:,} pixels:", ", ".join(f"{n} {b:,} bytes" for n, b in sizes.items()))
    Console().print(table)


if __name__ == "__main__":
    main()
