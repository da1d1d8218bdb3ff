"""How well do restorers restore, beside classic methods, in one run on one machine?

    python -m benchmarks.restore [--tasks denoise dejpeg] [--methods CBM3D] [--count 8] [--models FOLDER] [--out FOLDER]

Needs ``pip install '.[benchmarks]'``. Written are OUT/restore.json, every picture measured, and OUT/TASK.png, details
before and after. Figures of tasks and methods left out stay as they are. PSNR is over all samples of uint8 RGB, or of
their luma; means are over pictures. Pictures are damaged with seed 0; noise is neither clipped nor rounded, as in papers.
Peers are told the strength; "ArchiVAE" is blind, "ArchiVAE, told" is not; "8 passes" is `--passes 8`.
"""

from __future__ import annotations

import argparse
import json
import statistics
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import cv2
import numpy as np
import torch
from PIL import Image
from pytorch_msssim import ssim
from rich import box
from rich.console import Console
from rich.table import Table

from archivae.models import TASKS, Restorer, fastest_dtype, load_restorer, pick_device
from archivae.operations.quality import ms_ssim, psnr
from benchmarks.machine import RESULTS, write_json
from benchmarks.pictures import KODAK, Pixels
from benchmarks.restore_cases import Case, as_bytes, cases_of
from benchmarks.restore_memory import peak_mebibytes
from benchmarks.restore_peers import PEERS, nothing
from benchmarks.restore_sheet import sheet
from benchmarks.timing import seconds_of

SETS = Path("/work/shared/data/restore")
LARGE = (4000, 6000)
OURS, OURS_8, OURS_TOLD = "ArchiVAE", "ArchiVAE, 8 passes", "ArchiVAE, told"
SLOW = ("CBM3D",)
"""Some six minutes a megapixel."""
INFINITE = 99.0
"""dB that an untouched clean picture counts, so that means exist."""


Method = Callable[[Case], Pixels | tuple[Pixels, float]]
"""What was restored, and of blind ones the strength that they took the damage for."""


@dataclass(frozen=True)
class Result:
    """One picture, one method. ``strength`` is what a blind restorer took it for."""

    task: str
    setting: str
    picture: str
    method: str
    psnr: float
    luma_psnr: float
    ms_ssim: float
    ssim: float
    seconds_a_megapixel: float
    strength: float | None = None


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--tasks", nargs="+", choices=list(TASKS), default=list(TASKS))
    parser.add_argument("--methods", nargs="+", help="as in the table; all without, and the sheets then")
    parser.add_argument(
        "--slow-every", type=int, default=9, help=f"{SLOW[0]} gets each so-manieth picture (%(default)s)"
    )
    parser.add_argument("--sets", type=Path, default=SETS, help="cbsd68/ and lowlight/eval15/ (%(default)s)")
    parser.add_argument("--kodak", type=Path, default=KODAK)
    parser.add_argument("--count", type=int, help="pictures of each set; all without")
    parser.add_argument("--models", type=Path, help="a folder of TASK.safetensors; the shipped ones without")
    parser.add_argument("--device", choices=("auto", "cpu", "cuda"), default="cpu")
    parser.add_argument("--out", type=Path, default=RESULTS / "restore")
    arguments = parser.parse_args()
    cv2.setNumThreads(torch.get_num_threads())
    console = Console()
    written = arguments.out / "restore.json"
    before = json.loads(written.read_text()) if written.exists() else {}
    found = [Result(**row) for row in before.get("pictures", [])]
    memory: dict[str, float] = before.get("peak_mebibytes_of_24_megapixels", {})
    for task in arguments.tasks:
        model = str(arguments.models / f"{task}.safetensors") if arguments.models else task
        cases = cases_of(task, arguments.sets, arguments.kodak, arguments.count)
        results, rows = measure(cases, restorer_of(model, arguments.device), arguments.methods, arguments.slow_every)
        arguments.out.mkdir(parents=True, exist_ok=True)
        if not arguments.methods:
            sheet(rows).save(arguments.out / f"{task}.png")
            memory[task] = peak_mebibytes(model, *LARGE)
        again = {(result.task, result.method) for result in results}
        found = [result for result in found if (result.task, result.method) not in again] + results
        console.print(as_table(task, [result for result in found if result.task == task], memory.get(task)))
    how = {"threads": torch.get_num_threads(), "peak_mebibytes_of_24_megapixels": memory}
    write_json(written, {**how, "pictures": [asdict(result) for result in found]})


def restorer_of(model: str, accelerator: str) -> Restorer:
    device = pick_device(accelerator)
    return Restorer(load_restorer(model), device, fastest_dtype(device))


