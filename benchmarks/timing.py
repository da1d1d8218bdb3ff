"""Wall time of calls, with the same number of threads for everybody."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import torch
from PIL import AvifImagePlugin


def seconds_of(action: Callable[[], object]) -> float:
    """Wall time of one call."""
    began = time.perf_counter()
    action()
    return time.perf_counter() - began


@contextmanager
def on_threads(count: int) -> Iterator[None]:
    """torch and Pillow's AVIF, encoder and decoder, use ``count`` threads inside; Pillow's WebP only ever uses one."""
    before = torch.get_num_threads(), AvifImagePlugin.DEFAULT_MAX_THREADS
    torch.set_num_threads(count)
    AvifImagePlugin.DEFAULT_MAX_THREADS = count
    try:
        yield
    finally:
        torch.set_num_threads(before[0])
        AvifImagePlugin.DEFAULT_MAX_THREADS = before[1]
