"""What goes on ahead of what is passed on: in order, within its depth and weight, and at the same time."""

from __future__ import annotations

import threading
from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from archivae.storage import StoredObject
from archivae.transforms import Item
from archivae.transforms import read as reading
from archivae.transforms.ahead import Ahead
from archivae.transforms.batching import BatchingFn
from tests.transforms.test_batching import item_of, run_bundle

PATIENCE = 60.0  # seconds


class Counting:
    """Work that notes how much of it there was at once."""

    def __init__(self) -> None:
        self.begun: list[int] = []
        self.lock = threading.Lock()

    def __call__(self, number: int) -> int:
        with self.lock:
            self.begun.append(number)
        return -number


@given(st.lists(st.integers(1, 60)), st.integers(0, 4))
def test_answers_come_in_order_and_no_more_than_the_limits_are_held(weights: list[int], depth: int) -> None:
    work = Counting()
    ahead = Ahead(work, depth, weight_limit=100)
    answers: list[int] = []
    for number, weight in enumerate(weights):
        answers += ahead.add(number, weight)
        held = weights[len(answers) : number + 1]
        assert len(held) <= depth and (len(held) <= 1 or sum(held) <= 100)
    answers += ahead.drain()
    ahead.close()
    assert answers == [-number for number in range(len(weights))]


class Overlapping(BatchingFn[Item]):
    """Batches of two; the first is not done before a later item is prepared and the second batch is under way."""

    step = "test"
    batch_limit = 2
    prepared_ahead = 2

    def __init__(self) -> None:
        self.later = threading.Event()
        self.together = threading.Barrier(2)

    def prepare(self, item: Item) -> tuple[int, Item, int]:
        if item.source.name == "4":
            self.later.set()
        return 0, item, 1

    def work(self, batch: Sequence[Item]) -> list[Item]:
        if batch[0].source.name in "02":
            assert self.later.wait(PATIENCE)
            self.together.wait(PATIENCE)
        return list(batch)


def test_preparing_and_two_batches_go_on_together() -> None:
    fn = Overlapping()
    items = [item_of(str(number), b"x") for number in range(6)]
    out = run_bundle(fn, items)
    fn.teardown()
    assert [item.source.name for item in out] == ["0", "1", "2", "3", "4", "5"]
    assert {item.status for item in out} == {"going"}


def test_objects_are_read_ahead(monkeypatch: pytest.MonkeyPatch) -> None:
    every = threading.Barrier(reading.OBJECTS_AHEAD)

    def read(item: Item, **_: object) -> Item:
        every.wait(PATIENCE)
        return item

    monkeypatch.setattr(reading, "read_item", read)
    fn = reading._ReadFn({"pictures_only": True})
    items = [Item(StoredObject(f"/{n}", str(n), 1, "local:1:1"), str(n)) for n in range(2 * reading.OBJECTS_AHEAD)]
    assert run_bundle(fn, items) == items  # type: ignore[arg-type]
    fn.teardown()
