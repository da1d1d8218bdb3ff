"""A progress bar for jobs on this machine, fed by the tally that the workers keep."""

from __future__ import annotations

import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from archivae.pipeline.showing import Console
from archivae.transforms.progress import read_tally

_REFRESH_SECONDS = 0.2


@contextmanager
def progress_bar(title: str) -> Iterator[str]:
    """Shows a bar on standard error while the job inside runs; yields the path that the workers shall tally in."""
    with tempfile.TemporaryDirectory(prefix="archivae-") as folder:
        path = Path(folder) / "tally"
        path.touch()
        finished = threading.Event()
        painter = threading.Thread(target=_paint, args=(title, path, finished), daemon=True)
        painter.start()
        try:
            yield str(path)
        finally:
            finished.set()
            painter.join()


def _paint(title: str, path: Path, finished: threading.Event) -> None:
    columns = (TextColumn("{task.description}", markup=False), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=Console(stderr=True), transient=False) as progress:
        task = progress.add_task(title, total=None)
        while not finished.wait(_REFRESH_SECONDS):
            _update(progress, task, path)
        _update(progress, task, path)


def _update(progress: Progress, task: int, path: Path) -> None:
    planned, done = read_tally(str(path))
    progress.update(task, total=planned or None, completed=done)  # type: ignore[arg-type]
