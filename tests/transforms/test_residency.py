from __future__ import annotations

import threading
import uuid
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import apache_beam as beam
import numpy as np
import pytest
from apache_beam.options.pipeline_options import PipelineOptions

from archivae.errors import StorageError
from archivae.models import PhotoCodec, parse_weights
from archivae.operations.codec import put_on_device
from archivae.storage import StoredObject
from archivae.transforms import EncodeImages, Item
from archivae.transforms.residency import CodecSource
from tests.samples import MODEL, photo_file
from tests.transforms.workers import Worker

QUALITY = 60 * 256


def new_source(share: bool = False) -> CodecSource:
    return CodecSource(MODEL, "cpu", share, tag=f"test-{uuid.uuid4().hex}")


@pytest.fixture
def loads(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The tokens of all copies that this process puts on a device."""
    tokens: list[str] = []

    def put(*arguments: object) -> PhotoCodec:
        codec = put_on_device(*arguments)
        tokens.append(codec.copy)
        return codec

    monkeypatch.setattr("archivae.transforms.residency.put_on_device", put)
    monkeypatch.setattr("archivae.transforms.residency._kept", {})
    return tokens


@pytest.fixture
def start() -> Iterator[Callable[[CodecSource], Worker]]:
    workers: list[Worker] = []

    def start(source: CodecSource) -> Worker:
        workers.append(Worker(source))
        return workers[-1]

    yield start
    for worker in workers:
        worker.kill()


@pytest.mark.parametrize("share", [False, True])
def test_eight_threads_load_once(share: bool, loads: list[str]) -> None:
    source, together = new_source(share), threading.Barrier(8)

    def ask(_: int) -> str:
        together.wait(60)
        return source.codec().copy

    with ThreadPoolExecutor(8) as pool:
        copies = set(pool.map(ask, range(8)))
    assert len(loads) == 1 and copies == set(loads)


def test_a_pipeline_of_eight_threads_loads_once(loads: list[str]) -> None:
    options = PipelineOptions(["--direct_running_mode=multi_threading", "--direct_num_workers=8"])
    items = [Item(StoredObject(f"/{n}.png", f"{n}.png", 0, ""), f"{n}.png", photo_file(seed=n)) for n in range(16)]
    with beam.Pipeline("FnApiRunner", options) as pipeline:
        _ = pipeline | beam.Create(items) | beam.Reshuffle() | EncodeImages(model=MODEL, accelerator="cpu")
    assert len(loads) == 1


def test_jobs_of_one_process_share_a_copy_unless_the_weight_file_changed(loads: list[str], tmp_path: Path) -> None:
    file = tmp_path / "model.safetensors"
    file.write_bytes(Path(MODEL).read_bytes())
    first, second = (CodecSource(str(file), "cpu", tag=name).codec() for name in "ab")
    assert first is second
    other = replace(parse_weights(file.read_bytes()), name="other")
    file.write_bytes(other.to_bytes())
    assert CodecSource(str(file), "cpu").codec() is not first


def test_two_jobs_that_share_between_processes_have_a_copy_each(loads: list[str]) -> None:
    assert new_source(share=True).codec().copy != new_source(share=True).codec().copy


def test_transforms_without_a_tag_do_not_share_either() -> None:
    one, other = (EncodeImages(model=MODEL, share_model=True).expand(_Source()) for _ in range(2))
    assert one != other


class _Source:
    """Stands for a PCollection: gives the tag that the transform chose."""

    def __or__(self, step: beam.ParDo) -> str:
        return str(step.fn._source.tag)


def test_two_processes_have_two_copies(start: Callable[[CodecSource], Worker]) -> None:
    source = new_source()
    one, other = start(source), start(source)
    first, second = (worker.wait_until_ready().work(QUALITY) for worker in (one, other))
    assert first[0] != second[0]
    assert first[1] == second[1] and np.array_equal(first[2], second[2])


def test_two_processes_share_one_copy_and_survive_its_owner(start: Callable[[CodecSource], Worker]) -> None:
    source = new_source(share=True)
    owner = start(source).wait_until_ready()
    others = [start(source), start(source)]
    first = owner.work(QUALITY)
    before = [worker.wait_until_ready().work(QUALITY) for worker in others]
    assert {answer[0] for answer in before} == {first[0]}
    owner.kill()
    after = [worker.work(QUALITY) for worker in others]
    (heir,) = {answer[0] for answer in after}
    assert heir != first[0]
    for answer in (*before, *after):
        assert answer[1] == first[1] and np.array_equal(answer[2], first[2])


def test_errors_of_a_shared_codec_arrive(start: Callable[[CodecSource], Worker]) -> None:
    with pytest.raises(StorageError):
        CodecSource("/no/such/weights.safetensors", "cpu", True, f"test-{uuid.uuid4().hex}").codec()
