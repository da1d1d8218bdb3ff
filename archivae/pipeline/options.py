"""What a job is told, as Beam pipeline options: the same for the command line, a plain Beam program and Dataflow."""

from __future__ import annotations

import argparse
import json
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, get_args

from apache_beam.options.pipeline_options import PipelineOptions

from archivae.errors import UsageError
from archivae.images import ENDINGS, MAX_PIXELS, READ_WORDS, ReadOptions
from archivae.images.picture import KeptBytes
from archivae.models import ACCELERATORS, DEFAULT_MODEL, shipped_codecs
from archivae.models.restore.turns import PASSES
from archivae.operations.archive_assign import SHARD_BYTES
from archivae.operations.rate import RATE_WORDS, Rate, pick_rate
from archivae.operations.restoration import RESTORE_TASKS, Restoration
from archivae.pipeline.family_options import (
    FAMILY_OPERATIONS,
    add_generate_arguments,
    add_transform_arguments,
    add_weights_argument,
)
from archivae.pipeline.quantities import bytes_of, share_of

OPERATIONS = ("encode", "decode", "restore", "verify", *FAMILY_OPERATIONS)
RESTORATION_WORDS = ("strength", "masks", "mask_colour", "restorers", "passes")
SCOPES = ("step", "job")
ARCHIVE_HELP = "pack the files into tar shards with an index"
DEFAULT_SHARD_SIZE = f"{SHARD_BYTES >> 20}MiB"


class ArchivaeOptions(PipelineOptions):
    """``--operation``, ``--input``, ``--output`` and what belongs to each operation."""

    @classmethod
    def _add_argparse_args(cls, parser: argparse.ArgumentParser) -> None:
        parser.add_argument("--operation", choices=OPERATIONS, help="what to do with each object")
        parser.add_argument("--input", help="folder, glob, object or list of URIs; to verify: an archive")
        parser.add_argument("--output", help="destination folder; of verify: the report's")
        parser.add_argument("--policy", help="a policy file: encode what it selects, in place of the three above")
        add_encode_arguments(parser)
        add_decode_arguments(parser)
        add_verify_arguments(parser)
        add_task_argument(parser)
        add_weights_argument(parser)
        add_generate_arguments(parser)
        add_transform_arguments(parser)
        add_common_arguments(parser)
        parser.add_argument("--archive", action="store_true", help=ARCHIVE_HELP)
        add_watch_arguments(parser)
        parser.add_argument("--append", action="store_true", help="put what is new into new shards of an archive")


def add_encode_arguments(parser: Any) -> None:
    """The options of encode alone."""
    add_rate_arguments(parser)
    add_read_arguments(parser)
    add_archive_arguments(parser)
    parser.add_argument(
        "--model", default=DEFAULT_MODEL, help="a shipped model or a .safetensors file (default: photo)"
    )
    parser.add_argument("--restore", choices=RESTORE_TASKS, help="restore each picture before it is encoded")
    add_restoration_arguments(parser)


def add_task_argument(parser: Any) -> None:
    """What restore is to do; its other options are those of encode's ``--restore``."""
    parser.add_argument("--task", choices=RESTORE_TASKS, help="the damage to undo; auto measures each picture")


def add_restoration_arguments(parser: Any) -> None:
    """How to restore, whatever becomes of the picture then."""
    parser.add_argument(
        "--strength",
        type=float,
        metavar="S",
        help="of the damage, in place of the estimate: denoise: sigma, 0 to 64; dejpeg: quality of the JPEG, 10 to 100; "
        "lowlight: stops, 0 to 8",
    )
    parser.add_argument(
        "--masks",
        metavar="PATTERN",
        help="inpaint: each picture's mask, white in holes: * stands for the picture's name without its ending, as in "
        "'*_mask.png' beside it or 'masks/*.png' (default: holes are what is not opaque)",
    )
    parser.add_argument(
        "--mask_colour", "--mask-colour", metavar="RRGGBB", help="inpaint: in place of masks, the colour of holes"
    )
    parser.add_argument(
        "--restorers", metavar="FOLDER", help="your own weights, FOLDER/TASK.safetensors (default: the shipped ones)"
    )
    parser.add_argument(
        "--passes", type=int, choices=PASSES, help="mean over turned and mirrored copies: better, so many times slower"
    )


def add_watch_arguments(parser: Any) -> None:
    """How new objects are taken as they come."""
    parser.add_argument(
        "--watch", metavar="SECONDS", type=float, help="do not end: look for new and changed objects again and again"
    )
    parser.add_argument(
        "--notifications",
        metavar="SUBSCRIPTION",
        help="do not end: take the objects below the source that Pub/Sub tells of, projects/.../subscriptions/...",
    )


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
    parser.add_argument(
        "--keep_bytes_of",
        "--keep-bytes-of",
        choices=[word for word in get_args(KeptBytes) if word],
        default="",
        help="lost: archive the own bytes of each file of which something would be lost (with --lossless they always are)",
    )
    for name, meaning in flags.items():
        parser.add_argument(f"--{name}", f"--{name.replace('_', '-')}", action="store_true", help=meaning)


def add_archive_arguments(parser: Any) -> None:
    """What is to be said of an archive's shards."""
    parser.add_argument(
        "--shard_size",
        "--shard-size",
        default=DEFAULT_SHARD_SIZE,
        metavar="SIZE",
        help=f"with shards: what each shall take, about, such as 64MiB or 1GiB (default: {DEFAULT_SHARD_SIZE})",
    )


