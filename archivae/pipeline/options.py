"""What a job is told, as Beam pipeline options: the same for the command line, a plain Beam program and Dataflow."""

from __future__ import annotations

import argparse
import json
from dataclasses import dataclass
from typing import Any

from apache_beam.options.pipeline_options import PipelineOptions

from archivae.errors import UsageError
from archivae.images import DEFAULT_OPTIONS, ENDINGS, MAX_PIXELS, READ_WORDS, ReadOptions
from archivae.models import ACCELERATORS, DEFAULT_MODEL
from archivae.operations.rate import RATE_WORDS, Rate, pick_rate

OPERATIONS = ("encode", "decode")


class ArchivaeOptions(PipelineOptions):
    """``--operation``, ``--input``, ``--output`` and what belongs to each operation."""

    @classmethod
    def _add_argparse_args(cls, parser: argparse.ArgumentParser) -> None:
        parser.add_argument("--operation", choices=OPERATIONS, help="what to do with each object")
        parser.add_argument("--input", help="folder, glob, object or list of URIs")
        parser.add_argument("--output", help="destination folder")
        add_encode_arguments(parser)
        add_decode_arguments(parser)
        add_common_arguments(parser)


def add_encode_arguments(parser: Any) -> None:
    """The options of encode alone."""
    add_rate_arguments(parser)
    parser.add_argument(
        "--model", default=DEFAULT_MODEL, help="a shipped model or a .safetensors file (default: photo)"
    )
    add_read_arguments(parser)


def add_read_arguments(parser: Any) -> None:
    """How pictures are read: the fields of `ReadOptions`."""
    parser.add_argument(
        "--depth",
        choices=("8", "keep"),
        default="8",
        help="samples finer than 8 bits: reduced (default), or kept, losslessly",
    )
    parser.add_argument(
        "--frames",
        choices=("first", "all"),
        default="first",
        help="of animations and pages: the first (default), or all",
    )
    flags = {
        "strip_metadata": "drop EXIF, XMP and IPTC",
        "strip_gps": "drop where pictures were taken from EXIF and XMP",
        "tolerant": "take what can be decoded of damaged files, with a note",
        "keep_dicom_tags": "archive DICOM files with all that they say of patients",
    }
    for name, meaning in flags.items():
        parser.add_argument(f"--{name}", f"--{name.replace('_', '-')}", action="store_true", help=meaning)


def add_rate_arguments(parser: Any) -> None:
    """What to ask of each picture: one of these. `pick_rate` refuses two, in the words of every other wrong option."""
    parser.add_argument("--quality", type=float, help="0 (smallest) to 100 (default: 60, unless a target is given)")
    parser.add_argument(
        "--target_psnr",
        "--target-psnr",
        type=float,
        metavar="DB",
        help="instead of --quality: at least so many dB for each picture, at most 0.1 more",
    )
    parser.add_argument(
        "--target_ssim",
        "--target-ssim",
        type=float,
        metavar="X",
        help="instead of --quality: at least this MS-SSIM, between 0 and 1, for each picture",
    )
    parser.add_argument(
        "--target_bpp",
        "--target-bpp",
        type=float,
        metavar="B",
        help="instead of --quality: at most so many bits per pixel of each whole file, and hardly fewer",
    )
    parser.add_argument(
        "--max_bytes",
        "--max-bytes",
        type=int,
        metavar="N",
        help="instead of --quality: at most so many bytes a file, and hardly fewer",
    )
    parser.add_argument("--lossless", action="store_true", help="instead of --quality: the very pixels back")


def add_decode_arguments(parser: Any) -> None:
    """The options of decode alone."""
    parser.add_argument("--format", choices=tuple(ENDINGS), default="png", help="format to write (default: png)")
    parser.add_argument(
        "--restore_profile",
        "--restore-profile",
        action="store_true",
        help="convert colours back to the source's profile, and write it along (default: sRGB)",
    )


def add_common_arguments(parser: Any) -> None:
    """The options that every operation has."""
    parser.add_argument("--accelerator", choices=ACCELERATORS, default="auto", help="where the model runs")
    parser.add_argument(
        "--share_model",
        "--share-model",
        action="store_true",
        help="one copy of the model for all processes of a machine",
    )
    parser.add_argument(
        "--max_pixels",
        "--max-pixels",
        type=int,
        default=MAX_PIXELS,
        help="refuse larger pictures (default: 400 million)",
    )
    parser.add_argument(
        "--overwrite", action="store_true", help="redo what was done with other options, or is another source's"
    )


@dataclass(frozen=True)
class Settings:
    """The options of one run, checked."""

    operation: str
    source: str
    destination: str
    rate: Rate
    model: str
    format: str
    accelerator: str
    share_model: bool
    max_pixels: int
    overwrite: bool
    reading: ReadOptions = DEFAULT_OPTIONS
    restore_profile: bool = False

    @classmethod
    def from_options(cls, options: PipelineOptions) -> Settings:
        """UsageError where something is missing or out of range."""
        own = options.view_as(ArchivaeOptions)
        for name in ("operation", "input", "output"):
            if not getattr(own, name):
                raise UsageError(f"--{name} is missing")
        if own.max_pixels < 1:
            raise UsageError(f"--max-pixels must be at least 1, found {own.max_pixels}")
        rate = pick_rate(**{word: getattr(own, word) for word in RATE_WORDS})
        return cls(
            own.operation, own.input, own.output, rate, own.model, own.format,
            own.accelerator, own.share_model, own.max_pixels, own.overwrite,
            ReadOptions(**{word: getattr(own, word) for word in READ_WORDS}), own.restore_profile,
        )  # fmt: skip

    def canonical(self, model_id: str) -> str:
        """JSON of all that decides what is written: equal texts, equal outputs."""
        decisive: dict[str, Any] = {"operation": self.operation}
        if self.operation == "encode":
            decisive |= {"model": model_id, **self.rate.asked(), **self.reading.asked()}
        else:
            decisive |= {"format": self.format} | ({"restore_profile": True} if self.restore_profile else {})
        return json.dumps(decisive, sort_keys=True)
