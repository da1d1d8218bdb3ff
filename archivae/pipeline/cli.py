"""The command ``archivae``."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from typing import Any

from apache_beam.options.pipeline_options import PipelineOptions

from archivae.errors import ArchivaeError, BitstreamError, UsageError
from archivae.images import READ_WORDS
from archivae.models import (
    DEFAULT_MODEL,
    load_model,
    load_restorer,
    parse_family,
    shipped_families,
    shipped_models,
    shipped_restorers,
)
from archivae.operations.inspect import inspect
from archivae.operations.rate import RATE_WORDS
from archivae.pipeline import archive_commands, evaluate, similar, train
from archivae.pipeline.archiving import command as archiving
from archivae.pipeline.archiving.launch import names_policy, selected_job
from archivae.pipeline.dataflow import status
from archivae.pipeline.estimate import command as estimate
from archivae.pipeline.family_options import (
    FAMILY_OPERATIONS,
    FAMILY_WORDS,
    add_generate_arguments,
    add_transform_arguments,
    add_weights_argument,
)
from archivae.pipeline.family_run import run_family
from archivae.pipeline.options import (
    ARCHIVE_HELP,
    RESTORATION_WORDS,
    ArchivaeOptions,
    add_common_arguments,
    add_decode_arguments,
    add_encode_arguments,
    add_format_argument,
    add_restoration_arguments,
    add_task_argument,
    add_update_arguments,
    add_watch_arguments,
)
from archivae.pipeline.recorded import recorded_row
from archivae.pipeline.run import DryRun, Submitted, run
from archivae.pipeline.scheduling import command as scheduling
from archivae.pipeline.showing import Console, Table, complain, say, start_logging
from archivae.pipeline.summary import Summary, print_summary
from archivae.pipeline.watch import keep_watching
from archivae.storage import read_object
from archivae.storage.full_disk import is_disk_full
from archivae.untrusted import shown

GOOD, DEAD_LETTERS, BAD_USAGE = 0, 1, 2


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command; its exit code: 0 all well, 1 something in the dead letters or damaged, 2 bad usage or no end."""
    start_logging()
    parser = build_parser()
    arguments, beam_arguments = parser.parse_known_args(sys.argv[1:] if argv is None else list(argv))
    if arguments.command in _OPERATIONS:
        return run_and_report(_pipeline_arguments(arguments) + beam_arguments)
    if arguments.command == "verify" and (beam_arguments or arguments.report):
        return run_and_report(archive_commands.verify_words(arguments) + beam_arguments)
    is_schedule = arguments.command == "schedule" and arguments.action == "install"
    if is_schedule or archiving.takes_beam_options(arguments):
        arguments.beam = beam_arguments
        return _report_errors(arguments.run, arguments)
    if beam_arguments:
        parser.error(shown(f"unrecognized arguments: {' '.join(beam_arguments)}"))
    return _report_errors(arguments.run, arguments)


def build_parser() -> argparse.ArgumentParser:
    """All commands with their options."""
    parser = argparse.ArgumentParser("archivae", description="Image collections through a learned autoencoder.")
    commands = parser.add_subparsers(dest="command", required=True)
    encode = commands.add_parser("encode", help="pictures into .avae files", epilog=_BEAM_NOTE)
    decode = commands.add_parser("decode", help=".avae files into pictures", epilog=_BEAM_NOTE)
    restore = commands.add_parser("restore", help="noise, JPEG artefacts, holes, darkness", epilog=_BEAM_NOTE)
    add_encode_arguments(encode)
    add_decode_arguments(decode)
    encode.add_argument("--archive", action="store_true", help=ARCHIVE_HELP)
    append = commands.add_parser("append", help="new pictures into new shards of an archive", epilog=_BEAM_NOTE)
    append.set_defaults(append=True)
    add_encode_arguments(append)
    add_update_arguments(append, "--update")
    add_task_argument(restore)
    add_restoration_arguments(restore)
    add_format_argument(restore)
    similar.add_parser(commands)
    _add_family_parsers(commands)
    for command in (encode, append, decode, restore):
        command.add_argument(
            "source", help="folder, glob, object or list of URIs (.txt, .csv, .parquet); local or gs://"
        )
        command.add_argument("destination", help="folder; local or gs://")
        add_common_arguments(command)
        add_watch_arguments(command)
        command.add_argument("--dry-run", action="store_true", help="say what would be done, and do nothing")
    look = commands.add_parser("inspect", help="what is in .avae files")
    look.add_argument("files", nargs="+", metavar="FILE")
    look.add_argument("--json", action="store_true")
    look.set_defaults(run=_inspect)
    archive_commands.add_parsers(commands)
    train.add_parser(commands)
    evaluate.add_parser(commands)
    estimate.add_parser(commands)
    status.add_parser(commands)
    archiving.add_parser(commands)
    scheduling.add_parser(commands)
    commands.add_parser("models", help="the models shipped with this release").set_defaults(run=_models)
    return parser


