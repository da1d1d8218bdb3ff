"""What became of a run, read back from the destination: rows, totals, and a table of them."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from rich import box

from archivae.pipeline.showing import Console, Table
from archivae.storage import ManifestRow, read_fragment, read_fragments
from archivae.untrusted import shown

LOSING_ROWS = 10
"""So many pictures are named of which something is lost."""
TABLE_ROWS = 40
"""A table shows so many pictures at most; the totals count all."""

_PAST = {"verify": "verified; the report is in", "embed": "embedded into", "transform": "transformed into"}


class RunJob(Protocol):
    """What a run did, where it wrote, and under which id."""

    @property
    def operation(self) -> str: ...

    @property
    def destination(self) -> str: ...

    @property
    def run(self) -> str: ...


@dataclass(frozen=True)
class Summary:
    """The rows this run wrote, sorted by name; what it ``skipped`` as done before; the seconds it took.

    ``file``: the one that all was gathered in, if there is such a file; ``destination`` is where the rows are. ``allowed``:
    how many failures were, of a run that ended early because it had more.
    """

    operation: str
    destination: str
    rows: tuple[ManifestRow, ...]
    skipped: int
    seconds: float
    file: str = ""
    allowed: int | None = None

    @property
    def done(self) -> list[ManifestRow]:
        return [row for row in self.rows if row.status == "done"]

    @property
    def failed(self) -> list[ManifestRow]:
        return [row for row in self.rows if row.status == "failed"]

    @property
    def exit_code(self) -> int:
        """0 all well, 1 something in the dead letters, 2 too much of it."""
        if self.allowed is not None:
            return 2
        return 1 if self.failed else 0


def read_summary(job: RunJob, skipped: int, seconds: float) -> Summary:
    """The rows of ``job``'s run; those of earlier runs are left out."""
    rows = _rows_of(job.destination, job.run, newest=True)
    return Summary(job.operation, job.destination, rows, skipped, seconds)


def read_run(destination: str, run: str, skipped: int) -> Summary:
    """The same for a run of which only the id is known, in any case of letters; seconds from its rows' first to last."""
    rows = _rows_of(destination, run, newest=False)
    times = [row.written for row in rows]
    operation = rows[0].operation if rows else "encode"
    return Summary(operation, destination, rows, skipped, max(times) - min(times) if times else 0.0)


def print_summary(console: Console, summary: Summary) -> None:
    """The table, and the lines below it."""
    if summary.done:
        console.print(summary_table(summary))
    for line in summary_lines(summary):
        console.print(line, markup=False, highlight=False, soft_wrap=True)


def _rows_of(destination: str, run: str, newest: bool) -> tuple[ManifestRow, ...]:
    """The run's rows by name; ``newest``: no later run wrote there, so the last fragment is this run's or it has none."""
    rows: dict[str, ManifestRow] = {}
    for uri in reversed(read_fragments(destination)):
        fragment = [row for row in read_fragment(uri) if row.run.lower() == run.lower()]
        if not fragment and (rows or newest):
            break  # fragments are named by time: what is older is another run's
        rows |= {row.source: row for row in fragment if row.source not in rows}
    return tuple(sorted(rows.values(), key=lambda row: row.name))


def past_tense(operation: str) -> str:
    """What a run did, before its destination.

    >>> past_tense("encode"), past_tense("embed"), past_tense("transform")
    ('encoded into', 'embedded into', 'transformed into')
    """
    return _PAST.get(operation, f"{operation}d into")


def summary_table(summary: Summary) -> Table:
    """A row a picture and the totals, for `rich`."""
    title = f"{past_tense(summary.operation)} {summary.file or summary.destination}"
    table = Table(title=title, title_justify="left", box=box.SIMPLE)
    table.add_column("picture", overflow="fold")
    for name in ("bytes in", "bytes out", "ratio", "bpp", "PSNR dB", _last_column(summary)):
        table.add_column(name, justify="right")
    for row in summary.done[:TABLE_ROWS]:
        table.add_row(row.name, *_figures([row]), ", ".join(filter(None, (_steps(row), row.coding))))
    if len(summary.done) > TABLE_ROWS:
        table.add_row(f"... and {len(summary.done) - TABLE_ROWS} more")
    if summary.done:
        table.add_section()
        table.add_row(f"{len(summary.done)} pictures", *_figures(summary.done), "")
    return table


def _last_column(summary: Summary) -> str:
    """What `_steps` and the coding of a row are."""
    restored = "restored by" if summary.operation == "restore" or any(row.tasks for row in summary.done) else ""
    return ", ".join(filter(None, (restored, "" if summary.operation == "restore" else "coding")))


def _steps(row: ManifestRow) -> str:
    """Such as "dejpeg 32, lowlight 1.5"."""
    return ", ".join(f"{task} {strength:.3g}" for task, strength in zip(row.tasks, row.strengths, strict=True))


def summary_lines(summary: Summary) -> list[str]:
    """What the table does not show: counts, time, failures."""
    aside = sum(row.status == "not-a-picture" for row in summary.rows)
    rate = len(summary.done) / summary.seconds if summary.seconds else math.nan
    counts = f"{len(summary.done)} done, {summary.skipped} skipped as done before"
    lines = [f"{counts}, {len(summary.failed)} failed, {aside} not pictures"]
    lines.append(f"{summary.seconds:.1f} s, {rate:.2f} pictures/s")
    losing = [row for row in summary.done if row.lost]
    lines += [f"lost of {shown(row.source)}: {shown(', '.join(row.lost))}" for row in losing[:LOSING_ROWS]]
    if len(losing) > LOSING_ROWS:
        lines.append(f"... and of {len(losing) - LOSING_ROWS:,} more; all in the manifest")
    lines += [f"failed: {shown(row.source)}: {shown(row.error)}" for row in summary.failed[:TABLE_ROWS]]
    if summary.allowed is not None:
        lines.append(
            f"ended early: more than the {summary.allowed} failures that --max-failures allows; "
            "mend their cause and run again: what is done is recorded and will be skipped"
        )
    if summary.failed:
        lines.append(f"all failures: {summary.destination}/_archivae/dead-letters-*.jsonl")
    return lines


def _figures(rows: Sequence[ManifestRow]) -> list[str]:
    """Bytes in and out, ratio, bits per pixel and PSNR of rows together (PSNR: the mean of the lossy ones)."""
    before, after = sum(row.bytes for row in rows), sum(row.archive_bytes for row in rows)
    pixels = sum(row.height * row.width for row in rows)
    archived = before if rows[0].operation == "decode" else after
    levels = [row.psnr for row in rows if row.psnr and math.isfinite(row.psnr)]
    exact = any(math.isinf(row.psnr) for row in rows)
    level = f"{sum(levels) / len(levels):.2f}" if levels else ("exact" if exact else "-")
    return [
        f"{before:,}",
        f"{after:,}",
        f"{before / after:.2f}" if after else "-",
        f"{8 * archived / pixels:.3f}",
        level,
    ]
