"""Speed of our codec beside AVIF's and WebP's at about equal PSNR, and beside a network of a well-known shape.

    python -m benchmarks.codec_speed [--pictures FOLDER] [--count 4] [--rounds 5] [--threads 2 1] [--out FILE]

Everything takes turns on every picture in every round, with equal numbers of threads; a ratio is the median of those
of each picture and round. From pixels to the bytes of a whole file and back, one picture at a time, on the CPU. The
network (benchmarks/hyperprior.py) is timed without entropy coding. Where there is a CUDA device, frames of 1080p too.
"""

from __future__ import annotations

import argparse
import statistics
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from rich import box
from rich.console import Console
from rich.table import Table

from archivae.models import DEFAULT_MODEL, PhotoCodec
from archivae.operations.codec import named_codec
from benchmarks.coder_speed import coder_speed
from benchmarks.gpu_speed import gpu_speed
from benchmarks.hyperprior import FastestHyperprior
from benchmarks.machine import RESULTS, write_json
from benchmarks.pictures import KODAK, read_pictures
from benchmarks.speed_cases import Case, actions, as_row, make_case
from benchmarks.timing import on_threads, seconds_of


class Ratio(NamedTuple):
    """Seconds of one action over those of another, and what we want of them."""

    ours: str
    theirs: str
    wanted: str


RATIOS = (
    Ratio("encode", "AVIF encode", "<= 0.5"),
    Ratio("encode and verify", "AVIF encode", "<= 1"),
    Ratio("decode", "AVIF decode", ""),
    Ratio("encode", "WebP encode", ""),
    Ratio("decode", "WebP decode", "<= 40, better 20"),
    Ratio("encode", "hyperprior encode", "<= 0.33"),
    Ratio("decode", "hyperprior decode", "<= 0.33"),
)


class Sample(NamedTuple):
    """Seconds of every action on one picture in one round."""

    quality: float
    seconds: Mapping[str, float]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--pictures", type=Path, default=KODAK)
    parser.add_argument("--count", type=int, default=4)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--qualities", type=float, nargs="+", default=[25.0, 50.0, 75.0])
    parser.add_argument("--threads", type=int, nargs="+", default=[2, 1])
    parser.add_argument("--model", default=DEFAULT_MODEL)
    parser.add_argument("--out", type=Path, default=RESULTS / "codec_speed.json")
    arguments = parser.parse_args()
    result = measure(arguments)
    write_json(arguments.out, result)
    for table in tables(result):
        Console().print(table)


