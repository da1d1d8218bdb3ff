"""Shards are cut from the listing alone."""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from archivae.operations.archive_assign import assign, expected_bytes
from archivae.operations.archive_new import unarchived
from archivae.operations.rate import Lossless, MaxBytes, Quality, Rate, TargetBpp, TargetPsnr, TargetSsim
from archivae.storage import StoredObject
from archivae.storage.archive_index import IndexRow
from archivae.storage.escaping import escape_name

endings = st.sampled_from(["jpg", "JPG", "png", "webp", "tif", "", "heic"])
sources = st.lists(
    st.tuples(st.text("abc/", min_size=1, max_size=6), endings, st.integers(-1, 1 << 33)), max_size=30
).map(lambda found: [stored(f"{name}.{ending}", size) for name, ending, size in sorted(found)])
rates = st.sampled_from([Quality(60), Quality(7.3), TargetPsnr(38), Lossless(), MaxBytes(5000)])


def stored(name: str, size: int = 100) -> StoredObject:
    return StoredObject(f"/s/{name}", name, size, "")


@given(sources, st.integers(1, 1 << 34), rates)
def test_every_object_goes_into_one_shard_in_its_order(found: list[StoredObject], size: int, rate: Quality) -> None:
    shards = list(assign(found, size, rate))
    assert [member for shard in shards for member in shard] == found
    assert all(shards) and shards == list(assign(iter(found), size, rate))
    for shard in shards:
        assert len(shard) == 1 or sum(expected_bytes(member, rate) for member in shard) <= size
    for shard, following in pairwise(shards):
        assert sum(expected_bytes(member, rate) for member in [*shard, following[0]]) > size, "it would have fitted"


@given(sources, rates)
def test_there_is_one_shard_if_all_fit(found: list[StoredObject], rate: Quality) -> None:
    total = sum(expected_bytes(member, rate) for member in found)
    assert len(list(assign(found, max(1, total), rate))) == bool(found)


@given(sources, st.integers(1, 1 << 30), st.integers(0, 30))
def test_what_comes_later_in_the_listing_changes_no_shard_before(
    found: list[StoredObject], size: int, cut: int
) -> None:
    whole, part = list(assign(found, size, Quality())), list(assign(found[:cut], size, Quality()))
    assert part[:-1] == whole[: max(0, len(part) - 1)]


def test_what_is_expected_of_a_source() -> None:
    assert expected_bytes(stored("a.jpg", 3 << 20), Quality()) == (1 << 20) + 512
    assert expected_bytes(stored("a.png", 12 << 20), Quality()) == (1 << 20) + 512
    assert expected_bytes(stored("a.png", 12 << 20), Lossless()) == (12 << 20) + 512
    assert expected_bytes(stored("a.png", 12 << 20), MaxBytes(1000)) == 1024 + 512
    assert expected_bytes(stored("gone.png", -1), Quality()) == 512


@pytest.mark.parametrize("ask", [Quality, lambda n: TargetPsnr(25 + n / 6), lambda n: TargetSsim(0.9 + n / 1001)])
def test_more_that_is_asked_for_is_more_that_is_expected(ask: Callable[[float], Rate]) -> None:
    found = [expected_bytes(stored("a.jpg", 3 << 20), ask(n)) for n in range(0, 101, 10)]
    assert found == sorted(found) and 10 * found[0] < found[-1] <= (3 << 20) + 512
    assert expected_bytes(stored("a.jpg", 3 << 20), TargetBpp(0.8)) < expected_bytes(
        stored("a.jpg", 3 << 20), TargetBpp(1)
    )


@given(st.sets(st.text("abc", max_size=3)), st.sets(st.text("abc", max_size=3)))
def test_what_is_new_is_what_the_index_lacks(names: set[str], archived: set[str]) -> None:
    rows = [IndexRow(name, 0, 0, 0, 1, 1, 0, 0.0, bytes(32)) for name in sorted(archived)]
    found = [source.name for source in unarchived([stored(name) for name in sorted(names)], rows)]
    assert found == sorted(names - archived)


@given(st.sets(st.text("a\n\\", min_size=1, max_size=3)), st.sets(st.text("a\n\\", min_size=1, max_size=3)))
def test_what_is_archived_under_an_escaped_name_may_be_new_too(names: set[str], archived: set[str]) -> None:
    rows = [IndexRow(name, 0, 0, 0, 1, 1, 0, 0.0, bytes(32)) for name in sorted(map(escape_name, archived))]
    sources = [stored(name) for name in sorted(names)]
    assert {source.name for source in unarchived(sources, rows)} == names - archived

    def is_new(source: StoredObject, row: IndexRow) -> bool:
        assert row.name == escape_name(source.name)
        return source.name.endswith("a")

    changed = {name for name in names & archived if name.endswith("a")}
    assert {source.name for source in unarchived(sources, rows, is_new)} == (names - archived) | changed
