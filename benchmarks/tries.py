"""Another architecture or parametrisation of the photo codec, trained for a while beside the codec as it is.

python -m benchmarks.tries NAME --start averaged.safetensors --data ../shared/data/train --out DIR --seconds 3600 --compile

NAME is reference, context-latents, scales-haar or coarse-third (`benchmarks.try_models`). All begin with the weights of
--start, a state dict, and see the same crops in the same order at the same constant learning rates. DIR/checkpoint.pt
is written every five minutes, and the same command goes on from it; DIR/average.safetensors holds its moving average as
float16, DIR/curve.json what that average reaches on six Kodak pictures (bits by likelihoods). With --against the
BD-rate between two such curves is told. --evaluate FILE trains nothing: it rates a checkpoint (also one of a run that
had the keys "ema" and "step") or a state dict.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image
from safetensors.torch import load_file, save_file
from torch import Tensor

from archivae.models.photo.architecture import ANCHORS
from archivae.models.photo.trainable import TrainableCodec
from archivae.models.training.copies import damaged_copy
from archivae.models.training.data import CropSampler, Pixels
from archivae.models.training.loss import rate_distortion
from archivae.models.training.optim import MovingAverage, Optimisers
from benchmarks.pictures import ENDINGS, KODAK, read_pictures
from benchmarks.try_curve import curve_of, read_curve, saved, write_curve
from benchmarks.try_models import TRIES, folded_state, plain_model

WARM_UP = 200
STEPS_A_LINE = 50
SECONDS_A_CHECKPOINT = 300
JUDGED = 6


class Run:
    """A model at some step, with all that going on takes."""

    def __init__(self, name: str, start: Mapping[str, Tensor], muon: float, adam: float) -> None:
        torch.manual_seed(11)
        self.name = name
        self.model = TRIES[name](start)
        self.model.train().to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        self.optimisers = Optimisers(self.model, muon, adam)
        self.average = MovingAverage(self.model)
        self.step = 0

    def load(self, kept: Mapping[str, Any]) -> None:
        self.model.load_state_dict(kept["model"])
        self.average.model.load_state_dict(kept["ema"])
        self.optimisers.load_state_dict(kept["opt"])
        self.step = kept["step"]

    def save(self, folder: Path) -> None:
        """A checkpoint to go on from, and the moving average as float16, without scales and bases."""
        state = {"model": self.model.state_dict(), "ema": self.average.model.state_dict()}
        fresh = folder / "checkpoint.tmp"
        torch.save(state | {"opt": self.optimisers.state_dict(), "step": self.step}, fresh)
        fresh.replace(folder / "checkpoint.pt")
        plain = {name: tensor.half().contiguous() for name, tensor in folded_state(self.average.model).items()}
        save_file(plain, folder / "average.safetensors", {"try": self.name, "step": str(self.step)})


def train(run: Run, sampler: CropSampler, options: argparse.Namespace) -> None:
    """Take steps until there are enough, or the time is over."""
    network = torch.compile(run.model, dynamic=False) if options.compile else run.model
    began = written = time.monotonic()
    recent: list[list[float]] = []
    for batch in sampler.batches(range(run.step, options.steps), range(options.batch)):
        torch.manual_seed(run.step)
        pixels = batch.pixels.float().div_(255)
        position = batch.quality * (ANCHORS - 1)
        with torch.autocast("cpu", dtype=torch.bfloat16):
            output = network(pixels, position)
        measures = rate_distortion(output, pixels, position)
        measures[0].backward()  # type: ignore[no-untyped-call]
        run.optimisers.step(min(1.0, (run.step + 1) / WARM_UP))
        run.average.update(run.model, run.step)
        run.step += 1
        recent = [*recent, [float(measure.detach()) for measure in measures]][-STEPS_A_LINE:]
        now = time.monotonic()
        if run.step % STEPS_A_LINE == 0:
            print(run.step, np.mean(recent, 0).round(5), f"{now - began:.0f} s", flush=True)
        if now - began > options.seconds:
            break
        if now - written > SECONDS_A_CHECKPOINT:
            run.save(options.out)
            written = now
    run.save(options.out)


def load_crops(options: argparse.Namespace) -> CropSampler:
    """Crops of all pictures under each folder of --data, in the order of their paths."""
    found = [sorted(path for path in folder.rglob("*") if path.suffix.lower() in ENDINGS) for folder in options.data]
    paths = [path for folder in found for path in folder]
    pictures: list[Pixels] = [np.asarray(Image.open(path).convert("RGB")) for path in paths]
    return CropSampler(pictures, options.crop, options.seed, options.damaged, damaged_copy)


def rated_model(name: str, path: Path, start: Mapping[str, Tensor]) -> tuple[TrainableCodec, int]:
    """The model of a checkpoint (its moving average) or of a plain state dict, and its step."""
    if path.suffix == ".safetensors":
        return plain_model(load_file(path)), 0
    run = Run(name, start, muon=1, adam=1)
    kept = torch.load(path, weights_only=True)
    run.average.model.load_state_dict(kept["ema"])
    return run.average.model, kept["step"]


def main() -> None:
    options = parse()
    torch.set_num_threads(options.threads)
    options.out.mkdir(parents=True, exist_ok=True)
    start = load_file(options.start)
    if options.evaluate:
        model, step = rated_model(options.name, options.evaluate, start)
    else:
        run = Run(options.name, start, options.muon_rate, options.adam_rate)
        if (options.out / "checkpoint.pt").exists():
            run.load(torch.load(options.out / "checkpoint.pt", weights_only=True))
        train(run, load_crops(options), options)
        model, step = run.average.model, run.step
    points = curve_of(model, read_pictures(options.kodak, JUDGED))
    write_curve(options.out / "curve.json", options.name, step, points)
    for point in points:
        print(f"quality {point.quality}: {point.bpp:.4f} bpp, {point.psnr:.3f} dB")
    if options.against:
        print(
            f"{options.name} after {step} steps: {saved(points, read_curve(options.against))} against {options.against}"
        )


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("name", choices=TRIES)
    parser.add_argument("--start", type=Path, required=True)
    parser.add_argument("--data", type=Path, nargs="+", default=[Path("../shared/data/train")])
    parser.add_argument("--damaged", type=float, default=0.0, help="share of noisy, re-compressed or dark copies")
    parser.add_argument("--kodak", type=Path, default=KODAK)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--evaluate", type=Path)
    parser.add_argument("--against", type=Path, help="a curve.json")
    parser.add_argument("--steps", type=int, default=10**9)
    parser.add_argument("--seconds", type=float, default=float("inf"))
    parser.add_argument("--compile", action="store_true")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--batch", type=int, default=8)
    parser.add_argument("--crop", type=int, default=256)
    parser.add_argument("--seed", type=int, default=77)
    parser.add_argument("--muon-rate", type=float, default=0.002)
    parser.add_argument("--adam-rate", type=float, default=3e-4)
    return parser.parse_args()


if __name__ == "__main__":
    main()
