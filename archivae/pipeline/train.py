"""``archivae train``: fit a model to a collection of pictures."""

from __future__ import annotations

import argparse
import os
from dataclasses import MISSING, fields
from typing import Any

from archivae.models.training.families.settings import SETTINGS
from archivae.pipeline.training.options import (
    CodecOptions,
    CropOptions,
    FamilyOptions,
    RestorerOptions,
    TrainingOptions,
)
from archivae.untrusted import shown

_CODEC = """\
Train the photo codec on a folder, glob or bucket of pictures. The weight file that comes out is OUT/NAME.safetensors.
The same command goes on where a killed run stopped. On several GPUs: torchrun --nproc-per-node=8 -m archivae train ...
"""
_RESTORE = """\
Train a restorer on a folder, glob or bucket of good pictures, which are damaged on the fly. The weight file that comes
out is OUT/TASK.safetensors. The same command goes on where a killed run stopped.
"""
_FAMILY = """\
Train an autoencoder on small pictures of one size: a folder with a folder a class, IDX files (MNIST), or a zip of either.
The weight file that comes out is OUT/NAME.safetensors. The same command goes on where a killed run stopped.
"""
_TASKS = ("denoise", "dejpeg", "inpaint", "lowlight")  # as archivae.models.TASKS, which takes seconds to import


