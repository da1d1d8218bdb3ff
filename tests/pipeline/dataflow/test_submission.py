"""What ``--accelerator`` settles, and what is refused before anything is sent."""

from __future__ import annotations

import pytest
from apache_beam.options.pipeline_options import (
    DebugOptions,
    GoogleCloudOptions,
    PipelineOptions,
    SetupOptions,
    WorkerOptions,
)

from archivae.errors import UsageError
from archivae.models import ACCELERATORS
from archivae.pipeline.dataflow.gpus import GPUS
from archivae.pipeline.dataflow.submission import prepare
from archivae.pipeline.options import Settings

IMAGE = "--sdk_container_image=us-docker.pkg.dev/p/r/archivae:1"
PLAIN = ["--operation=encode", "--input=gs://in/**", "--output=gs://arc", "--runner=DataflowRunner"]
CLOUD = ["--project=my-project", "--region=us-central1", "--temp_location=gs://tmp/t"]


def prepared(*words: str, without: str = "") -> tuple[PipelineOptions, str]:
    """The options as settled, and the hint."""
    given = [word for word in (*PLAIN, *CLOUD, IMAGE) if not (without and word.startswith(without))]
    options = PipelineOptions([*given, *words])
    return options, prepare(options, Settings.from_options(options), "20261121T000000Z-ab").hint


def test_every_name_is_local_or_known() -> None:
    assert {*ACCELERATORS} == {"auto", "cpu", "cuda", *GPUS}


@pytest.mark.parametrize(
    ("name", "machine"),
    [
        ("nvidia-tesla-t4", "n1-standard-8"),
        ("nvidia-l4", "g2-standard-8"),
        ("nvidia-tesla-a100", "a2-highgpu-1g"),
        ("nvidia-a100-80gb", "a2-ultragpu-1g"),
        ("nvidia-h100-80gb", "a3-highgpu-1g"),
    ],
)
def test_a_gpu_for_the_step_or_for_the_job_but_never_both(name: str, machine: str) -> None:
    options, hint = prepared(f"--accelerator={name}")
    assert hint == f"type:{name};count:1;machine_type:{machine};install-nvidia-driver"
    assert options.view_as(WorkerOptions).machine_type is None  # the steps without a model need no such machine
    assert not options.view_as(GoogleCloudOptions).dataflow_service_options
    options, hint = prepared(f"--accelerator={name}", "--accelerator-scope=job")
    assert not hint
    assert options.view_as(WorkerOptions).machine_type == machine
    assert options.view_as(GoogleCloudOptions).dataflow_service_options == [
        f"worker_accelerator=type:{name};count:1;install-nvidia-driver"
    ]


def test_what_a_gpu_job_settles() -> None:
    options, _ = prepared("--accelerator=nvidia-l4")
    worker = options.view_as(WorkerOptions)
    assert (worker.disk_size_gb, worker.autoscaling_algorithm, worker.max_num_workers) == (50, "THROUGHPUT_BASED", 10)
    assert options.view_as(DebugOptions).experiments == ["no_use_multiple_sdk_containers"]
    assert options.view_as(SetupOptions).sdk_location == "container"
    assert options.view_as(GoogleCloudOptions).labels == ["archivae-run=20261121t000000z-ab"]
    assert options.view_as(GoogleCloudOptions).job_name == "archivae-encode-20261121t000000z-ab"


def test_on_cpus_every_core_has_its_process() -> None:
    options, hint = prepared("--accelerator=cpu")
    assert not hint and not options.view_as(DebugOptions).experiments
    assert options.view_as(WorkerOptions).machine_type == "n2-standard-8"
    assert not options.view_as(GoogleCloudOptions).dataflow_service_options


