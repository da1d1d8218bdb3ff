"""``archivae evaluate``: models and classic codecs over any pictures, as tables, files and a plot."""

from __future__ import annotations

import argparse
import math
from collections.abc import Callable, Iterable, Sequence
from pathlib import PurePosixPath
from typing import TYPE_CHECKING

from archivae.untrusted import shown

if TYPE_CHECKING:  # torch, scipy and matplotlib take seconds to import: `archivae --help` does without them
    from archivae.evaluation import BdRate, Codec, Comparison, Curve, Measurement
    from archivae.evaluation.report import Run
    from archivae.pipeline.showing import Console
    from archivae.storage import StoredObject

DEFAULT_CODECS = "photo,jpeg,webp,avif-fast"
DEFAULT_QUALITIES = (0.0, 12.5, 25.0, 37.5, 50.0, 62.5, 75.0, 87.5, 100.0)
OUTPUT = "rate_distortion"

# As wide as the tables need, whatever a pipe or CI claims to be: nothing is cut off.
_NARROWEST = 150


def add_parser(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add ``evaluate`` to the command; its arguments go to `run`."""
    parser = subparsers.add_parser(
        "evaluate",
        help="compare models and classic codecs over a folder of pictures",
        description="Measure codecs on whole files and write tables and a rate-distortion plot.",
    )
    parser.add_argument("source", metavar="SRC", help="folder, glob, file or list of pictures; local or gs://")
    parser.add_argument("--out", metavar="DIR", required=True, help=f"where {OUTPUT}.json, .csv, .svg and .png go")
    parser.add_argument(
        "--codecs",
        default=DEFAULT_CODECS,
        help="models, by name or .safetensors path, photo@2 for effort 2; jpeg, webp, jxl; avif, avif444, both also with "
        "-psnr (tuned for that) and then -4 (speed 4), avif-fast for those at speed 6, avif-all for all (default: "
        "%(default)s)",
    )
    parser.add_argument(
        "--qualities",
        type=_qualities,
        default=DEFAULT_QUALITIES,
        metavar="Q,Q,...",
        help="0 to 100, for the models (default: every 12.5); classic codecs have fixed ones",
    )
    parser.add_argument("--reference", choices=["kodak"], help="also compare with published curves of these pictures")
    parser.add_argument(
        "--fallbacks",
        action=argparse.BooleanOptionalAction,
        default=False,
        help="measure what an archive would hold; without (the default), models code every picture",
    )
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Measure, write, print. 0 if all went well, 1 if a picture was left out.

    Raises:
        UsageError: unknown codecs, or no picture that all of them code.
        StorageError: the source cannot be listed or the results not written.
    """
    from archivae.evaluation import compare, measured_curves, parse_codecs, reference_curves, warm_up
    from archivae.pipeline.showing import Console

    console = Console()
    if console.width < _NARROWEST:
        console = Console(width=_NARROWEST)
    codecs = parse_codecs(args.codecs, args.qualities, fallbacks=args.fallbacks)
    for codec in codecs:
        warm_up(codec)
    result = _measure_all(args, codecs)
    measured = measured_curves(codecs, result.points)
    references = reference_curves(args.reference, measured)
    comparisons = compare(measured, references)
    _write(args.out, result, [*measured, *references], comparisons)
    _print_points(console, result)
    _print_bd_rates(console, comparisons)
    _print_notes(console, args, result)
    return 1 if result.skipped else 0


def _qualities(text: str) -> tuple[float, ...]:
    try:
        qualities = tuple(float(part) for part in text.split(","))
    except ValueError:
        raise argparse.ArgumentTypeError(f"expected numbers such as 0,50,100, found {text!r}") from None
    if not all(0 <= quality <= 100 for quality in qualities):
        raise argparse.ArgumentTypeError(f"expected qualities from 0 to 100, found {text!r}")
    return qualities


def _measure_all(args: argparse.Namespace, codecs: Sequence[Codec]) -> Run:
    """Every picture of the source through every codec, one at a time, under a progress bar.

    A picture that one codec fails on is left out for all: means over different pictures could not be compared.
    """
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    from archivae.errors import ArchivaeError, UsageError
    from archivae.evaluation.report import Run
    from archivae.pipeline.showing import Console
    from archivae.storage import list_source

    entries = list(list_source(args.source, exclude=args.out))
    files_each = sum(len(codec.settings) for codec in codecs)
    measurements: list[Measurement] = []
    skipped: dict[str, str] = {}
    columns = (TextColumn("{task.description}", markup=False), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True) as progress:
        task = progress.add_task("Files", total=len(entries) * files_each)
        for number, entry in enumerate(entries, start=1):
            progress.update(task, description=shown(entry.name))
            try:
                measurements += _measure(codecs, entry, lambda: progress.advance(task))
            except ArchivaeError as error:
                skipped[entry.name] = str(error)
            progress.update(task, completed=number * files_each)
    if not measurements:
        reasons = "".join(f"; {name}: {reason}" for name, reason in list(skipped.items())[:1])
        raise UsageError(f"expected a picture that every codec can code under {args.source!r}, found none{reasons}")
    return Run(args.source, args.fallbacks, tuple(measurements), skipped)


def _measure(codecs: Iterable[Codec], entry: StoredObject, on_file: Callable[[], object]) -> list[Measurement]:
    """Nothing for an object that is no picture by content and name alike."""
    from archivae.evaluation import measure_picture
    from archivae.images import is_picture, open_picture, picture_ending
    from archivae.storage import read_object

    data = read_object(entry.uri)
    if not is_picture(data) and not picture_ending(entry.name):
        return []
    return measure_picture(codecs, entry.name, open_picture(data).pixels, on_file)


def _write(out: str, result: Run, curves: Sequence[Curve], comparisons: Sequence[Comparison]) -> None:
    from archivae.evaluation.plot import draw
    from archivae.evaluation.report import to_csv, to_json
    from archivae.storage import join, write_object

    title = f"Rate-distortion, mean over {_counted(result)}"
    files = {
        "json": to_json(result, comparisons),
        "csv": to_csv(result),
        "svg": draw(curves, title, "svg"),
        "png": draw(curves, title, "png"),
    }
    for ending, data in files.items():
        write_object(join(out, f"{OUTPUT}.{ending}"), data, scratch=out)


def _print_points(console: Console, result: Run) -> None:
    from archivae.pipeline.showing import Table

    measures = ("PSNR dB", "MS-SSIM", "SSIMULACRA 2")
    table = Table("codec", "setting", "bytes", "bpp", *measures, "encode s", "decode s", "fallbacks")
    table.title = f"Means over {_counted(result)}"
    for column in table.columns[1:]:
        column.justify = "right"
    last = ""
    for point in result.points:
        if last and point.codec != last:
            table.add_section()
        table.add_row(
            point.codec if point.codec != last else "",
            f"{point.setting:g}",
            f"{point.bytes:,.0f}",
            f"{point.bpp:.4f}",
            f"{point.psnr:.2f}",
            f"{point.ms_ssim:.5f}",
            "-" if math.isnan(point.ssimulacra2) else f"{point.ssimulacra2:.2f}",
            f"{point.encode_seconds:.3f}",
            f"{point.decode_seconds:.3f}",
            "" if point.fallbacks is None else str(point.fallbacks),
        )
        last = point.codec
    console.print(table)


def _print_bd_rates(console: Console, comparisons: Sequence[Comparison]) -> None:
    """Of our models alone, where there are some: classic codecs against each other are in the JSON."""
    from archivae.evaluation import contests
    from archivae.pipeline.showing import Table

    chosen = contests([comparison for comparison in comparisons if comparison.codec.ours] or comparisons)
    columns = ("by PSNR", "over dB", "by MS-SSIM", "over dB", "by SSIMULACRA 2", "over", "encode s", "decode s")
    table = Table("codec", "against", "", *columns)
    table.title = "Bytes at equal quality (BD-rate): negative is smaller; seconds are the rival's at 0.5 bpp"
    for column in table.columns[3:]:
        column.justify = "right"
    last = ""
    for contest in chosen:
        name = contest.codec.name
        if name != last:
            table.add_section()
            table.add_row(name, "", "", *[""] * 6, *_seconds(contest.codec.seconds()))
        origin = "measured" if contest.anchors[0].measured else "published"
        rates = [*_cells(contest.by_psnr), *_cells(contest.by_ms_ssim), *_cells(contest.by_ssimulacra2)]
        table.add_row("", contest.rival, origin, *rates, *_seconds(contest.seconds))
        last = name
    if chosen:
        console.print(table)


def _cells(rate: BdRate | None) -> tuple[str, str]:
    return ("-", "-") if rate is None else (f"{rate.percent:+.1f} %", f"{rate.low:.1f} to {rate.high:.1f}")


def _seconds(both: tuple[float, float]) -> list[str]:
    return ["-" if math.isnan(seconds) else f"{seconds:.2f}" for seconds in both]


def _print_notes(console: Console, args: argparse.Namespace, result: Run) -> None:
    from archivae.evaluation.curves import KODAK_PICTURES

    for name, reason in result.skipped.items():
        console.print(f"left out {name}: {reason}", style="yellow", markup=False, highlight=False)
    if args.reference == "kodak" and {PurePosixPath(name).stem for name in result.pictures} != KODAK_PICTURES:
        console.print(
            f"The published curves are means over the 24 Kodak pictures, this run's over {_counted(result)}: "
            "don't cite one against the other.",
            style="yellow",
        )
    console.print(f"Wrote {OUTPUT}.json, .csv, .svg and .png to {args.out}", markup=False, highlight=False)


def _counted(result: Run) -> str:
    pictures = len(result.pictures)
    return f"{pictures} picture{'s' * (pictures != 1)}"
