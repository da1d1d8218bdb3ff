"""Work on batches that neither memory nor one bad member can spoil."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TypeVar

import torch

In = TypeVar("In")
Out = TypeVar("Out")

_OUT_OF_MEMORY = (MemoryError, torch.OutOfMemoryError)


def run_isolated(work: Callable[[Sequence[In]], Sequence[Out]], batch: Sequence[In]) -> list[Out | Exception]:
    """What ``work`` makes of each member of ``batch``, or the exception that this member alone raises.

    A batch that runs out of memory is halved; one that fails otherwise is done again a member at a time, so that a
    member which fails takes no neighbour with it.

    >>> run_isolated(lambda xs: [1 / x for x in xs], [1, 0, 4])
    [1.0, ZeroDivisionError('division by zero'), 0.25]
    """
    try:
        return list(work(batch))
    except _OUT_OF_MEMORY as error:
        if len(batch) == 1:
            return [error]
        middle = len(batch) // 2
    except Exception as error:
        if len(batch) == 1:
            return [error]
        middle = 1
    _free_device_memory()
    return run_isolated(work, batch[:middle]) + run_isolated(work, batch[middle:])


def _free_device_memory() -> None:
    if torch.cuda.is_available():
        torch.cuda.empty_cache()