def _add_family_parsers(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """What any autoencoder can do besides coding."""
    generate = commands.add_parser("generate", help="new pictures, textures, ways between two", epilog=_BEAM_NOTE)
    embed = commands.add_parser("embed", help="a vector a picture, in Parquet", epilog=_BEAM_NOTE)
    transform = commands.add_parser("transform", help="encode, change latents, decode", epilog=_BEAM_NOTE)
    for command in (embed, transform):
        command.add_argument("source", help="folder, glob, object or list of URIs; local or gs://")
    for command in (generate, embed, transform):
        into = "folder, or one file that ends in .parquet" if command is embed else "folder"
        command.add_argument("destination", help=f"{into}; local or gs://")
        command.add_argument(
            "--model", default=DEFAULT_MODEL, help="any autoencoder; archivae models lists the shipped"
        )
        add_weights_argument(command)
        add_common_arguments(command)
        command.add_argument("--dry-run", action="store_true", help="say what would be done, and do nothing")
    add_generate_arguments(generate)
    generate.add_argument("--label", dest="class_label", metavar="NAME", help="the same as --class_label")
    generate.add_argument("--steps", dest="between_steps", type=int, metavar="N", help="the same as --between_steps")
    add_transform_arguments(transform)
    add_format_argument(generate)
    add_format_argument(transform)


_OPERATIONS = {"encode": "encode", "append": "encode", "decode": "decode", "restore": "restore"}
_OPERATIONS |= {operation: operation for operation in FAMILY_OPERATIONS}
_PASSED_ON = {
    *RATE_WORDS, *READ_WORDS, "effort", "model", "format", "restore_profile", "accelerator", "accelerator_scope",
    "max_pixels", "share_model", "overwrite", "overwrite_foreign", "max_failures", "archive", "append", "update_changed",
    "keep_old", "shard_size", "watch", "notifications", "task", "restore", *RESTORATION_WORDS, *FAMILY_WORDS,
}  # fmt: skip
_BEAM_NOTE = "Any option of Apache Beam passes through: --runner, --direct_num_workers, --project, ..."


def run_and_report(argv: Sequence[str]) -> int:
    """Run a pipeline from plain Beam options, print what became of it, and return the exit code."""
    return _report_errors(_run_pipeline, list(argv))


def _run_pipeline(argv: list[str]) -> int:
    _refuse_unknown(argv)
    by_policy = names_policy(argv)
    words = selected_job(argv) if by_policy else argv
    if not words:
        say("nothing is old enough that is not archived; no job was begun")
        return GOOD
    options = PipelineOptions(words)
    if options.view_as(ArchivaeOptions).operation in FAMILY_OPERATIONS:
        return _report(run_family(options))
    named = False if by_policy else None
    every = options.view_as(ArchivaeOptions).watch
    if every is not None:
        return keep_watching(lambda retry_failed: _report(run(words, named=named, retry_failed=retry_failed)), every)
    return _report(run(words, named=named))


def _report(result: Summary | DryRun | Submitted) -> int:
    console = Console()
    if isinstance(result, DryRun):
        console.print(f"would work on {result.objects:,} objects, {result.size:,} bytes; nothing was done")
        return GOOD
    if isinstance(result, Submitted):
        followed = f"job {result.job_id} runs on; archivae status {result.job_id} --project ... --region ..."
        console.print(followed if result.job_id else "the template is written", soft_wrap=True)
        return GOOD
    print_summary(console, result)
    return result.exit_code


def _pipeline_arguments(arguments: argparse.Namespace) -> list[str]:
    """The same words as plain pipeline options."""
    words = [f"--operation={_OPERATIONS[arguments.command]}", f"--output={arguments.destination}"]
    words += [f"--input={arguments.source}"] if "source" in arguments else []
    given = {name: value for name, value in vars(arguments).items() if name in _PASSED_ON and value is not None}
    for name, value in given.items():
        if isinstance(value, list):
            words += [f"--{name}", *value]
        elif not isinstance(value, bool):
            words.append(f"--{name}={value}")
    words += [f"--{name}" for name, value in given.items() if value is True]
    return words + (["--dry_run=True"] if arguments.dry_run else [])


def _refuse_unknown(argv: list[str]) -> None:
    """Beam drops options it does not know with a warning; a misspelt one must not change what a job does."""
    if any(word.startswith("--template_location") for word in argv):
        return  # a Flex Template's parameters were checked against its metadata; its launcher adds words of its own
    parser = argparse.ArgumentParser(add_help=False, allow_abbrev=False)
    every: set[type[PipelineOptions]] = {ArchivaeOptions, *PipelineOptions.__subclasses__()}
    for options in every:
        options._add_argparse_args(parser)  # type: ignore[arg-type]
    _, unknown = parser.parse_known_args(argv)
    if unknown:
        raise UsageError(
            f"unknown options: {' '.join(unknown)}; see archivae --help and Apache Beam's pipeline options"
        )


def _inspect(arguments: argparse.Namespace) -> int:
    contents: dict[str, dict[str, Any]] = {}
    for file in arguments.files:
        data = read_object(file)
        try:
            content = inspect(data)
            contents[file] = content | _recorded(file, content["source_sha256"])
        except BitstreamError as error:
            complain(f"{file}: {error}")
    if arguments.json:
        say(json.dumps(contents, indent=2))
    else:
        for file, content in contents.items():
            Console().print(file, markup=False, highlight=False, soft_wrap=True)  # never folded: it is to be copied
            Console().print(_contents_table(content))
    return GOOD if len(contents) == len({*arguments.files}) else DEAD_LETTERS


def _recorded(file: str, source_sha256: str) -> dict[str, Any]:
    """What the archive's manifest says is lost and changed of its source; nothing where it lies in none."""
    try:
        row = recorded_row(file, source_sha256)
    except ArchivaeError as error:
        complain(f"{file}: no notes: {error}")
        return {}
    return {} if row is None else {"lost": [*row.lost], "changed": [*row.changed], "said": [*row.said]}


def _contents_table(content: dict[str, Any]) -> Table:
    table = Table(show_header=False)
    for name, value in content.items():
        table.add_row(name, json.dumps(value) if isinstance(value, dict | list) else str(value))
    return table


def _models(arguments: argparse.Namespace) -> int:
    table = Table("name", "id", "bytes", "")
    for name, path in shipped_models().items():
        default = "default" if name == DEFAULT_MODEL else ""
        table.add_row(name, load_model(name).model_id().hex(), f"{path.stat().st_size:,}", default)
    for name, path in shipped_families().items():
        weights = parse_family(path.read_bytes())
        table.add_row(name, weights.model_id().hex(), f"{path.stat().st_size:,}", f"{weights.family}: {weights.form}")
    for name, path in shipped_restorers().items():
        table.add_row(name, load_restorer(name).model_id().hex(), f"{path.stat().st_size:,}", "restore")
    Console().print(table)
    return GOOD


def _report_errors(work, *arguments) -> int:  # type: ignore[no-untyped-def]
    try:
        return int(work(*arguments))
    except ArchivaeError as error:
        complain(error)
        return BAD_USAGE
    except OSError as error:
        if not is_disk_full(error):
            raise
        complain(f"{error}: make room on the disk, then run again: what is done is skipped")
        return BAD_USAGE
