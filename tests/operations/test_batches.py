from __future__ import annotations

from collections.abc import Sequence

import pytest
import torch

from archivae.operations.batches import run_isolated


@pytest.mark.parametrize("error", [MemoryError, torch.OutOfMemoryError])
@pytest.mark.parametrize("room", [1, 2, 3, 8])
def test_a_batch_that_is_too_large_is_halved_until_it_fits(error: type[Exception], room: int) -> None:
    sizes = []

    def double(batch: Sequence[int]) -> list[int]:
        sizes.append(len(batch))
        if len(batch) > room:
            raise error("no room")
        return [2 * n for n in batch]

    assert run_isolated(double, range(8)) == [0, 2, 4, 6, 8, 10, 12, 14]
    assert sizes[0] == 8
    assert all(size <= room or size in (8, 4, 2) for size in sizes)


def test_what_does_not_fit_alone_fails_alone() -> None:
    def only_small(batch: Sequence[int]) -> list[int]:
        if sum(batch) > 100:
            raise MemoryError("too large")
        return list(batch)

    results = run_isolated(only_small, [1, 2, 1000, 4])
    assert [results[i] for i in (0, 1, 3)] == [1, 2, 4]
    assert isinstance(results[2], MemoryError)


@pytest.mark.parametrize("bad", range(5))
def test_a_bad_member_takes_no_neighbour_with_it(bad: int) -> None:
    def careful(batch: Sequence[int]) -> list[int]:
        if bad in batch:
            raise ValueError(f"{bad} is bad")
        return [n + 10 for n in batch]

    results = run_isolated(careful, range(5))
    assert isinstance(results[bad], ValueError)
    assert [r for n, r in enumerate(results) if n != bad] == [n + 10 for n in range(5) if n != bad]


def test_members_that_fail_say_why_each() -> None:
    def fail(batch: Sequence[str]) -> list[str]:
        raise KeyError(batch[0])

    assert [repr(error) for error in run_isolated(fail, ["a", "b"])] == ["KeyError('a')", "KeyError('b')"]


def test_a_good_batch_is_worked_on_once() -> None:
    calls = []
    run_isolated(lambda batch: calls.append(list(batch)) or batch, [1, 2, 3])
    assert calls == [[1, 2, 3]]


def test_what_ends_the_process_is_not_held_back() -> None:
    def interrupted(batch: Sequence[int]) -> list[int]:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run_isolated(interrupted, [1, 2])
