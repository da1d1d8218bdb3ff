from __future__ import annotations

import pytest

from archivae.errors import StorageError
from archivae.storage import join, read_object, scratch_of, write_object
from archivae.storage.archive_layout import (
    members_folder,
    packed_uri,
    plan_uri,
    shard_number,
    shard_plan_uri,
    shard_uri,
)
from archivae.storage.archive_plan import Round, end_round, is_packed, pending_round, read_round, read_shard_plan
from archivae.storage.objects import delete_object
from tests.archives import fingerprints, listed, plan, put_members


def test_a_plan_comes_back(place: str) -> None:
    made = plan(place, [["a", "b"], ["ä/c"]], first=7)
    assert made == Round("/source", "{}", first=7, count=2, members=3) and list(made.shards) == [7, 8]
    assert pending_round(place) == read_round(place) == made
    assert read_shard_plan(place, 7) == list(listed(["a", "b"])) and read_shard_plan(place, 8) == list(listed(["ä/c"]))


def test_a_plan_that_was_not_finished_does_not_count_and_leaves_nothing(place: str) -> None:
    def killed():  # type: ignore[no-untyped-def]
        yield list(listed(["a"]))
        yield list(listed(["b"]))
        raise KeyboardInterrupt

    from archivae.storage.archive_plan import write_plan

    with pytest.raises(KeyboardInterrupt):
        write_plan(place, killed(), source="/source", options="{}", first=0)
    assert pending_round(place) is None
    assert plan(place, [["c"]]).count == 1
    with pytest.raises(StorageError):
        read_shard_plan(place, 1)


def test_a_round_that_is_done_is_cleared_away_whenever_the_clearing_was_killed(place: str) -> None:
    for kept in (plan_uri(place), shard_plan_uri(place, 0), packed_uri(place, 0)):
        made = plan(place, [["a"]])
        put_members(place, 0, {"a": b"1"})
        write_object(packed_uri(place, 0), b"index", scratch=scratch_of(place))
        assert is_packed(place, 0) and not is_packed(place, 1)
        end_round(place, made)
        assert not fingerprints(place)
        plan(place, [["a"]])
        write_object(kept, read_object(kept) if kept != packed_uri(place, 0) else b"", scratch=scratch_of(place))
        end_round(place, made)
        assert pending_round(place) is None and not fingerprints(place)


def test_a_damaged_plan_is_named(place: str) -> None:
    plan(place, [["a"]])
    for uri in (shard_plan_uri(place, 0), plan_uri(place)):
        write_object(uri, b"{}x", scratch=scratch_of(place))
    with pytest.raises(StorageError, match=r"plan\.json"):
        pending_round(place)
    with pytest.raises(StorageError, match=r"00000\.parquet"):
        read_shard_plan(place, 0)
    delete_object(plan_uri(place))
    assert pending_round(place) is None


def test_names_of_shards() -> None:
    assert shard_uri("gs://b/x", 12) == "gs://b/x/shard-00012.tar" and shard_number("gs://b/x/shard-00012.tar") == 12
    assert shard_number(shard_uri("/x", 1234567)) == 1234567
    assert [shard_number(name) for name in ("shard-1.tar", "a.tar", "shard-00001.tar.gz", "shard-00001x.tar")] == [
        None
    ] * 4
    assert join(members_folder("/x", 3), "a.avae") == "/x/_archivae/round/members/00003/a.avae"
