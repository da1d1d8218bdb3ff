"""Pictures per second of the encode pipeline against a bare loop that does the same work, in one run.

    python benchmarks/throughput.py [--pictures 200] [--folder examples/photos] [--out benchmarks/results/throughput.json]

Both read, decode, encode, verify and write the same files with the same threads and the same codec already loaded. The
loop and the pipeline take turns, `--rounds` times; the ratio is the median of the rounds' ratios. The pipeline's time split
comes from its own metrics.
"""

from __future__ import annotations

import argparse
import json
import platform
import shutil
import statistics
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import apache_beam as beam
import torch
from apache_beam.metrics import MetricsFilter
from apache_beam.options.pipeline_options import PipelineOptions
from rich import box
from rich.console import Console
from rich.table import Table

from archivae.operations.encode import encode_file
from archivae.pipeline.graph import build
from archivae.pipeline.options import Settings
from archivae.pipeline.run import make_job
from archivae.stopwatch import take_seconds
from archivae.storage import scratch_of, write_object
from archivae.transforms.residency import CodecSource

ROOT = Path(__file__).resolve().parent.parent
QUALITY = 60.0


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--pictures", type=int, default=200)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--folder", type=Path, default=ROOT / "examples" / "photos")
    parser.add_argument("--out", type=Path, default=ROOT / "benchmarks" / "results" / "throughput.json")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="archivae-throughput-") as folder:
        result = measure(Path(folder), arguments.folder, arguments.pictures, arguments.rounds)
    arguments.out.parent.mkdir(parents=True, exist_ok=True)
    arguments.out.write_text(json.dumps(result, indent=2) + "\n")
    Console().print(as_table(result))


def measure(scratch: Path, photos: Path, count: int, rounds: int) -> dict:
    """Fill ``scratch`` with ``count`` copies of the photographs and time both ways over them."""
    source = scratch / "in"
    source.mkdir()
    originals = sorted(photos.glob("*.png"))
    for n in range(count):
        shutil.copy(originals[n % len(originals)], source / f"{n:04d}.png")
    bare_loop(source, scratch / "warm", limit=2)  # compiles the entropy coder, loads the model
    bare, piped = [], []
    split: dict[str, float] = {}
    for n in range(rounds):
        bare.append(bare_loop(source, scratch / f"bare{n}"))
        seconds, split = pipeline(source, scratch / f"piped{n}")
        piped.append(seconds)
    check_equal(scratch / "bare0", scratch / "piped0", count)
    return {
        "machine": f"{platform.processor() or platform.machine()}, {torch.get_num_threads()} threads",
        "cpu": torch.cpu.get_capabilities().get("cpu_name"),
        "torch": torch.__version__,
        "beam": beam.__version__,
        "pictures": count,
        "quality": QUALITY,
        "bare_pictures_per_second": count / statistics.median(bare),
        "pipeline_pictures_per_second": count / statistics.median(piped),
        "ratio": statistics.median(b / p for b, p in zip(bare, piped, strict=True)),
        "bare_seconds": bare,
        "piped_seconds": piped,
        "pipeline_seconds_by_step": split,
        "pipeline_seconds": piped[-1],
    }


def bare_loop(source: Path, destination: Path, limit: int | None = None) -> float:
    """Seconds of a plain loop: read, encode with verification, write."""
    codec = CodecSource("photo").codec()
    began = time.perf_counter()
    for path in sorted(source.iterdir())[:limit]:
        encoded = encode_file(path.read_bytes(), codec, QUALITY)
        write_object(str(destination / f"{path.name}.avae"), encoded.data, scratch=scratch_of(str(destination)))
    take_seconds()  # the pipeline that follows in this thread shall count its own
    return time.perf_counter() - began


def pipeline(source: Path, destination: Path) -> tuple[float, dict[str, float]]:
    """Seconds of the whole Beam job on the in-process runner, and where its steps say they went."""
    words = ["--operation=encode", f"--input={source}", f"--output={destination}", f"--quality={QUALITY}"]
    options = PipelineOptions([*words, "--runner=FnApiRunner"])
    settings = Settings.from_options(options)
    began = time.perf_counter()
    graph = beam.Pipeline(options=options)
    build(graph, settings, make_job(settings))
    result = graph.run()
    result.wait_until_finish()
    return time.perf_counter() - began, dict(seconds_by_step(result))


def seconds_by_step(result: beam.runners.runner.PipelineResult) -> Iterator[tuple[str, float]]:
    """``..._microseconds_...`` distributions as seconds."""
    found = result.metrics().query(MetricsFilter().with_namespace("archivae"))["distributions"]
    for distribution in sorted(found, key=lambda d: d.key.metric.name):
        name = distribution.key.metric.name
        if "_microseconds_" in name:
            yield name.replace("_microseconds_", ": ").replace("_", " "), distribution.result.sum / 1e6


def check_equal(bare: Path, piped: Path, count: int) -> None:
    """Both ways must have written the same bytes."""
    names = [path.name for path in bare.glob("*.avae")]
    assert len(names) == count
    for name in names:
        assert (bare / name).read_bytes() == (piped / name).read_bytes(), name


def as_table(result: dict) -> Table:
    """The figures, for people."""
    table = Table(title="encode, verified, pictures of 768x512", box=box.SIMPLE, title_justify="left")
    table.add_column("")
    table.add_column("", justify="right")
    table.add_row("bare loop, pictures/s", f"{result['bare_pictures_per_second']:.2f}")
    table.add_row("pipeline, pictures/s", f"{result['pipeline_pictures_per_second']:.2f}")
    table.add_row("ratio", f"{result['ratio']:.3f}")
    table.add_section()
    for step, seconds in result["pipeline_seconds_by_step"].items():
        table.add_row(step, f"{seconds:.1f} s = {100 * seconds / result['pipeline_seconds']:.0f} %")
    return table


if __name__ == "__main__":
    main()
