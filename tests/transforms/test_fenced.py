"""Every step that writes asks the job's lease first, in whatever worker it runs."""

from __future__ import annotations

import json
from collections.abc import Callable

import apache_beam as beam
import pytest

from archivae.errors import LeaseLostError
from archivae.operations.archive_pack import pack_shard
from archivae.storage import ManifestRow, StoredObject, own_path, write_object
from archivae.storage.fence import LEASE, Fence
from archivae.transforms import Item, Job, PackShards, PlanMembers, RecordRows, WriteImages
from archivae.transforms.embed import WriteVectors
from tests.archives import avae, fingerprints, plan, put_members

ITEM = Item(StoredObject("/in/a", "a", 1, "local:1:1"), "a.avae", data=bytes(8))
ROW = ManifestRow(
    source="/in/a", name="a", bytes=1, sha256="", fingerprint="", height=1, width=1, status="failed", operation="verify",
    error="x: y", run="run", written=1.0,
)  # fmt: skip


def write_images(root: beam.Pipeline, fence: Fence) -> object:
    return root | beam.Create([ITEM]) | WriteImages(fence.destination, fence=fence)


def write_vectors(root: beam.Pipeline, fence: Fence) -> object:
    return root | beam.Create([ITEM]) | WriteVectors(fence.destination, fence=fence)


def record_rows(root: beam.Pipeline, fence: Fence) -> object:
    return root | beam.Create([ROW]) | RecordRows(fence.destination, run="run", step="verify", fence=fence)


def pack_shards(root: beam.Pipeline, fence: Fence) -> object:
    made = plan(fence.destination, [["a"]])
    put_members(fence.destination, 0, {"a": avae()})
    job = Job("encode", "/in", fence.destination, "{}", "run", shards=made, token=fence.token)
    return (root | PlanMembers(job), root | "No rows" >> beam.Create([])) | PackShards(job)


def publish(root: beam.Pipeline, fence: Fence) -> object:
    made = plan(fence.destination, [["a"]])
    put_members(fence.destination, 0, {"a": avae()})
    pack_shard(fence.destination, 0, ["a"])
    job = Job("encode", "/in", fence.destination, "{}", "run", shards=made, token=fence.token)
    return (root | PlanMembers(job), root | "No rows" >> beam.Create([])) | PackShards(job)


def hold(place: str, run: str) -> None:
    holder = {"run": run, "host": "h", "process": 1, "started": "1"}
    write_object(own_path(place, LEASE), json.dumps(holder).encode(), scratch=f"{place}-scratch")


@pytest.mark.parametrize("build", [write_images, write_vectors, record_rows, pack_shards, publish])
def test_every_worker_asks_the_lease(
    build: Callable[[beam.Pipeline, Fence], object], tmp_path_factory: pytest.TempPathFactory
) -> None:
    for holder in ("mine", "another's"):
        place = str(tmp_path_factory.mktemp("place"))
        hold(place, holder)
        pipeline = beam.Pipeline("FnApiRunner")
        build(pipeline, Fence(place, "mine"))
        before = fingerprints(place)
        if holder == "mine":
            pipeline.run().wait_until_finish()
            assert fingerprints(place) != before
        else:
            with pytest.raises((LeaseLostError, RuntimeError), match="another job took over"):
                pipeline.run().wait_until_finish()
            assert fingerprints(place) == before