def test_all_of_it_can_be_overridden() -> None:
    options, hint = prepared(
        "--accelerator=nvidia-l4", "--worker_machine_type=g2-standard-16", "--disk_size_gb=200", "--max_num_workers=3",
        "--experiments=a,b", "--job_name=mine", "--labels=team=x", "--dataflow_service_options=x=y",
    )  # fmt: skip
    worker, cloud = options.view_as(WorkerOptions), options.view_as(GoogleCloudOptions)
    assert "machine_type:g2-standard-16;" in hint
    assert (worker.disk_size_gb, worker.max_num_workers, cloud.job_name) == (200, 3, "mine")
    assert options.view_as(DebugOptions).experiments == ["a", "b", "no_use_multiple_sdk_containers"]
    assert cloud.labels is not None and cloud.labels[0] == "team=x" and cloud.dataflow_service_options == ["x=y"]
    options, _ = prepared("--accelerator=cpu", "--autoscaling_algorithm=NONE", "--num_workers=4")
    assert options.view_as(WorkerOptions).max_num_workers is None


def test_prime_chooses_its_machines() -> None:
    options, hint = prepared("--accelerator=nvidia-l4", "--dataflow_service_options=enable_prime")
    assert hint == "type:nvidia-l4;count:1;install-nvidia-driver"
    assert options.view_as(WorkerOptions).machine_type is None


@pytest.mark.parametrize(
    ("words", "reason"),
    [
        (["--accelerator=auto"], "must be named"),
        (["--accelerator=cuda"], "must be named"),
        (["--accelerator=nvidia-l4", "--flexrs_goal=COST_OPTIMIZED"], "FlexRS has no GPUs"),
        (["--accelerator=nvidia-l4", "--accelerator-scope=job", "--flexrs_goal=COST_OPTIMIZED"], "FlexRS has no GPUs"),
        (["--accelerator=nvidia-l4", "--streaming"], "--accelerator-scope job"),
        (["--accelerator=nvidia-l4", "--worker_machine_type=n1-standard-8"], "use g2-standard-8"),
        (["--accelerator=nvidia-l4", "--worker_machine_type=g2-standard-24"], "exactly one nvidia-l4"),
        (["--accelerator=nvidia-tesla-t4", "--worker_machine_type=g2-standard-8"], "use n1-standard-8"),
        (["--accelerator=nvidia-l4", "--dataflow_service_options=worker_accelerator=type:nvidia-l4;count:1"], "twice"),
        (["--accelerator=cpu", "--dataflow_service_options=worker_accelerator=type:nvidia-l4;count:1"], "twice"),
        (["--accelerator=nvidia-l4", "--resource_hint=accelerator=type:nvidia-l4;count:1"], "twice"),
        (["--accelerator=nvidia-l4", "--experiments=use_multiple_sdk_containers"], "a model of its own"),
        (
            ["--accelerator=nvidia-l4", "--accelerator-scope=job", "--dataflow_service_options=enable_prime"],
            "scope step",
        ),
        (["--accelerator=cpu", "--input=photos"], "the source 'photos' is not gs://"),
        (["--accelerator=cpu", "--output=archive"], "the destination 'archive' is not gs://"),
        (["--accelerator=cpu", "--operation=verify", "--against=photos"], "--against 'photos' is not gs://"),
        (["--accelerator=cpu", "--model=run/photo.safetensors"], "copy it to gs://"),
    ],
)
def test_what_cannot_work_is_refused_with_the_reason(words: list[str], reason: str) -> None:
    with pytest.raises(UsageError, match=reason):
        prepared(*words)


@pytest.mark.parametrize("word", ["--project", "--region", "--temp_location", "--sdk_container_image"])
def test_what_is_missing_is_named(word: str) -> None:
    with pytest.raises(UsageError, match=word):
        prepared("--accelerator=cpu", without=word)


def test_streaming_and_a_gpu_on_every_worker_go_together() -> None:
    _, hint = prepared("--accelerator=nvidia-l4", "--streaming", "--accelerator-scope=job")
    assert not hint


def test_a_gpu_needs_the_image_even_with_a_setup_file() -> None:
    prepared("--accelerator=cpu", "--setup_file=./setup.py", without="--sdk_container_image")
    with pytest.raises(UsageError, match="needs --sdk_container_image"):
        prepared("--accelerator=nvidia-l4", "--setup_file=./setup.py", without="--sdk_container_image")
