"""The command ``archivae estimate``."""

from __future__ import annotations

import argparse
import math
from typing import Any

from rich import box

from archivae.errors import UsageError
from archivae.models import DEFAULT_MODEL
from archivae.operations.rate import RATE_WORDS, pick_rate
from archivae.pipeline.estimate.prices import Prices, read_prices
from archivae.pipeline.estimate.reckoning import Collection, Storing, Working, payback_months, storings, working
from archivae.pipeline.estimate.sample import measure
from archivae.pipeline.options import add_archive_arguments, add_effort_argument, add_rate_arguments
from archivae.pipeline.quantities import bytes_of
from archivae.pipeline.showing import Console, Table
from archivae.storage import list_source


def add_parser(commands: Any) -> None:
    """``archivae estimate SRC``."""
    parser = commands.add_parser("estimate", help="what an archive of a collection would save and cost")
    parser.add_argument("source", help="folder, glob or list of URIs; local or gs://")
    add_rate_arguments(parser)
    add_effort_argument(parser)
    parser.add_argument("--model", default=DEFAULT_MODEL)
    parser.add_argument("--accelerator", help="show this one only (default: all that the prices name)")
    parser.add_argument("--workers", type=int, default=10, help="workers at once (default: 10)")
    parser.add_argument("--sample", type=int, default=8, help="pictures to encode here (default: 8)")
    parser.add_argument("--prices", default="", help="a file of prices (default: the package's; copy it to edit it)")
    parser.add_argument("--source-class", default="standard", help="storage class of the originals")
    parser.add_argument("--archive-class", default="standard", help="storage class of the archive")
    add_archive_arguments(parser)
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """List, sample, reckon, print; the exit code."""
    if min(arguments.workers, arguments.sample) < 1:
        raise UsageError("--workers and --sample are at least 1")
    prices = read_prices(arguments.prices)
    source = _named(prices.storage, arguments.source_class, "a storage class")
    archive = _named(prices.storage, arguments.archive_class, "a storage class")
    chosen = [arguments.accelerator] if arguments.accelerator else list(prices.workers)
    workers = {name: _named(prices.workers, name, "an accelerator") for name in chosen}
    rate = pick_rate(**{word: getattr(arguments, word) for word in RATE_WORDS})
    objects = list_source(arguments.source)
    collection = measure(objects, rate, arguments.model, arguments.sample, arguments.effort)
    ways = storings(collection, source, archive, bytes_of(arguments.shard_size, "--shard-size"))
    jobs = [working(collection, name, worker, prices, arguments.workers) for name, worker in workers.items()]
    _show(collection, ways, jobs, prices)
    return 0


def _show(collection: Collection, ways: list[Storing], jobs: list[Working], prices: Prices) -> None:
    console = Console()
    console.print(f"{collection.pictures:,} pictures, {collection.pixels:,.0f} megapixels")
    console.print(f"{collection.size:,} bytes in, {collection.size_out:,} out, ratio {1 / collection.ratio:.2f}")
    kept = Table("kept as", "objects", "saves/month", "writes", "reads", "early deletion", box=box.SIMPLE)
    for way in ways:
        money = (way.saving, way.writes, way.reads, way.early_deletion)
        kept.add_row(way.way, f"{way.objects:,}", *map(_dollars, money))
    console.print(kept)
    done = Table("accelerator", "hours", "job", *(f"paid back, {way.way}" for way in ways), box=box.SIMPLE)
    for job in jobs:
        done.add_row(
            job.accelerator, _hours(job.hours), _dollars(job.cost), *(_months(payback_months(w, job)) for w in ways)
        )
    console.print(done)
    console.print(
        "The saving begins when the originals are gone. The prices, and the speeds of GPUs, are assumptions:",
        soft_wrap=True,
    )
    console.print("edit a copy of archivae/pipeline/estimate/prices.yaml and give it with --prices.", soft_wrap=True)


def _named(table: Any, name: str, what: str) -> Any:
    if name not in table:
        raise UsageError(f"expected {what} that the prices name ({', '.join(table)}), found {name!r}")
    return table[name]


def _dollars(amount: float) -> str:
    return "unknown" if math.isnan(amount) else f"$ {amount:,.2f}"


def _hours(hours: float) -> str:
    return "unknown" if math.isnan(hours) else f"{hours:,.1f}"


def _months(months: float) -> str:
    if math.isnan(months):
        return "unknown"
    return "never" if math.isinf(months) else f"{months:,.1f} months"
