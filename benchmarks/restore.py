"""How well do restorers restore, beside classic methods, in one run on one machine?

    python -m benchmarks.restore [--tasks denoise dejpeg] [--count 8] [--models FOLDER] [--out FOLDER]

Needs ``pip install '.[benchmarks]'``. Written are OUT/restore.json, every picture measured, and OUT/TASK.png, details
before and after. PSNR is over all samples of uint8 RGB, or of their luma; means are over pictures. Pictures are damaged
with seed 0; noise is neither clipped nor rounded, as in papers. Peers are told the strength; "ArchiVAE" is blind,
"ArchiVAE, told" is not; "8 passes" is `--passes 8`.
"""

from __future__ import annotations

import argparse
import statistics
from collections.abc import Callable, Iterable, Mapping
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
from benchmarks.restore_peers import PEERS, Method, nothing
from benchmarks.restore_sheet import sheet
from benchmarks.timing import seconds_of

SETS = Path("/work/shared/data/restore")
LARGE = (4000, 6000)
INFINITE = 99.0
"""dB that an untouched clean picture counts, so that means exist."""


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
    parser.add_argument("--sets", type=Path, default=SETS, help="cbsd68/ and lowlight/eval15/ (%(default)s)")
    parser.add_argument("--kodak", type=Path, default=KODAK)
    parser.add_argument("--count", type=int, help="pictures of each set; all without")
    parser.add_argument("--models", type=Path, help="a folder of TASK.safetensors; the shipped ones without")
    parser.add_argument("--device", choices=("auto", "cpu", "cuda"), default="cpu")
    parser.add_argument("--out", type=Path, default=RESULTS / "restore")
    arguments = parser.parse_args()
    cv2.setNumThreads(torch.get_num_threads())
    console = Console()
    found: list[Result] = []
    memory: dict[str, float] = {}
    for task in arguments.tasks:
        model = str(arguments.models / f"{task}.safetensors") if arguments.models else task
        cases = cases_of(task, arguments.sets, arguments.kodak, arguments.count)
        results, rows = measure(cases, restorer_of(model, arguments.device))
        arguments.out.mkdir(parents=True, exist_ok=True)
        sheet(rows).save(arguments.out / f"{task}.png")
        memory[task] = peak_mebibytes(model, *LARGE)
        console.print(as_table(task, results, memory[task]))
        found += results
    how = {"threads": torch.get_num_threads(), "peak_mebibytes_of_24_megapixels": memory}
    write_json(arguments.out / "restore.json", {**how, "pictures": [asdict(result) for result in found]})


def restorer_of(model: str, accelerator: str) -> Restorer:
    device = pick_device(accelerator)
    return Restorer(load_restorer(model), device, fastest_dtype(device))


def measure(cases: Iterable[Case], restorer: Restorer) -> tuple[list[Result], list[Mapping[str, Pixels]]]:
    """Every case by every method; and the first picture of each setting by each, for the sheet."""
    results: list[Result] = []
    rows: dict[str, Mapping[str, Pixels]] = {}
    for case in cases:
        if not results:
            restorer.restore(case.damaged, mask=case.mask)  # warms up
        pixels: dict[str, Pixels] = {}
        for name, method in PEERS[case.task].items():
            results.append(_timed(case, name, method, pixels))
        results += _ours(case, restorer, pixels)
        shown = {name: p for name, p in pixels.items() if PEERS[case.task].get(name) is not nothing}
        rows.setdefault(case.setting, {f"{case.setting}: damaged": case.shown, **shown, "original": case.clean})
    return results, list(rows.values())


def _ours(case: Case, restorer: Restorer, pixels: dict[str, Pixels]) -> list[Result]:
    taken: list[float] = []

    def restored(strength: float | None, passes: int = 1) -> Callable[[Case], Pixels]:
        def method(case: Case) -> Pixels:
            found = restorer.restore(case.damaged, strength, case.mask, passes)
            taken.append(found.strength)
            return as_bytes(found.pixels)

        return method

    found = [
        _timed(case, "ArchiVAE", restored(None), pixels),
        _timed(case, "ArchiVAE, 8 passes", restored(None, passes=8), pixels),
    ]
    if case.strength is not None:
        found.append(_timed(case, "ArchiVAE, told", restored(case.strength), pixels))
    return [Result(**{**asdict(result), "strength": strength}) for result, strength in zip(found, taken, strict=True)]


def _timed(case: Case, name: str, method: Method, pixels: dict[str, Pixels]) -> Result:
    seconds = seconds_of(lambda: pixels.__setitem__(name, method(case)))
    restored = pixels[name]
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
    )


def _luma(pixels: Pixels) -> Pixels:
    return np.asarray(Image.fromarray(pixels).convert("L"))


def _ssim(a: Pixels, b: Pixels) -> float:
    one, other = (torch.from_numpy(p.transpose(2, 0, 1)[np.newaxis].astype(np.float32)) for p in (a, b))
    return float(ssim(one, other, data_range=255))


def as_table(task: str, results: list[Result], mebibytes: float) -> Table:
    """A row for each setting and method, means over pictures."""
    title = f"{task}, means over pictures; ours takes {mebibytes:.0f} MiB at its peak for {LARGE[1]}x{LARGE[0]}"
    table = Table("setting", "method", title=title, box=box.SIMPLE, title_justify="left")
    for column in ("PSNR", "of luma", "MS-SSIM", "SSIM", "s/megapixel", "taken for"):
        table.add_column(column, justify="right")
    for setting, method in dict.fromkeys((result.setting, result.method) for result in results):
        group = [result for result in results if (result.setting, result.method) == (setting, method)]
        strengths = [result.strength for result in group if result.strength is not None]
        table.add_row(
            setting,
            method,
            f"{statistics.mean(result.psnr for result in group):.2f}",
            f"{statistics.mean(result.luma_psnr for result in group):.2f}",
            f"{statistics.mean(result.ms_ssim for result in group):.4f}",
            f"{statistics.mean(result.ssim for result in group):.4f}",
            f"{statistics.mean(result.seconds_a_megapixel for result in group):.2f}",
            f"{statistics.mean(strengths):.1f}" if strengths else "",
        )
    return table


if __name__ == "__main__":
    main()
