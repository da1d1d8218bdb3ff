"""Planning and packing shards, on the in-process runner; members are put where encode would put them."""

from __future__ import annotations

import apache_beam as beam
import pytest
from apache_beam.testing.util import assert_that, equal_to

from archivae.operations.archive_pack import pack_shard
from archivae.storage import ManifestRow, write_fragment
from archivae.storage.archive_index import ArchiveIndex
from archivae.storage.archive_layout import index_uri, shard_uri
from archivae.storage.archive_plan import Round, pending_round
from archivae.transforms import Item, Job, PackShards, PlanMembers
from tests.archives import avae, fingerprints, plan, put_members

SHARDS = [["a", "b"], ["c"], ["d"]]


@pytest.fixture
def archive(tmp_path) -> str:  # type: ignore[no-untyped-def]
    return str(tmp_path / "archive")


def job(archive: str, shards: Round) -> Job:
    return Job("encode", "/source", archive, options="{}", run="now", shards=shards)


def row(name: str, archive: str, shard: int) -> ManifestRow:
    return ManifestRow(
        source=f"/source/{name}", name=name, bytes=1000, sha256="", fingerprint="local:1000:1", height=8, width=8,
        status="done", archive=shard_uri(archive, shard), operation="encode", options="{}", run="before", written=1.0,
    )  # fmt: skip


def outline(item: Item) -> tuple[str, int | None, str, bool, bool]:
    return item.source.name, item.shard, item.status, item.kept, bool(item.found)


def test_every_member_of_a_shard_that_is_not_published_is_planned(archive: str) -> None:
    made = plan(archive, SHARDS, first=5)
    with beam.Pipeline("FnApiRunner") as pipeline:
        found = pipeline | PlanMembers(job(archive, made)) | beam.Map(outline)
        expected = [("a", 5), ("b", 5), ("c", 6), ("d", 7)]
        assert_that(found, equal_to([(name, shard, "going", False, False) for name, shard in expected]))


def test_what_a_killed_job_finished_is_not_done_again(archive: str) -> None:
    made = plan(archive, SHARDS)
    put_members(archive, 0, {"a": avae(), "b": avae()})
    write_fragment(archive, [row("a", archive, 0), row("c", archive, 1)])  # b has no row, c no file
    put_members(archive, 2, {"d": avae()})
    pack_shard(archive, 2, ["d"])
    with beam.Pipeline("FnApiRunner") as pipeline:
        found = pipeline | PlanMembers(job(archive, made)) | beam.Map(outline)
        assert_that(
            found,
            equal_to(
                [
                    ("a", 0, "skipped", True, False),
                    ("b", 0, "going", False, True),  # found: to be read, verified and given its row
                    ("c", 1, "going", False, False),
                ]
            ),
        )


def test_shards_are_packed_of_what_was_finished_now_and_before(archive: str) -> None:
    made = plan(archive, SHARDS)
    put_members(archive, 0, {"a": avae(1), "b": avae(2)})
    put_members(archive, 1, {"c": avae(3)})
    write_fragment(archive, [row("a", archive, 0)])
    with beam.Pipeline("FnApiRunner") as pipeline:
        items = pipeline | PlanMembers(job(archive, made))
        rows = pipeline | beam.Create([row("b", archive, 0), row("c", archive, 1)])
        _ = (items, rows) | PackShards(job(archive, made))
    assert pending_round(archive) is None
    assert [(found.name, found.shard) for found in ArchiveIndex(index_uri(archive)).rows()] == [
        ("a", 0), ("b", 0), ("c", 1)
    ]  # fmt: skip
    left = {name for name in fingerprints(archive) if "manifest" not in name}
    assert left == {"shard-00000.tar", "shard-00001.tar", "_archivae/index.parquet"}


def test_a_job_without_a_plan_is_refused(archive: str) -> None:
    with pytest.raises(ValueError, match="without shards"), beam.Pipeline("FnApiRunner") as pipeline:
        _ = pipeline | PlanMembers(Job("encode", "/source", archive, options="{}", run="now"))
