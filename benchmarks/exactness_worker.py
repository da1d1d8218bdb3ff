"""One process of benchmarks/exactness.py: encodes, or decodes, everything in one configuration.

    python -m benchmarks.exactness_worker encode|decode CONFIGURATION FOLDER

What is to be done stands in `FOLDER/plan.json`; what was done, in `FOLDER/encoded` and `FOLDER/decoded`.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import time
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch

from archivae.bitstream import read_bitstream
from archivae.errors import CorruptBitstreamError
from archivae.models import PhotoCodec, load_model
from benchmarks.configurations import Configuration, parse
from benchmarks.pictures import Pixels, read_pixels
from benchmarks.unverified import encode_unverified

Job = tuple[str, float]
"""A picture's path and our quality."""


@dataclass(frozen=True)
class Plan:
    """``shared`` is encoded in every configuration, ``deep`` in the reference alone; both decoded in every one."""

    model: str
    reference: str
    shared: tuple[Job, ...]
    deep: tuple[Job, ...]

    def jobs(self, configuration: Configuration) -> list[Job]:
        """What ``configuration`` encodes."""
        return list(dict.fromkeys(self.shared + (self.deep if configuration.name == self.reference else ())))

    def write(self, folder: Path) -> None:
        (folder / "plan.json").write_text(json.dumps(asdict(self)))


def read_plan(folder: Path) -> Plan:
    stored = json.loads((folder / "plan.json").read_text())
    shared, deep = (tuple((path, quality) for path, quality in stored[part]) for part in ("shared", "deep"))
    return Plan(stored["model"], stored["reference"], shared, deep)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("direction", choices=("encode", "decode"))
    parser.add_argument("configuration", type=parse)
    parser.add_argument("folder", type=Path)
    arguments = parser.parse_args()
    configuration, folder = arguments.configuration, arguments.folder
    plan = read_plan(folder)
    configuration.apply()
    codec = PhotoCodec(load_model(plan.model), torch.device(configuration.device), configuration.dtype)
    began = time.perf_counter()
    files: Mapping[str, Any] = (
        encode_all(codec, plan.jobs(configuration), folder)
        if arguments.direction == "encode"
        else decode_all(codec, folder, configuration.name == plan.reference)
    )
    done = {"seconds": time.perf_counter() - began, "files": files}
    # Whole or not at all: a file that is there says that the work is done.
    target = folder / f"{arguments.direction}d" / f"{configuration.name}.json"
    target.with_suffix(".part").write_text(json.dumps(done, indent=1))
    target.with_suffix(".part").replace(target)


def encode_all(codec: PhotoCodec, jobs: list[Job], folder: Path) -> dict[str, str]:
    """Write each file under the name of its SHA-256, and say which picture at which quality it holds."""
    written = {}
    for path, quality in jobs:
        data = encode_unverified(codec, read_pixels(Path(path)), quality)
        name = hashlib.sha256(data).hexdigest()
        (folder / "files" / f"{name}.avae").write_bytes(data)
        written[f"{Path(path).stem} at quality {quality:g}"] = name
    return written


def decode_all(codec: PhotoCodec, folder: Path, is_reference: bool) -> dict[str, dict[str, Any]]:
    """Of each file the checksum of what was restored, and how many levels its pixels are from the reference's."""
    found: dict[str, dict[str, Any]] = {}
    for path in sorted((folder / "files").glob("*.avae")):
        try:
            restored, pixels = decode(codec, path.read_bytes())
        except CorruptBitstreamError as error:
            found[path.stem] = {"problem": str(error)}
            continue
        beside = folder / "reference" / f"{path.stem}.npy"
        if is_reference:
            np.save(beside, pixels)
        # A file that the reference cannot decode has nothing beside it, and is a mismatch already.
        expected = np.load(beside) if beside.exists() else pixels
        levels = np.abs(pixels.astype(np.int16) - expected)
        found[path.stem] = {"restored": restored, "levels": int(levels.max())}
    return found


def decode(codec: PhotoCodec, data: bytes) -> tuple[str, Pixels]:
    """The SHA-256 of the restored latents, and the pixels."""
    stream = read_bitstream(data)
    size = stream.height, stream.width, stream.quality, stream.tile_side
    restored = codec.restore_latents([stream.tiles], *size).cpu().numpy()
    (pixels,) = codec.decode([stream.tiles], *size)
    return hashlib.sha256(restored.astype("<i4").tobytes()).hexdigest(), pixels


if __name__ == "__main__":
    main()
