"""Pictures a second of generate and embed as pipelines, against bare loops that do the same work in the same process."""

from __future__ import annotations

import statistics
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
from apache_beam.options.pipeline_options import PipelineOptions

from archivae.images import open_picture
from archivae.models import ModelName
from archivae.operations.embed import embed
from archivae.operations.files import pixels_file
from archivae.operations.generate import Samples
from archivae.pipeline.family_run import run_family
from archivae.storage import read_object, scratch_of, write_object
from archivae.storage.vectors import write_part
from archivae.transforms.generate import picture_name
from archivae.transforms.models import ModelSource

BATCH = 64
ROUNDS = 3


def generate_speed(model: str, count: int) -> dict[str, float]:
    """Samples as PNG files on the local disk."""
    running = ModelSource(ModelName(model)).running()
    order = Samples(count, seed=7)

    def bare(folder: str) -> None:
        for chunk in range(order.chunks):
            for number, picture in zip(order.numbers(chunk), order.make(chunk, running, read_object), strict=True):
                name = f"{folder}/{picture_name(number, 'png')}"
                write_object(name, pixels_file(picture, "png"), scratch=scratch_of(folder))

    def piped(folder: str) -> None:
        _run(f"--operation=generate --output={folder} --model={model} --count={count} --seed=7")

    return _compare(bare, piped, count)


def embed_speed(model: str, pixels: Sequence[np.ndarray], batch: int = BATCH) -> dict[str, float]:
    """PNG files on the local disk, of pictures of one size, to one table."""
    running = ModelSource(ModelName(model)).running()
    with tempfile.TemporaryDirectory(prefix="archivae-embed-") as source:
        paths = [Path(source) / f"{n:05d}.png" for n in range(len(pixels))]
        for path, picture in zip(paths, pixels, strict=True):
            path.write_bytes(pixels_file(picture, "png"))

        def bare(folder: str) -> None:
            vectors = []
            for at in range(0, len(paths), batch):
                pictures = [open_picture(read_object(str(path))).pixels for path in paths[at : at + batch]]
                vectors.append(embed(running, pictures))
            write_part(folder, "part.parquet", running.id, [str(path) for path in paths], np.concatenate(vectors))

        def piped(folder: str) -> None:
            _run(f"--operation=embed --input={source} --output={folder} --model={model}")

        return _compare(bare, piped, len(pixels))


def _run(words: str) -> None:
    run_family(PipelineOptions([*words.split(), "--runner=FnApiRunner", "--accelerator=cpu"]), watch=False)


def _compare(bare: Callable[[str], None], piped: Callable[[str], None], count: int) -> dict[str, float]:
    """Both ways in turn; the ratio is the median of the rounds' ratios."""
    seconds = [(_seconds(bare), _seconds(piped)) for _ in range(ROUNDS)]
    return {
        "pictures": count,
        "bare_per_second": count / statistics.median(b for b, _ in seconds),
        "pipeline_per_second": count / statistics.median(p for _, p in seconds),
        "ratio": statistics.median(b / p for b, p in seconds),
    }


def _seconds(work: Callable[[str], None]) -> float:
    with tempfile.TemporaryDirectory(prefix="archivae-speed-") as folder:
        began = time.perf_counter()
        work(f"{folder}/out")
        return time.perf_counter() - began
