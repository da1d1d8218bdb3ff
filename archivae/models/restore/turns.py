"""One picture looked at several ways: turned and mirrored copies restored, turned back and averaged.

Geometric self-ensemble: Timofte, Rothe and Van Gool 2016, "Seven ways to improve example-based single image super
resolution" (arXiv:1511.02228).
"""

from __future__ import annotations

from collections.abc import Callable

from torch import Tensor

from archivae.errors import UsageError

PASSES = (1, 4, 8)
"""As it is; mirrored along either side and both; the same with rows and columns exchanged."""
_MIRRORED: tuple[tuple[int, ...], ...] = ((), (3,), (2,), (2, 3))


def check_passes(passes: int) -> None:
    """UsageError unless so many ways are known."""
    if passes not in PASSES:
        raise UsageError(f"expected {', '.join(map(str, PASSES[:-1]))} or {PASSES[-1]} passes, found {passes}")


def averaged(work: Callable[..., Tensor], passes: int, *pictures: Tensor) -> Tensor:
    """The mean of what ``work`` makes of so many copies of ``pictures``, each (N, C, H, W), turned back; of that shape."""
    answers = [_turned_back(work(*(_turned(p, number) for p in pictures)), number) for number in range(passes)]
    total = answers[0]
    for answer in answers[1:]:
        total = total + answer
    return total / passes


def _turned(picture: Tensor, number: int) -> Tensor:
    mirrored = picture.flip(_MIRRORED[number % 4])
    return mirrored.transpose(2, 3) if number >= 4 else mirrored


def _turned_back(picture: Tensor, number: int) -> Tensor:
    mirrored = picture.transpose(2, 3) if number >= 4 else picture
    return mirrored.flip(_MIRRORED[number % 4])
