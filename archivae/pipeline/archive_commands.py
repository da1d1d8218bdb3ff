"""The commands that look into an archive of shards: ls, get, verify, reindex."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Iterable, Iterator
from itertools import chain
from typing import Any

from archivae.errors import ArchivaeError, DestinationError, UsageError
from archivae.images import ENDINGS
from archivae.models import ACCELERATORS
from archivae.operations.archive import Archive, open_archive
from archivae.operations.archive_reindex import reindex
from archivae.operations.archive_rewrite import finish_rewrite, remove
from archivae.operations.archive_verify import (
    Original,
    check_models,
    check_picture,
    check_shards,
    require_archive,
    sampled_places,
)
from archivae.operations.names import archive_name, assign_decoded_names, member_name, target_uri
from archivae.pipeline.options import add_profile_argument, add_verify_arguments
from archivae.pipeline.quantities import share_of
from archivae.pipeline.run import new_run
from archivae.pipeline.showing import complain, say
from archivae.storage import own_path, read_fragments, read_manifest, scratch_of, write_object
from archivae.storage.archive_index import IndexRow
from archivae.storage.archive_layout import is_archive, list_shards
from archivae.storage.escaping import unescape_name
from archivae.storage.lease import leased
from archivae.storage.names import normal
from archivae.storage.objects import create_object
from archivae.storage.threads import map_in_order
from archivae.untrusted import shown as _shown

GOOD, DAMAGED = 0, 1
_CHECKED_AT_ONCE = 16
_AVAE = "avae"
_ARCHIVE_HELP = "folder; local or gs://"


def add_parsers(commands: Any) -> None:
    """Give the command line these commands."""
    ls = commands.add_parser("ls", help="what an archive holds: name, bytes, height x width, quality")
    ls.set_defaults(run=_ls)
    get = commands.add_parser("get", help="single pictures out of an archive, without reading the rest of it")
    get.add_argument("archive", metavar="ARCHIVE", help=_ARCHIVE_HELP)
    get.add_argument("names", nargs="+", metavar="NAME", help="as ls shows it")
    get.add_argument("--output", required=True, metavar="DIR", help="folder to write to; local or gs://")
    get.add_argument(
        "--format", choices=(*ENDINGS, _AVAE), default="png", help="format to write, avae: as stored (default: png)"
    )
    add_profile_argument(get)
    get.add_argument("--overwrite", action="store_true", help="replace files that are there already, whatever they are")
    get.set_defaults(run=_get)
    verify = commands.add_parser(
        "verify",
        help="is an archive whole? exit code 1 if anything is damaged",
        epilog="Here and at once; as a pipeline where a report or an option of Beam is given: --runner, --project, ...",
    )
    add_verify_arguments(verify)
    verify.add_argument("--all", action="store_const", const="100%", dest="sample", help="decode every picture")
    verify.add_argument(
        "--report", metavar="DIR", help="folder for a row a picture (default: _archivae/verified in the archive)"
    )
    verify.set_defaults(run=_verify)
    anew = commands.add_parser("reindex", help="make an archive's index anew from its shards")
    anew.set_defaults(run=_reindex)
    rm = commands.add_parser(
        "rm",
        help="pictures out of an archive for good; an append brings back what its source still holds",
        epilog="Killed anywhere, it is run again; the next job over the archive finishes it too.",
    )
    rm.add_argument("archive", metavar="ARCHIVE", help=_ARCHIVE_HELP)
    rm.add_argument("names", nargs="+", metavar="NAME", help="of the source, as ls shows it")
    rm.set_defaults(run=_rm)
    for command in (ls, verify, anew):
        command.add_argument("archive", metavar="ARCHIVE", help=_ARCHIVE_HELP)
    for command in (get, verify):
        command.add_argument("--accelerator", choices=ACCELERATORS, default="auto", help="where the model runs")


def _ls(arguments: argparse.Namespace) -> int:
    archive = open_archive(arguments.archive)
    try:
        if sys.stdout.isatty():
            say("name", "bytes", "size", "quality")
        for row in archive.index.rows():
            say(_shown(row.name), row.length, f"{row.height}x{row.width}", f"{row.quality:g}")
        sys.stdout.flush()
    except BrokenPipeError:  # whoever reads has seen enough, as `head` does
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    return GOOD


def _get(arguments: argparse.Namespace) -> int:
    """Every picture that can be had, and whose file is not there already with other bytes; 1 if one could not."""
    archive = open_archive(arguments.archive, accelerator=arguments.accelerator)
    names = dict.fromkeys(arguments.names)
    archived = {name: row.name if (row := archive.find(name)) else name for name in names}
    targets = _targets(archived.values(), arguments.format)
    failed = 0
    for name in names:
        try:
            _get_one(archive, name, target_uri(arguments.output, targets[archived[name]]), arguments)
        except KeyError:
            failed += complain(f"{name}: the archive has no such picture; archivae ls shows what it has")
        except ArchivaeError as error:
            failed += complain(f"{name}: {error}")
    return DAMAGED if failed else GOOD


def _get_one(archive: Archive, name: str, uri: str, arguments: argparse.Namespace) -> None:
    if arguments.format == _AVAE:
        data = archive.read(name)
    else:
        data = archive.picture_file(name, arguments.format, arguments.restore_profile)
    scratch = scratch_of(arguments.output)
    if arguments.overwrite:
        write_object(uri, data, scratch=scratch)
    elif create_object(uri, [data], scratch=scratch) is None:
        raise DestinationError(f"{uri!r} is there already, and other than this: give --overwrite, or another --output")


def _targets(names: Iterable[str], format: str) -> dict[str, str]:
    """What each picture's file is called, as decode calls it, by its name in the index."""
    members = {name: member_name(name) for name in names}
    if format == _AVAE:
        return members
    decoded = assign_decoded_names([*members.values()], ENDINGS[format])  # type: ignore[index]
    return {name: decoded[member] for name, member in members.items()}


