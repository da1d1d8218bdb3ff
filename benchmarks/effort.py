"""What encoding harder saves and costs: BD-rate by PSNR and processor time of efforts 0 to 3, over Kodak.

    python -m benchmarks.effort --pictures ../shared/data/kodak --out benchmarks/results/effort.json

One thread and processor time, all efforts of a picture one after the other: so the ratios hold on a busy machine, too.
An encode is timed whole, its verification included.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image

import archivae
from archivae.evaluation import bd_rate
from archivae.operations.quality import psnr
from benchmarks.machine import machine

EFFORTS = (0, 1, 2, 3)
QUALITIES = (10, 30, 50, 70, 90)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--pictures", type=Path, required=True, help="folder of PNG files")
    parser.add_argument("--every", type=int, default=1, help="take every n-th of them (default: all)")
    parser.add_argument("--model", default="photo")
    parser.add_argument(
        "--efforts", type=_whole, default=EFFORTS, metavar="E,E,...", help="0 among them (default: all)"
    )
    parser.add_argument("--qualities", type=_whole, default=QUALITIES, metavar="Q,Q,...")
    parser.add_argument("--out", type=Path, help="where to write JSON")
    args = parser.parse_args()
    torch.set_num_threads(1)
    paths = sorted(args.pictures.glob("*.png"))[:: args.every]
    _warm_up(args)
    files = [file for path in paths for file in measure(path, args)]
    rows = [summary(files, effort) for effort in args.efforts]
    print(table(rows))
    if args.out:
        found = {"machine": machine(), "threads": 1, "model": args.model, "pictures": len(paths)}
        args.out.write_text(json.dumps({**found, "efforts": rows, "files": files}, indent=1) + "\n")


def _whole(text: str) -> tuple[int, ...]:
    return tuple(int(part) for part in text.split(","))


def _warm_up(args: argparse.Namespace) -> None:
    grey = np.full((64, 64, 3), 128, np.uint8)
    for effort in args.efforts:
        archivae.encode(grey, model=args.model, effort=effort, fallbacks=False)


def measure(path: Path, args: argparse.Namespace) -> list[dict[str, Any]]:
    """A row for each quality and effort."""
    pixels = np.asarray(Image.open(path).convert("RGB"))
    rows = []
    for quality in args.qualities:
        for effort in args.efforts:
            began = time.process_time()
            data = archivae.encode(pixels, quality=quality, effort=effort, model=args.model, fallbacks=False)
            seconds = time.process_time() - began
            level = psnr(pixels, np.asarray(archivae.decode(data)))
            rows.append({"picture": path.stem, "quality": quality, "effort": effort, "bytes": len(data),
                         "bpp": round(8 * len(data) / pixels[:, :, 0].size, 5), "psnr": round(level, 4),
                         "seconds": round(seconds, 3)})  # fmt: skip
            print(rows[-1], flush=True)
    return rows


def summary(files: Sequence[dict[str, Any]], effort: int) -> dict[str, Any]:
    """Against effort 0: bytes at equal PSNR in percent, of the mean curve, and how many times the processor time."""
    plain, hard = _curve(files, 0), _curve(files, effort)
    rate = bd_rate(plain, hard)
    seconds = {e: sum(f["seconds"] for f in files if f["effort"] == e) for e in (0, effort)}
    count = sum(f["effort"] == effort for f in files)
    return {
        "effort": effort,
        "bd_rate_percent": None if rate is None else round(rate.percent, 2),
        "seconds": round(seconds[effort] / count, 3),
        "times": round(seconds[effort] / seconds[0], 1),
    }


def _curve(files: Sequence[dict[str, Any]], effort: int) -> list[tuple[float, float]]:
    points = []
    for quality in sorted({f["quality"] for f in files}):
        chosen = [f for f in files if f["effort"] == effort and f["quality"] == quality]
        points.append((float(np.mean([f["bpp"] for f in chosen])), float(np.mean([f["psnr"] for f in chosen]))))
    return points


def table(rows: Sequence[dict[str, Any]]) -> str:
    lines = ["effort  bytes at equal PSNR  seconds  times"]
    for row in rows:
        lines.append(f"{row['effort']:>6}  {row['bd_rate_percent']:>+17.2f} %  {row['seconds']:>7}  {row['times']:>5}")
    return "\n".join(lines)


if __name__ == "__main__":
    main()