def add_decode_arguments(parser: Any) -> None:
    """The options of decode alone."""
    add_format_argument(parser)
    add_profile_argument(parser)


def add_profile_argument(parser: Any) -> None:
    """What colours decoded pictures are in."""
    parser.add_argument(
        "--restore_profile",
        "--restore-profile",
        action="store_true",
        help="convert colours back to the source's profile, and write it along (default: sRGB)",
    )


def add_verify_arguments(parser: Any) -> None:
    """The options of verify alone."""
    parser.add_argument(
        "--sample", default="1%", metavar="P%", help="decode so many pictures, at random (default: 1%%)"
    )
    parser.add_argument("--against", metavar="SRC", help="folder of the originals: compare their SHA-256, and the PSNR")


def add_format_argument(parser: Any) -> None:
    """What kind of files decode and restore write."""
    parser.add_argument("--format", choices=tuple(ENDINGS), default="png", help="format to write (default: png)")


def add_common_arguments(parser: Any) -> None:
    """The options that every operation has."""
    parser.add_argument("--accelerator", choices=ACCELERATORS, default="auto", help="where the model runs")
    parser.add_argument(
        "--accelerator_scope",
        "--accelerator-scope",
        choices=SCOPES,
        default="step",
        help="on Dataflow: a GPU for the steps that hold the model (default), or for every worker of the job",
    )
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
    accelerator_scope: str
    share_model: bool
    max_pixels: int
    overwrite: bool
    archive: bool
    append: bool
    shard_size: int
    reading: ReadOptions
    restore_profile: bool
    share: float
    against: str
    watch: float | None
    notifications: str
    restoration: Restoration | None

    @classmethod
    def from_options(cls, options: PipelineOptions) -> Settings:
        """UsageError where something is missing or out of range."""
        own = options.view_as(ArchivaeOptions)
        for name in ("operation", "input", "output"):
            if not getattr(own, name):
                raise UsageError(f"--{name} is missing")
        if own.max_pixels < 1:
            raise UsageError(f"--max-pixels must be at least 1, found {own.max_pixels}")
        archive = own.archive or own.append
        if archive and (own.operation != "encode" or own.overwrite):
            known = {"restore": "restore, which makes none", "encode": "--overwrite"}
            other = known.get(own.operation, f"{own.operation}, which knows an archive by itself")
            raise UsageError(
                f"--archive and --append do not go with {other}: leave one out, or take another destination"
            )
        if own.watch is not None and own.watch < 1:
            raise UsageError(f"--watch must be at least 1 second, found {own.watch:g}")
        if (own.watch or own.notifications) and (archive or own.overwrite):
            raise UsageError("--watch and --notifications do not go with --archive, --append or --overwrite")
        if own.watch and own.notifications:
            raise UsageError("--watch lists again and again, --notifications is told: choose one of them")
        rate = pick_rate(**{word: getattr(own, word) for word in RATE_WORDS})
        return cls(
            own.operation, own.input, own.output, rate, own.model, own.format,
            own.accelerator, own.accelerator_scope, own.share_model, own.max_pixels, own.overwrite,
            archive, own.append, bytes_of(own.shard_size, "--shard-size"),
            ReadOptions(**{word: getattr(own, word) for word in READ_WORDS}), own.restore_profile,
            share_of(own.sample, "--sample"), own.against or "",
            own.watch, own.notifications or "",
            _restoration(own),
        )  # fmt: skip

    @property
    def reached(self) -> dict[str, str]:
        """The URIs that workers read and write, by what people call them."""
        model = {} if self.model in shipped_codecs() else {"--model": self.model}
        against = {"--against": self.against} if self.against else {}
        return {"the source": self.source, "the destination": self.destination, **against, **model}

    def canonical(self, model_id: str, restorer_ids: Mapping[str, str] = MappingProxyType({})) -> str:
        """JSON of all that decides what is written: equal texts, equal outputs. ``restorer_ids``: by task."""
        decisive: dict[str, Any] = {"operation": self.operation}
        if self.operation == "encode":
            decisive |= {"model": model_id, **self.rate.asked(), **self.reading.asked()}
            decisive |= {"shard_size": self.shard_size} if self.archive else {}
        elif self.operation == "verify":
            decisive |= {"share": self.share} | ({"against": self.against} if self.against else {})
        else:
            decisive |= {"format": self.format}
        if self.operation == "decode" and self.restore_profile:
            decisive |= {"restore_profile": True}
        if self.restoration is not None:
            decisive |= {"restore": {**self.restoration.asked(), "models": dict(restorer_ids)}}
        return json.dumps(decisive, sort_keys=True)


def _restoration(own: ArchivaeOptions) -> Restoration | None:
    """What is to be restored, if anything. UsageError for words that belong to a restoration without one."""
    given = {word: getattr(own, word) for word in RESTORATION_WORDS if getattr(own, word) is not None}
    task = {"encode": own.restore, "restore": own.task}.get(own.operation)
    if own.operation == "restore" and not task:
        raise UsageError(f"--task is missing: one of {', '.join(RESTORE_TASKS)}")
    if task:
        return Restoration(task, **given)
    if given:
        raise UsageError(f"--{next(iter(given))} belongs to a restoration, found none: give --restore, or leave it out")
    return None
