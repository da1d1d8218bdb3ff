"""What benchmarks/scale.py measures, each in a process of its own: prints its figures as JSON.

python -m benchmarks.scale_jobs encode SOURCE DESTINATION WORKERS
"""

from __future__ import annotations

import json
import multiprocessing
import resource
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import apache_beam as beam
from apache_beam.options.pipeline_options import PipelineOptions
from google.auth.credentials import AnonymousCredentials
from google.cloud.storage import Client

from archivae.bitstream import Coding
from archivae.images import open_picture
from archivae.operations.archive import open_archive
from archivae.operations.encode import encode_file
from archivae.operations.names import archive_name
from archivae.operations.source import Source, archive_file
from archivae.pipeline.run import run
from archivae.storage import StoredObject, join, list_source, objects, read_object, scratch_of, write_object
from archivae.storage.threads import map_in_order
from archivae.transforms import Item, Job, PlanWork, ReadObjects, WriteImages
from archivae.transforms.residency import CodecSource

QUALITY = 60.0


def encode(source: str, destination: str, workers: str) -> dict[str, Any]:
    """The job, with so many worker processes."""
    words = ["--operation=encode", f"--input={source}", f"--output={destination}", "--accelerator=cpu"]
    if int(workers) > 1:
        words += ["--direct_running_mode=multi_processing", f"--direct_num_workers={workers}"]
    summary = run(words, watch=False)
    times = [row.written for row in summary.rows]  # type: ignore[union-attr]
    # From the first row to the last: without the start of the workers, which a long job does not feel.
    return {"pictures": len(times), "seconds": summary.seconds, "seconds_of_rows": max(times) - min(times)}  # type: ignore[union-attr]


def plain(source: str, destination: str, workers: str) -> dict[str, Any]:
    """The same functions in a pool of processes: read, encode and verify, write."""
    uris = [found.uri for found in list_source(source)]
    began = time.perf_counter()
    with multiprocessing.get_context("spawn").Pool(int(workers)) as pool:
        ended = pool.starmap(_encode_one, [(uri, destination) for uri in uris], chunksize=1)
    seconds = time.perf_counter() - began
    return {"pictures": len(uris), "seconds": seconds, "seconds_of_rows": max(ended) - min(ended)}


def _encode_one(uri: str, destination: str) -> float:
    encoded = encode_file(read_object(uri), CodecSource("photo", "cpu").codec(), QUALITY)
    write_object(join(destination, archive_name(Path(uri).name)), encoded.data, scratch=scratch_of(destination))
    return time.time()


def store(source: str, destination: str, stages: str) -> dict[str, Any]:
    """All but the model: sources stored as they are, by the first so many stages; peak memory of the process."""
    job = Job("encode", source, destination, "{}", "run")
    steps: list[tuple[str, Callable[[], beam.PTransform]]] = [
        ("plan", lambda: PlanWork(job)),
        ("read", ReadObjects),
        ("work", lambda: beam.Map(_stored)),
        ("write", lambda: WriteImages(destination)),
    ]
    began = time.perf_counter()
    pipeline = beam.Pipeline(options=PipelineOptions(["--runner=FnApiRunner"]))
    made: Any = pipeline
    for name, step in steps[: int(stages)]:
        made = made | name >> step()
    pipeline.run().wait_until_finish()
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024  # Linux counts in KiB
    return {"seconds": time.perf_counter() - began, "peak_mebibytes": peak}


def fill(folder: str, destination: str) -> dict[str, Any]:
    """Copy a folder into a bucket of the storage emulator, made for it."""
    bucket, _, _ = destination.removeprefix("gs://").partition("/")
    Client(project="emulator", credentials=AnonymousCredentials()).create_bucket(bucket)

    def copy(found: StoredObject) -> str:
        return write_object(join(destination, found.name), read_object(found.uri), scratch="")

    return {"objects": sum(1 for _ in map_in_order(copy, list_source(folder)))}


def _stored(item: Item) -> Item:
    data = archive_file(Source(open_picture(item.data), item.data), Coding.ORIGINAL, payload=item.data)
    return replace(item, data=data, target=archive_name(item.target))


def get(archive: str, name: str) -> dict[str, Any]:
    """What one picture out of an archive costs in requests and bytes."""
    read, sizes = objects.store_of(archive).read_range, []

    def counted(*arguments: Any) -> bytes:
        data = read(*arguments)
        sizes.append(len(data))
        return data

    objects.store_of(archive).read_range = counted  # type: ignore[method-assign]
    found = open_archive(archive)
    picture = len(found.read(name))
    return {"picture_bytes": picture, "bytes_read": sum(sizes), "requests": len(sizes), "pictures": len(found)}


if __name__ == "__main__":
    kinds: dict[str, Callable[..., dict[str, Any]]] = {
        "encode": encode,
        "plain": plain,
        "store": store,
        "fill": fill,
        "get": get,
    }
    print(json.dumps(kinds[sys.argv[1]](*sys.argv[2:])))
