"""Files that other packages ship: pictures of matplotlib and scipy, and those within pydicom's test files."""

from __future__ import annotations

import importlib.util
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pydicom
from pydicom.encaps import generate_frames

from tests.second_reader.case import Case, Truth
from tests.second_reader.tools import by_djpeg, by_opj, by_vips

_PICTURES = {"matplotlib": ("*.png", "*.jpg"), "scipy": ("*.png",), "networkx": ("*.png",), "sympy": ("*.png",)}


def shipped() -> Iterator[Case]:
    for package, patterns in _PICTURES.items():
        for pattern in patterns:
            for path in sorted(_folder(package).rglob(pattern)):
                yield Case(
                    f"{package}: {path.name}", path.read_bytes(), by_vips, within=1 if path.suffix == ".jpg" else 0
                )
    for path in sorted((_folder("pydicom") / "data" / "test_files").glob("*.dcm")):
        yield from _within(path)


def _folder(package: str) -> Path:
    spec = importlib.util.find_spec(package)
    return Path(str(spec and spec.origin)).parent


def _within(path: Path) -> Iterator[Case]:
    """The JPEGs and JPEG 2000s that a DICOM file wraps, a frame each."""
    dataset = pydicom.dcmread(path, force=True)
    syntax = getattr(dataset.file_meta, "TransferSyntaxUID", None)
    if syntax is None or not syntax.is_encapsulated or "PixelData" not in dataset:
        return
    for number, frame in enumerate(
        generate_frames(dataset.PixelData, number_of_frames=int(dataset.get("NumberOfFrames", 1)))
    ):
        truth = _other(frame)
        if truth is not None:
            yield Case(f"pydicom: frame {number} of {path.name}", frame, truth, within=1)
        if number == 2:
            return


def _other(frame: bytes) -> Truth | None:
    if frame.startswith(b"\xff\x4f\xff\x51"):
        return _signed if frame[42] & 0x80 else by_opj
    return by_djpeg if frame.startswith(b"\xff\xd8\xff") else None


def _signed(data: bytes) -> np.ndarray:
    """opj_decompress writes signed samples shifted up by half their range."""
    return (by_opj(data).astype(np.int32) - (1 << (data[42] & 0x7F))).astype(np.int16)