def add_parser(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Mount ``train`` and below it a command for each kind of model; the parsed ``run`` is the function to call."""
    train = subparsers.add_parser("train", help="fit a model to your pictures", description=__doc__)
    kinds = train.add_subparsers(dest="kind", metavar="KIND", required=True)
    codec = kinds.add_parser("codec", help="the photo codec", description=_CODEC)
    _add_codec(codec)
    codec.set_defaults(run=run)
    restore = kinds.add_parser("restore", help="denoise, dejpeg, inpaint or lowlight", description=_RESTORE)
    _add_task(restore)
    add_arguments(restore, RestorerOptions, grain=32)
    restore.set_defaults(run=run_restore)
    for family in SETTINGS:
        add_family_parser(kinds, family)


def add_arguments(parser: argparse.ArgumentParser, options: type[CropOptions], grain: int) -> None:
    """The options of every kind of training on crops; what is left out takes the default of ``options``."""
    places = _add_places(parser, several=True)
    places.add_argument(
        "--memory", type=_positive, metavar="GIB", help="pictures held in memory, per process, at most (%(default)s)"
    )
    _add_crops(_add_plan(parser), grain)
    _add_machine(parser)
    _set_defaults(parser, options)


def _add_codec(parser: argparse.ArgumentParser) -> None:
    """The options of the photo codec: those of all crops, and its own."""
    add_arguments(parser, CodecOptions, grain=64)
    schedule = parser.add_argument_group("schedule")
    schedule.add_argument(
        "--schedule",
        choices=("cosine", "plateau"),
        help="learning rates fall over the whole run, or stay until --cooldown: then more --steps go on (%(default)s)",
    )
    schedule.add_argument(
        "--cooldown", type=int, metavar="N", help="last steps, over which a plateau ends (%(default)s)"
    )
    schedule.add_argument("--large-crop", type=int, metavar="PIXELS", help="side of the crops of the last steps")
    schedule.add_argument("--large-crop-steps", type=int, metavar="N", help="how many they are; as many pixels each")
    aim = parser.add_argument_group("aim")
    aim.add_argument(
        "--tune", choices=("psnr", "ssim"), help="for squared error, or for eyes by MS-SSIM beside it (%(default)s)"
    )
    aim.add_argument("--ssim-share", type=float, metavar="X", help="of the distortion with --tune ssim (0.75)")
    aim.add_argument(
        "--damaged", type=float, metavar="X", help="share of crops made noisy, re-compressed or dark (%(default)s)"
    )
    aim.add_argument(
        "--synthesis-only",
        action="store_true",
        help="train the decoder's transform on what the encoder of --init codes",
    )
    aim.add_argument(
        "--grow",
        nargs="+",
        action=_Counts,
        metavar="NAME=N",
        help="give the model of --init more blocks: coarse_blocks=4",
    )
    aim.add_argument(
        "--compile", action="store_true", help="through torch.compile: minutes at first, then faster steps"
    )


def run(args: argparse.Namespace) -> int:
    """Train a codec as asked; the exit code. ArchivaeErrors are left to the caller."""
    options = CodecOptions(**_values(args, CodecOptions))
    _prepare_cuda()
    from archivae.pipeline.training.job import train_codec  # takes seconds to import, and --help does without it

    train_codec(options)
    return 0


def run_restore(args: argparse.Namespace) -> int:
    """Train a restorer as asked; the exit code. ArchivaeErrors are left to the caller."""
    options = RestorerOptions(**_values(args, RestorerOptions))
    _prepare_cuda()
    from archivae.pipeline.training.restore_job import train_restorer

    train_restorer(options)
    return 0


def run_family(args: argparse.Namespace) -> int:
    """Train a family as asked; the exit code. ArchivaeErrors are left to the caller."""
    names = [f.name for f in fields(SETTINGS[args.family])]
    settings = {name: getattr(args, name) for name in names if getattr(args, name) is not None}
    options = FamilyOptions(**{**_values(args, FamilyOptions), "settings": settings})
    _prepare_cuda()
    from archivae.pipeline.training.family_job import train_family

    train_family(options)
    return 0


def add_family_parser(kinds: argparse._SubParsersAction[argparse.ArgumentParser], family: str) -> None:
    """The command of one family: what all trainings have, what all families have, and its objective's own settings."""
    parser = kinds.add_parser(family, help=f"an autoencoder of the family {family}", description=_FAMILY)
    places = _add_places(parser)
    places.add_argument("--first", type=_whole, metavar="N", help="only the first N pictures")
    places.add_argument("--part", metavar="NAME", help="only what lies in folders called so: train (all)")
    plan = _add_plan(parser)
    plan.add_argument("--optimiser", choices=("adam", "sgd"), help="what takes the steps (%(default)s)")
    plan.add_argument("--rate", type=_positive, metavar="RATE", help="peak learning rate (%(default)s)")
    plan.add_argument("--max-steps", dest="steps", type=_whole, metavar="N", help="the same as --steps")
    plan.add_argument("--until-loss", type=_positive, metavar="X", help="stop early, once the loss is as low as X")
    objective = parser.add_argument_group("objective")
    for setting in fields(SETTINGS[family]):
        kind = str if isinstance(setting.default, str) else float
        meaning = f"{setting.metadata['help']} ({setting.default})"
        objective.add_argument(f"--{setting.name.replace('_', '-')}", type=kind, metavar="X", help=meaning)
    _add_machine(parser)
    _set_defaults(parser, FamilyOptions)
    parser.set_defaults(run=run_family, family=family, settings={})


def _set_defaults(parser: argparse.ArgumentParser, options: type[TrainingOptions]) -> None:
    for option in fields(options):
        if option.default is not MISSING:
            parser.set_defaults(**{option.name: option.default})
        elif option.default_factory is not MISSING:
            parser.set_defaults(**{option.name: option.default_factory()})


def _values(args: argparse.Namespace, options: type[TrainingOptions]) -> dict[str, Any]:
    return {f.name: getattr(args, f.name) for f in fields(options)}


def _prepare_cuda() -> None:
    # cuBLAS reads it once, when CUDA starts: without it, equal runs differ in their last bits.
    os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")


def _add_task(parser: argparse.ArgumentParser) -> None:
    task = parser.add_argument_group("task")
    task.add_argument("--task", choices=_TASKS, required=True, help="what damage to undo")
    task.add_argument(
        "--pairs", metavar="DIR", help="for lowlight: real pairs, DIR/low/NAME beside DIR/high/NAME, besides --data"
    )


def _add_places(parser: argparse.ArgumentParser, several: bool = False) -> argparse._ArgumentGroup:
    places = parser.add_argument_group("places")
    found = "pictures: a folder, a glob, or gs://bucket/..."
    if several:
        more = f"{found}; of several, one given twice counts twice"
        places.add_argument("--data", metavar="GLOB", nargs="+", required=True, help=more)
    else:
        places.add_argument("--data", metavar="GLOB", required=True, help=found)
    places.add_argument("--out", metavar="DIR", required=True, help="folder for checkpoints, logs and the weight file")
    places.add_argument("--name", help="name of the weight file (%(default)s; else the task or family)")
    places.add_argument(
        "--export-only", action="store_true", help="don't train: write the weight file of the last checkpoint"
    )
    return places


def _add_plan(parser: argparse.ArgumentParser) -> argparse._ArgumentGroup:
    plan = parser.add_argument_group("plan", "equal plans over equal pictures on equal machines follow the same curve")
    plan.add_argument("--steps", type=int, metavar="N", help="optimiser steps of the whole run (%(default)s)")
    plan.add_argument("--batch", type=int, metavar="N", help="pictures a step, over all processes (%(default)s)")
    plan.add_argument("--seed", type=int, metavar="N", help="of weights, pictures and noise (%(default)s)")
    plan.add_argument(
        "--architecture", nargs="+", action=_Counts, metavar="NAME=N", help="sizes unlike the shipped model's: width=32"
    )
    return plan


def _add_crops(plan: argparse._ArgumentGroup, grain: int) -> None:
    plan.add_argument("--crop", type=int, metavar="PIXELS", help=f"side of a crop, a multiple of {grain} (%(default)s)")
    plan.add_argument(
        "--muon-rate", type=_positive, metavar="RATE", help="peak learning rate of the matrices (%(default)s)"
    )
    plan.add_argument(
        "--adam-rate", type=_positive, metavar="RATE", help="peak learning rate of all else (%(default)s)"
    )
    plan.add_argument(
        "--init",
        metavar="FILE",
        help="a shipped model or weight file to train on, of a codec also a state dict; without, a fresh model",
    )


def _add_machine(parser: argparse.ArgumentParser) -> None:
    machine = parser.add_argument_group("machine")
    machine.add_argument("--device", choices=("auto", "cpu", "cuda"), help="where to compute (%(default)s)")
    machine.add_argument(
        "--precision",
        choices=("auto", "bf16", "float32"),
        help="of convolutions; auto: bf16 where it is native (%(default)s)",
    )
    machine.add_argument(
        "--checkpoint-every", type=_whole, metavar="N", help="steps from one checkpoint to the next (%(default)s)"
    )


def _positive(text: str) -> float:
    value = float(text)
    if not 0 < value < float("inf"):
        raise argparse.ArgumentTypeError(f"expected a positive number, found {text}")
    return value


def _whole(text: str) -> int:
    value = int(text)
    if value < 1:
        raise argparse.ArgumentTypeError(f"expected a whole number from 1 up, found {text}")
    return value


class _Counts(argparse.Action):
    """``NAME=N ...`` as a dictionary."""

    def __call__(
        self, parser: argparse.ArgumentParser, namespace: argparse.Namespace, values: object, *_: object
    ) -> None:
        assert isinstance(values, list)
        try:
            counts = {name: int(count) for name, count in (text.split("=") for text in values)}
        except ValueError:
            found = shown(" ".join(values))
            parser.error(f"argument {self.option_strings[0]}: expected NAME=N such as fine=128, found {found}")
        setattr(namespace, self.dest, counts)
