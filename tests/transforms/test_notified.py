"""New objects as Pub/Sub tells of them, by messages as Cloud Storage writes them."""

from __future__ import annotations

import json

import apache_beam as beam
import pytest
from apache_beam.io.gcp.pubsub import PubsubMessage
from apache_beam.options.pipeline_options import PipelineOptions
from apache_beam.testing import test_stream

from archivae import EncodeImages, WriteImages
from archivae.errors import UsageError
from archivae.pipeline.graph import build
from archivae.pipeline.options import Settings
from archivae.storage import read_manifest, stat_object
from archivae.transforms import Job, ReadObjects, TakeNotified
from archivae.transforms.notified import take_notified
from tests.end_to_end.jobs import Folder
from tests.samples import MODEL, photo_file

SUBSCRIPTION = "projects/project/subscriptions/pictures"


def told(uri: str, event: str = "OBJECT_FINALIZE") -> PubsubMessage:
    bucket, _, key = uri.removeprefix("gs://").partition("/")
    found = stat_object(uri) if "/bucket-" in uri else None
    _, generation, crc = found.fingerprint.split(":") if found else ("", "1", "AAAAAA==")
    metadata = {"kind": "storage#object", "bucket": bucket, "name": key, "size": "4096", "crc32c": crc}
    attributes = {"eventType": event, "bucketId": bucket, "objectId": key, "objectGeneration": generation}
    return PubsubMessage(json.dumps(metadata).encode(), {**attributes, "payloadFormat": "JSON_API_V1"})


def job(source: str, destination: str, operation: str = "encode") -> Job:
    return Job(operation, source, destination, "{}", "run")


@pytest.mark.parametrize(
    "message",
    [
        told("gs://b/in/a.jpg", "OBJECT_DELETE"),
        told("gs://other/in/a.jpg"),
        told("gs://b/inside/a.jpg"),
        told("gs://b/in/out/a.jpg"),
        told("gs://b/in/_archivae/a.jpg"),
        told("gs://b/in/a.jpg.avae"),
        PubsubMessage(b"{}", {"eventType": "OBJECT_FINALIZE"}),
        PubsubMessage(b"[", {"eventType": "OBJECT_FINALIZE", "bucketId": "b", "objectId": "in/a", "objectGeneration": "1"}),
        PubsubMessage(b"hello", {}),
    ],
)  # fmt: skip
def test_what_is_not_meant_is_passed_over(message: PubsubMessage, gcs_server: str) -> None:
    assert list(take_notified(message, job("gs://b/in", "gs://b/in/out"))) == []


def test_a_stream_of_messages_becomes_an_archive(gcs: str) -> None:
    source, archive = Folder(f"{gcs}/in"), Folder(f"{gcs}/out")
    source.put({"a.png": photo_file(), "sub/b.png": photo_file(seed=2), "later.png": photo_file(seed=3)})
    names = ["a.png", "sub/b.png", "a.png", "gone.png"]
    stream = test_stream.TestStream()
    for name in names:
        stream.add_elements([told(source.path(name))])
    stream.advance_processing_time(10).add_elements([told(source.path("later.png"))]).advance_watermark_to_infinity()
    with beam.Pipeline(options=PipelineOptions(["--runner=BundleBasedDirectRunner", "--streaming"])) as pipeline:
        _ = (
            pipeline
            | stream
            | TakeNotified(job(source.uri, archive.uri))
            | ReadObjects()
            | EncodeImages(model=MODEL, accelerator="cpu")
            | WriteImages(archive.uri)
        )
    assert sorted(archive.files()) == ["a.png.avae", "later.png.avae", "sub/b.png.avae"]
    status = {row.name: row.status for row in read_manifest(archive.uri).values()}
    assert status == {"a.png": "done", "sub/b.png": "done", "later.png": "done", "gone.png": "failed"}


def test_the_job_reads_the_subscription() -> None:
    words = [
        "--operation=encode",
        "--input=gs://b/in",
        "--output=gs://b/out",
        f"--notifications={SUBSCRIPTION}",
    ]
    options = PipelineOptions([*words, "--streaming"])
    pipeline = beam.Pipeline(options=options)
    build(pipeline, Settings.from_options(options), job("gs://b/in", "gs://b/out"))
    assert SUBSCRIPTION in str(pipeline.to_runner_api())


@pytest.mark.parametrize("extra", [["--archive"], ["--watch=5"], ["--overwrite"]])
def test_what_does_not_go_together_is_refused(extra: list[str]) -> None:
    words = ["--operation=encode", "--input=a", "--output=b", f"--notifications={SUBSCRIPTION}"]
    with pytest.raises(UsageError):
        Settings.from_options(PipelineOptions([*words, *extra]))