def measure(
    cases: Iterable[Case], restorer: Restorer, methods: Sequence[str] | None, slow_every: int
) -> tuple[list[Result], list[Mapping[str, Pixels]]]:
    """Every case by every method, or those named; and the first picture of each setting by each, for the sheet."""
    results: list[Result] = []
    rows: dict[str, Mapping[str, Pixels]] = {}
    turn: Counter[str] = Counter()
    for case in cases:
        if not results:
            restorer.restore(case.damaged, mask=case.mask)  # warms up
        pixels: dict[str, Pixels] = {}
        left_out = SLOW if turn[case.setting] % slow_every else ()
        turn[case.setting] += 1
        for name, method in {**PEERS[case.task], **_ours(case, restorer)}.items():
            if name not in left_out and (not methods or name in methods):
                results.append(_timed(case, name, method, pixels))
        shown = {name: p for name, p in pixels.items() if PEERS[case.task].get(name) is not nothing}
        rows.setdefault(case.setting, {f"{case.setting}: damaged": case.shown, **shown, "original": case.clean})
    return results, list(rows.values())


def _ours(case: Case, restorer: Restorer) -> dict[str, Method]:
    def method(strength: float | None = None, passes: int = 1) -> Method:
        def restored(case: Case) -> tuple[Pixels, float]:
            found = restorer.restore(case.damaged, strength, case.mask, passes)
            return as_bytes(found.pixels), found.strength

        return restored

    blind: dict[str, Method] = {OURS: method(), OURS_8: method(passes=8)}
    return blind if case.strength is None else {**blind, OURS_TOLD: method(case.strength)}


def _timed(case: Case, name: str, method: Method, pixels: dict[str, Pixels]) -> Result:
    given: list[Pixels | tuple[Pixels, float]] = []
    seconds = seconds_of(lambda: given.append(method(case)))
    restored, strength = given[-1] if isinstance(given[-1], tuple) else (given[-1], None)
    pixels[name] = restored
    return Result(
        task=case.task,
        setting=case.setting,
        picture=case.name,
        method=name,
        psnr=min(psnr(case.clean, restored), INFINITE),
        luma_psnr=min(psnr(_luma(case.clean), _luma(restored)), INFINITE),
        ms_ssim=ms_ssim(case.clean, restored),
        ssim=_ssim(case.clean, restored),
        seconds_a_megapixel=seconds / (case.clean.shape[0] * case.clean.shape[1] / 1e6),
        strength=strength,
    )


def _luma(pixels: Pixels) -> Pixels:
    return np.asarray(Image.fromarray(pixels).convert("L"))


def _ssim(a: Pixels, b: Pixels) -> float:
    one, other = (torch.from_numpy(p.transpose(2, 0, 1)[np.newaxis].astype(np.float32)) for p in (a, b))
    return float(ssim(one, other, data_range=255))


def as_table(task: str, results: list[Result], mebibytes: float | None) -> Table:
    """A row for each setting and method, means over its pictures; and by how much ours is better on the same ones."""
    title = f"{task}, means over pictures"
    if mebibytes is not None:
        title += f"; ours takes {mebibytes:.0f} MiB at its peak for {LARGE[1]}x{LARGE[0]}"
    table = Table("setting", "method", title=title, box=box.SIMPLE, title_justify="left")
    for column in ("pictures", "PSNR", "ours more", "of luma", "MS-SSIM", "SSIM", "s/megapixel", "taken for"):
        table.add_column(column, justify="right")
    ours = {(r.setting, r.picture): r.psnr for r in results if r.method == OURS}
    groups: dict[tuple[str, str], list[Result]] = {}
    for result in results:
        groups.setdefault((result.setting, result.method), []).append(result)
    settings = list(dict.fromkeys(setting for setting, _ in groups))
    for (setting, method), group in sorted(groups.items(), key=lambda item: settings.index(item[0][0])):
        more = [ours[setting, r.picture] - r.psnr for r in group if (setting, r.picture) in ours]
        strengths = [result.strength for result in group if result.strength is not None]
        table.add_row(
            setting,
            method,
            str(len(group)),
            f"{statistics.mean(result.psnr for result in group):.2f}",
            f"{statistics.mean(more):+.2f}" if more and method != OURS else "",
            f"{statistics.mean(result.luma_psnr for result in group):.2f}",
            f"{statistics.mean(result.ms_ssim for result in group):.4f}",
            f"{statistics.mean(result.ssim for result in group):.4f}",
            f"{statistics.mean(result.seconds_a_megapixel for result in group):.2f}",
            f"{statistics.mean(strengths):.1f}" if strengths else "",
        )
    return table


if __name__ == "__main__":
    main()
