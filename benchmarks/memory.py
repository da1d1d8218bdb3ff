"""Peak memory of the encode pipeline against the size of the collection.

    python benchmarks/memory.py [--pictures 8 32 128] [--out benchmarks/results/memory.json]

Each size runs in a process of its own, on Beam's in-process runner, over copies of the sample photographs.
"""

from __future__ import annotations

import argparse
import json
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from rich import box
from rich.console import Console
from rich.table import Table

ROOT = Path(__file__).resolve().parent.parent
CHILD = """
import resource, sys
from archivae.pipeline.run import run
summary = run(["--operation=encode", f"--input={sys.argv[1]}", f"--output={sys.argv[2]}"], watch=False)
assert len(summary.done) == int(sys.argv[3])
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)
"""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--pictures", type=int, nargs="+", default=[8, 32, 128])
    parser.add_argument("--out", type=Path, default=ROOT / "benchmarks" / "results" / "memory.json")
    arguments = parser.parse_args()
    peaks = {count: peak_mebibytes(count) for count in arguments.pictures}
    arguments.out.parent.mkdir(parents=True, exist_ok=True)
    arguments.out.write_text(json.dumps({"peak_mebibytes_by_pictures": peaks}, indent=2) + "\n")
    table = Table("pictures of 768x512", "peak MiB", box=box.SIMPLE)
    for count, peak in peaks.items():
        table.add_row(str(count), f"{peak:.0f}")
    Console().print(table)


def peak_mebibytes(count: int) -> float:
    """Resident memory, at its peak, of a process that encodes ``count`` pictures."""
    originals = sorted((ROOT / "examples" / "photos").glob("*.png"))
    with tempfile.TemporaryDirectory(prefix="archivae-memory-") as folder:
        source = Path(folder) / "in"
        source.mkdir()
        for n in range(count):
            shutil.copy(originals[n % len(originals)], source / f"{n:05d}.png")
        words = [sys.executable, "-c", CHILD, str(source), str(Path(folder) / "out"), str(count)]
        printed = subprocess.run(words, check=True, capture_output=True, text=True).stdout
    return int(printed.split()[-1]) / 1024  # Linux counts in KiB


if __name__ == "__main__":
    main()
