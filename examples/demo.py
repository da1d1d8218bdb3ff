"""Encode the sample photographs into an archive, get them back, and show what that cost: ``make demo``.

Writes ``demo/archive`` (.avae files), ``demo/decoded`` (PNG) and ``demo/before_after.png``.
"""

from __future__ import annotations

import shutil
from pathlib import Path

from rich import box
from rich.console import Console
from rich.table import Table

from archivae.images import open_picture
from archivae.operations.quality import ms_ssim, psnr
from archivae.pipeline.contact_sheet import SheetRow, contact_sheet
from archivae.pipeline.run import run
from archivae.pipeline.summary import Summary
from archivae.storage import ManifestRow

ROOT = Path(__file__).resolve().parent.parent
PHOTOS, OUT = ROOT / "examples" / "photos", ROOT / "demo"
COLUMNS = ("original bytes", "archive bytes", "ratio", "bpp", "PSNR dB", "MS-SSIM")


def main() -> None:
    """Run both jobs on Beam's DirectRunner, then compare what came back with what went in."""
    shutil.rmtree(OUT, ignore_errors=True)
    archive, decoded = OUT / "archive", OUT / "decoded"
    encode = run_job("encode", PHOTOS, archive)
    decode = run_job("decode", archive, decoded)

    table = Table(box=box.SIMPLE)
    table.add_column("picture")
    for name in COLUMNS:
        table.add_column(name, justify="right")
    rows, similarities = [], []
    for row in encode.done:
        before = open_picture((PHOTOS / row.name).read_bytes()).pixels
        after = open_picture((decoded / row.name).with_suffix(".png").read_bytes()).pixels
        level, similarity = psnr(before, after), ms_ssim(before, after)
        similarities.append(similarity)
        table.add_row(row.name, *figures([row], level, similarity))
        caption = f"{row.name}  {row.bpp:.2f} bpp  {level:.1f} dB  1/{row.bytes / row.archive_bytes:.0f} of the PNG"
        rows.append(SheetRow(before, after, caption))
    mean_level = sum(row.psnr for row in encode.done) / len(encode.done)
    table.add_section()
    table.add_row("all", *figures(encode.done, mean_level, sum(similarities) / len(similarities)))
    sheet = OUT / "before_after.png"
    contact_sheet(rows).save(sheet)

    console = Console()
    console.print(table)
    for job in (encode, decode):
        rate = len(job.done) / job.seconds
        console.print(f"{job.operation}: {job.seconds:.1f} s, {rate:.1f} images/s (start-up included)", highlight=False)
    console.print(f"before and after: {sheet}", highlight=False, soft_wrap=True)


def run_job(operation: str, source: Path, destination: Path) -> Summary:
    """One job, as ``python -m archivae.pipeline`` would run it."""
    words = [f"--operation={operation}", f"--input={source}", f"--output={destination}", "--runner=DirectRunner"]
    summary = run(words)
    if not isinstance(summary, Summary) or summary.exit_code:
        raise SystemExit(f"{operation} failed: see {destination}/_archivae/dead-letters-*.jsonl")
    return summary


def figures(rows: list[ManifestRow], level: float, similarity: float) -> list[str]:
    """The table's cells for some pictures together."""
    before, after = sum(row.bytes for row in rows), sum(row.archive_bytes for row in rows)
    bpp = 8 * after / sum(row.height * row.width for row in rows)
    return [f"{before:,}", f"{after:,}", f"{before / after:.1f}", f"{bpp:.3f}", f"{level:.2f}", f"{similarity:.4f}"]


if __name__ == "__main__":
    main()
