"""SSIMULACRA 2 as `archivae.operations.quality` measures it against vapoursynth-vszip, an implementation of its own.

    pip download --no-deps --only-binary=:all: --python-version 3.12 -d wheels vapoursynth vapoursynth-vszip
    for wheel in wheels/*.whl; do unzip -qo $wheel -d native; done
    python -m benchmarks.ssimulacra2 --pictures ../shared/data/kodak --native native --every 8

Neither needs to be installed: a small C program (benchmarks/native) calls the plugin.
"""

from __future__ import annotations

import argparse
import io
import subprocess
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from archivae.operations.quality import ssimulacra2
from benchmarks.machine import RESULTS, write_json

JPEG_QUALITIES = (10, 20, 35, 50, 65, 80, 90, 95)
SOURCE = Path(__file__).parent / "native" / "vszip_ssimulacra2.c"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--pictures", type=Path, required=True, help="folder of PNG files")
    parser.add_argument("--native", type=Path, required=True, help="folder with both wheels, unpacked")
    parser.add_argument("--every", type=int, default=1, help="take every n-th picture (default: all)")
    parser.add_argument("--out", type=Path, default=RESULTS / "ssimulacra2.json")
    args = parser.parse_args()
    rows = []
    with tempfile.TemporaryDirectory() as folder:
        program = build(args.native.resolve() / "vapoursynth", Path(folder))
        for path in sorted(args.pictures.glob("*.png"))[:: args.every]:
            rows += compare(path, program)
    print("JPEG quality   mean of ours   mean of vszip   largest difference")
    for quality in JPEG_QUALITIES:
        ours, theirs = (np.array([r[key] for r in rows if r["jpeg_quality"] == quality]) for key in ("ours", "vszip"))
        print(f"{quality:>12}{ours.mean():>15.2f}{theirs.mean():>16.2f}{np.abs(ours - theirs).max():>21.2f}")
    write_json(args.out, {"files": rows})


def build(vapoursynth: Path, folder: Path) -> Path:
    """The C program, compiled against the unpacked wheel."""
    program = folder / "score"
    library = vapoursynth / "libvapoursynth.so.4"
    words = ["cc", "-O1", "-I", vapoursynth / "include", SOURCE, "-o", program, library, f"-Wl,-rpath,{vapoursynth}"]
    subprocess.run(words, check=True)
    return program


def compare(path: Path, program: Path) -> list[dict[str, Any]]:
    """Both scores of a picture's JPEGs."""
    original = np.asarray(Image.open(path).convert("RGB"))
    rows = []
    for quality in JPEG_QUALITIES:
        file = io.BytesIO()
        Image.fromarray(original).save(file, "JPEG", quality=quality)
        decoded = np.asarray(Image.open(file))
        both = {"ours": ssimulacra2(original, decoded), "vszip": by_vszip(original, decoded, program)}
        rows.append({"picture": path.stem, "jpeg_quality": quality, **{k: round(v, 3) for k, v in both.items()}})
    return rows


def by_vszip(original: np.ndarray, decoded: np.ndarray, program: Path) -> float:
    """The score that the C program prints."""
    paths = [program.parent / "original.raw", program.parent / "decoded.raw"]
    for path, pixels in zip(paths, (original, decoded), strict=True):
        path.write_bytes(np.ascontiguousarray(pixels.transpose(2, 0, 1)).tobytes())
    height, width = original.shape[:2]
    done = subprocess.run(
        [program, str(width), str(height), *paths], check=True, capture_output=True, text=True, timeout=300
    )
    return float(done.stdout)


if __name__ == "__main__":
    main()