def measure(arguments: argparse.Namespace) -> dict[str, Any]:
    """All figures, as they are written."""
    codec = named_codec(arguments.model, "cpu")
    pictures = read_pictures(arguments.pictures, arguments.count)
    cases = [
        make_case(arguments.model, name, pixels, quality)
        for name, pixels in pictures.items()
        for quality in arguments.qualities
    ]
    middle = sorted(arguments.qualities)[len(arguments.qualities) // 2]
    return {
        "model": codec.id.hex(),
        "branches": str(codec.fast_dtype),
        "rounds": arguments.rounds,
        "files": [as_row(case) for case in cases],
        "cpu": [on_cpu(codec, arguments.model, cases, arguments.rounds, threads) for threads in arguments.threads],
        "entropy_coder_one_core": coder_speed(codec, pictures.values(), middle, arguments.rounds),
        "gpu_1080p": gpu_speed(codec.weights, list(pictures.values()), middle, arguments.rounds),
    }


def on_cpu(codec: PhotoCodec, model: str, cases: Sequence[Case], rounds: int, threads: int) -> dict[str, Any]:
    """Seconds and ratios at each quality with ``threads`` threads."""
    with on_threads(threads):
        networks = {shape: FastestHyperprior(*shape) for shape in sorted({case.pixels.shape[:2] for case in cases})}
        for case in cases:
            times(actions(codec, model, case))  # what is loaded or compiled at a first call
        samples = [sample for _ in range(rounds) for sample in one_round(codec, model, cases, networks)]
    return {
        "threads": threads,
        "hyperprior": {
            "encoder": sorted({network.encoder.name for network in networks.values()}),
            "decoder": sorted({network.decoder.name for network in networks.values()}),
        },
        "qualities": [summary(quality, samples) for quality in sorted({case.quality for case in cases})],
    }


def one_round(
    codec: PhotoCodec, model: str, cases: Sequence[Case], networks: Mapping[tuple[int, ...], FastestHyperprior]
) -> Iterable[Sample]:
    """Each picture through the network, then at each quality through the codecs."""
    for picture in dict.fromkeys(case.picture for case in cases):
        same = [case for case in cases if case.picture == picture]
        network = networks[same[0].pixels.shape[:2]]
        beside = times({"hyperprior encode": network.encoder.encode, "hyperprior decode": network.decoder.decode})
        for case in same:
            yield Sample(case.quality, times(actions(codec, model, case)) | beside)


def times(named: Mapping[str, Callable[[], object]]) -> dict[str, float]:
    """Seconds of each action, one after the other."""
    return {name: seconds_of(action) for name, action in named.items()}


def summary(quality: float, samples: Iterable[Sample]) -> dict[str, Any]:
    """Medians over pictures and rounds at one quality, ratios with their quartiles."""
    found = [sample.seconds for sample in samples if sample.quality == quality]
    return {
        "quality": quality,
        "median_seconds": {name: statistics.median(seconds[name] for seconds in found) for name in found[0]},
        "ratios": [
            ratio._asdict() | spread([seconds[ratio.ours] / seconds[ratio.theirs] for seconds in found])
            for ratio in RATIOS
        ],
    }


def spread(values: Sequence[float]) -> dict[str, float]:
    """The median and the quartiles around it."""
    low, middle, high = np.percentile(values, (25, 50, 75)).tolist()
    return {"low": low, "median": middle, "high": high}


def tables(result: Mapping[str, Any]) -> Iterable[Table]:
    """The figures, for people."""
    for run in result["cpu"]:
        yield ratio_table(run)
        yield seconds_table(run)
    yield coder_table(result["entropy_coder_one_core"])
    if result["gpu_1080p"]:
        yield gpu_table(result["gpu_1080p"])


def ratio_table(run: Mapping[str, Any]) -> Table:
    table = new_table(f"ours / theirs, {run['threads']} threads; in brackets the quartiles", run)
    table.add_column("wanted", justify="right")
    for n, ratio in enumerate(RATIOS):
        found = [at["ratios"][n] for at in run["qualities"]]
        cells = [f"{r['median']:.2f} ({r['low']:.2f}-{r['high']:.2f})" for r in found]
        table.add_row(f"{ratio.ours} / {ratio.theirs}", *cells, ratio.wanted)
    return table


def seconds_table(run: Mapping[str, Any]) -> Table:
    table = new_table(f"median milliseconds, {run['threads']} threads", run)
    for name in run["qualities"][0]["median_seconds"]:
        table.add_row(name, *(f"{1000 * at['median_seconds'][name]:.1f}" for at in run["qualities"]))
    return table


def new_table(title: str, run: Mapping[str, Any]) -> Table:
    table = Table("", title=title, box=box.SIMPLE, title_justify="left")
    for at in run["qualities"]:
        table.add_column(f"quality {at['quality']:g}", justify="right")
    return table


def coder_table(found: Mapping[str, Any]) -> Table:
    title = f"entropy coder, one core, quality {found['quality']:g}, million integers/s"
    table = Table("", "all", "with a table", title=title, box=box.SIMPLE, title_justify="left")
    for direction in ("encode", "decode"):
        rates = (found[f"{direction}_{kind}_per_second"] for kind in ("integers", "coded_integers"))
        table.add_row(direction, *(f"{rate / 1e6:.1f}" for rate in rates))
    return table


def gpu_table(rows: Iterable[Mapping[str, Any]]) -> Table:
    table = Table("batch", "tile side", "encode", "decode", title="GPU, 1080p frames/s", box=box.SIMPLE)
    for row in rows:
        rates = (row[f"{direction}_frames_per_second"] for direction in ("encode", "decode"))
        table.add_row(str(row["batch"]), str(row["tile_side"]), *(f"{rate:.1f}" for rate in rates))
    return table


if __name__ == "__main__":
    main()