def _verify(arguments: argparse.Namespace) -> int:
    """1 for anything that is damaged or cannot be read, named on standard error; UsageError where there is no archive."""
    share = share_of(arguments.sample, "--sample")
    uri = normal(arguments.archive)
    require_archive(uri)
    damages = sum(map(complain, _damages(uri, share, arguments)))
    say(f"{damages} damages" if damages else "all good")
    return DAMAGED if damages else GOOD


def verify_words(arguments: argparse.Namespace) -> list[str]:
    """The pipeline options that do what ``archivae verify`` was asked for."""
    report = arguments.report or own_path(arguments.archive, "verified")
    words = ["--operation=verify", f"--input={arguments.archive}", f"--output={report}"]
    words += [f"--against={arguments.against}"] if arguments.against else []
    return [*words, f"--sample={arguments.sample}", f"--accelerator={arguments.accelerator}"]


def _damages(uri: str, share: float, arguments: argparse.Namespace) -> Iterator[str]:
    """What is wrong with an archive. A damaged index ends the search: nothing else can be found without it."""
    try:
        archive = open_archive(uri, accelerator=arguments.accelerator)
        originals = _originals(archive, arguments.against)
        yield from check_models(uri)
        yield from check_shards(uri, archive.index.rows())
        rows = list(_sampled(archive, share)) if share < 1 else archive.index.rows()

        def check(row: IndexRow) -> list[str]:
            return check_picture(uri, row, archive.codec, originals(row.name))

        yield from chain.from_iterable(map_in_order(check, rows, _CHECKED_AT_ONCE))
        decoded = len(archive) if isinstance(rows, Iterator) else len(rows)
        say(f"{decoded} of {len(archive)} pictures decoded, all {archive.index.shards} shards looked at")
    except ArchivaeError as error:
        yield str(error)


def _originals(archive: Archive, against: str | None) -> Any:
    """From a name to what its picture is compared with."""
    if against is None:
        return lambda name: None
    recorded = {
        row.name: (row.psnr, row.options) for row in read_manifest(archive.uri).values() if row.status == "done"
    }
    folder = normal(against)

    def original(archived: str) -> Original:
        name = unescape_name(archived)
        return Original(f"{folder}/{name}", *recorded.get(name, (None,)))

    return original


def _sampled(archive: Archive, share: float) -> Iterator[IndexRow]:
    for group, places in sampled_places(archive.index.group_sizes, share):
        rows = archive.index.read_group(group)
        yield from (rows[place] for place in places)


def _rm(arguments: argparse.Namespace) -> int:
    """1 if the archive has no picture of one of the names; the others are gone then."""
    archive = normal(arguments.archive)
    if not is_archive(archive) and not read_fragments(archive):
        raise UsageError(f"expected an archive at {archive!r}, found neither an index nor a manifest; check the name")
    for name in arguments.names:
        target_uri(archive, archive_name(name))
    with leased(archive, new_run()) as fence:
        unknown = remove(archive, arguments.names, fence)
    for name in unknown:
        complain(f"{name}: the archive has no such picture; archivae ls shows what it has")
    say(f"{len({*arguments.names}) - len(unknown)} pictures removed")
    return DAMAGED if unknown else GOOD


def _reindex(arguments: argparse.Namespace) -> int:
    archive = normal(arguments.archive)
    if not list_shards(archive):
        raise UsageError(f"expected shards (shard-00000.tar, ...) in {archive!r}, found none; check the name")
    with leased(archive, new_run()) as fence:
        found = reindex(archive, fence)
        finish_rewrite(archive, fence)
    failed = sum(map(complain, found.damage))
    say(f"{found.pictures} pictures in the index, {failed} damages left out")
    return DAMAGED if failed else GOOD
