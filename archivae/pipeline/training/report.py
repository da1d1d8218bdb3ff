"""How a run is going: a progress bar on a terminal, lines elsewhere, and TensorBoard."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Sequence
from datetime import timedelta
from types import TracebackType
from typing import TYPE_CHECKING, NamedTuple

import torch
from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn
from torch import Tensor

from archivae.errors import ModelError
from archivae.pipeline.showing import Console

if TYPE_CHECKING:
    from torch.utils.tensorboard import SummaryWriter

STEPS_A_REPORT = 10
SECONDS_A_LINE = 10.0
"""Lines in a log come no more often than this; a terminal and TensorBoard see every report."""


class Figure(NamedTuple):
    """A mean over the last steps: its name in TensorBoard, and how a line tells it."""

    name: str
    value: float
    text: str


Figures = Callable[[Sequence[float]], list[Figure]]
"""Means of what a training measures to what people read."""


def codec_figures(means: Sequence[float]) -> list[Figure]:
    """Loss, bits per pixel (estimated), squared error (of [0, 1]) and perhaps 1 - MS-SSIM of the photo codec."""
    loss, bpp, error, *unlike = means
    psnr = -10 * math.log10(max(error, 1e-12))
    figures = [
        Figure("loss", loss, f"loss {loss:.4f}"),
        Figure("bpp", bpp, f"{bpp:.3f} bpp"),
        Figure("psnr", psnr, f"{psnr:.2f} dB"),
    ]
    return figures + [Figure("ms_ssim", 1 - value, f"MS-SSIM {1 - value:.4f}") for value in unlike]


class Standing(NamedTuple):
    """Where a run is, means over the last steps, and how fast it is."""

    step: int
    steps: int
    figures: list[Figure]
    steps_a_second: float

    def __str__(self) -> str:
        left = timedelta(seconds=round((self.steps - self.step) / self.steps_a_second))
        figures = "  ".join(figure.text for figure in self.figures)
        return f"step {self.step}/{self.steps}  {figures}  {self.steps_a_second:.2f} steps/s  {left} left"


class Report:
    """Takes the metrics of every step and shows their means; a context manager, like the progress bar it holds."""

    def __init__(
        self,
        console: Console,
        step: int,
        steps: int,
        writer: SummaryWriter | None,
        figures: Figures = codec_figures,
    ) -> None:
        self._console = console
        self._figures = figures
        self._writer = writer
        self._steps = steps
        self._reported = step
        self._sums: Tensor | None = None
        self._began = time.monotonic()
        self._line_due = -math.inf
        columns = (TextColumn("{task.description}"), BarColumn(), TaskProgressColumn())
        self._bar = Progress(*columns, console=console, disable=not console.is_terminal)
        self._task = self._bar.add_task("training", total=steps, completed=step)

    def __enter__(self) -> Report:
        self._bar.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._bar.stop()
        if self._writer is not None:
            self._writer.close()

    def add(self, step: int, metrics: Tensor, *, show: bool) -> None:
        """``metrics`` (n,), the loss first; shown every few steps and when ``show`` says so.

        ModelError if they are no numbers any more: then nothing of the model is worth keeping.
        """
        self._sums = metrics if self._sums is None else self._sums + metrics
        if show or step % STEPS_A_REPORT == 0:
            self._show(self._standing(step, self._sums / (step - self._reported)))
            self._reported, self._sums, self._began = step, None, time.monotonic()

    def _standing(self, step: int, means: Tensor) -> Standing:
        if not torch.isfinite(means).all():
            raise ModelError(
                f"expected a finite loss, found {means[0].item()} at step {step}; begin anew in another folder with lower "
                "--muon-rate and --adam-rate"
            )
        speed = (step - self._reported) / max(time.monotonic() - self._began, 1e-9)
        return Standing(step, self._steps, self._figures(means.tolist()), speed)

    def _show(self, standing: Standing) -> None:
        self._bar.update(self._task, completed=standing.step, description=str(standing))
        if self._writer is not None:
            for figure in standing.figures:
                self._writer.add_scalar(figure.name, figure.value, standing.step)
            self._writer.add_scalar("steps_a_second", standing.steps_a_second, standing.step)
        now = time.monotonic()
        if not self._console.is_terminal and (now >= self._line_due or standing.step == self._steps):
            self._console.print(str(standing), highlight=False, soft_wrap=True)
            self._line_due = now + SECONDS_A_LINE


def open_tensorboard(folder: str, step: int, console: Console) -> SummaryWriter | None:
    """A writer into ``folder`` that hides what was logged after ``step`` before; or None, and a line that says why."""
    if "://" in folder:
        console.print("no TensorBoard logs: they need a local --out")
        return None
    try:
        from torch.utils.tensorboard import SummaryWriter
    except ImportError:
        console.print("no TensorBoard logs: pip install 'archivae[train]' for them")
        return None
    return SummaryWriter(folder, purge_step=step + 1)
