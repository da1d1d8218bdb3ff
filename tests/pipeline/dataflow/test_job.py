"""The job as Dataflow would get it: written as a template, and submitted to a stand-in of the service."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
from apache_beam.portability.api import beam_runner_api_pb2

from archivae.pipeline.cli import main, run_and_report
from archivae.pipeline.dataflow.template import plain_flags
from archivae.storage import read_object
from archivae.storage.objects import store_of
from tests.archives import make_archive, pictures
from tests.dataflow_stand_in import JOB_ID, DataflowStandIn
from tests.end_to_end.jobs import PHOTOS, Folder

IMAGE = "us-docker.pkg.dev/p/r/archivae:1"
ACCELERATOR = "beam:resources:accelerator:v1"


FAMILIES = {
    "generate": ["--model=cvae-digits", "--count=200", "--label=3"],
    "embed": [],
    "transform": ["--model=vae-digits", "--latent-op=2:+1.5"],
}


def words(operation: str, gcs: str, *more: str) -> list[str]:
    places = [f"{gcs}/arc"] if operation in ("verify", "generate") else [f"{gcs}/in", f"{gcs}/arc"]
    own = {"restore": ["--task=auto"], **FAMILIES}.get(operation, [])
    return [
        operation, *places, "--runner=DataflowRunner", "--project=my-project", "--region=us-central1",
        f"--temp_location={gcs}/tmp", f"--sdk_container_image={IMAGE}", *own, *more,
    ]  # fmt: skip


def template(operation: str, gcs: str, *more: str) -> tuple[dict[str, Any], beam_runner_api_pb2.Pipeline]:
    """The job's description and its graph, from the files that are written to be launched later."""
    source = Folder(f"{gcs}/in")
    if operation == "verify":
        make_archive(f"{gcs}/arc", [pictures()])
    else:
        source.put({"a.png.avae": b"read by the workers only"} if operation == "decode" else PHOTOS)
    assert main(words(operation, gcs, f"--template_location={gcs}/template.json", *more)) == 0
    job = json.loads(read_object(f"{gcs}/template.json"))
    (graph,) = [entry.uri for entry in store_of(gcs).walk(f"{gcs}/tmp") if entry.name.endswith("pipeline.pb")]
    return job, beam_runner_api_pb2.Pipeline.FromString(read_object(graph))


def hinted(graph: beam_runner_api_pb2.Pipeline) -> dict[str, str]:
    """The accelerator that each transform with one asks for, by its full name."""
    environments = graph.components.environments
    hints = {name: e.resource_hints[ACCELERATOR].decode() for name, e in environments.items() if e.resource_hints}
    transforms = graph.components.transforms.values()
    return {t.unique_name: hints[t.environment_id] for t in transforms if t.environment_id in hints}


@pytest.mark.parametrize("operation", ["encode", "decode", "restore", "verify", *FAMILIES])
def test_the_hint_is_on_the_step_with_the_model_alone(operation: str, gcs: str, service: DataflowStandIn) -> None:
    job, graph = template(operation, gcs, "--accelerator=nvidia-l4")
    steps, step = hinted(graph), operation.title()
    assert steps and all(re.match(rf"{step}(/|$)", name) for name in steps), steps
    expected = "type:nvidia-l4;count:1;machine_type:g2-standard-8;install-nvidia-driver"
    assert {*steps.values()} == {expected}
    assert any(t.unique_name.startswith(("Write", "Record")) for t in graph.components.transforms.values())
    assert "worker_accelerator" not in json.dumps(job)


def test_a_job_that_verifies_says_where_its_report_goes(gcs: str, service: DataflowStandIn) -> None:
    more = ["--accelerator=nvidia-l4", "--accelerator-scope=job", "--all", f"--against={gcs}/in"]
    job, graph = template("verify", gcs, *more)
    told = job["environment"]["sdkPipelineOptions"]["options"]
    assert (told["operation"], told["sample"], told["output"]) == ("verify", "100%", f"{gcs}/arc/_archivae/verified")
    assert job["name"].startswith("archivae-verify-") and not hinted(graph)
    assert not Folder(f"{gcs}/arc").own("verified")


@pytest.mark.parametrize("operation", FAMILIES)
def test_jobs_of_any_autoencoder_are_set_up_as_others(operation: str, gcs: str, service: DataflowStandIn) -> None:
    job, graph = template(operation, gcs, "--accelerator=nvidia-l4", "--accelerator-scope=job")
    assert not hinted(graph) and job["name"].startswith(f"archivae-{operation}-")
    assert job["environment"]["serviceOptions"] == ["worker_accelerator=type:nvidia-l4;count:1;install-nvidia-driver"]


def test_a_job_of_any_autoencoder_is_refused_what_workers_cannot_reach(
    gcs: str, service: DataflowStandIn, capsys: pytest.CaptureFixture[str]
) -> None:
    local = ["--model=vae", "--weights=run/vae.safetensors", "--count=2", "--accelerator=cpu"]
    assert main([*words("generate", gcs), *local]) == 2
    assert "--weights 'run/vae.safetensors' is not gs://" in capsys.readouterr().err
    sample = [word for word in words("generate", gcs) if not word.startswith(("--count", "--label", "--model"))]
    assert main([*sample, "--texture=wall.png", "--accelerator=cpu"]) == 2
    assert "--texture 'wall.png' is not gs://" in capsys.readouterr().err
    assert not service.jobs


def test_a_job_as_the_templates_launcher_has_it(gcs: str, service: DataflowStandIn) -> None:
    """Every parameter has a value, and only one."""
    Folder(f"{gcs}/in").put(PHOTOS)
    given = [word for word in words("generate", gcs)[2:] if not word.startswith(("--count", "--label", "--model"))]
    more = [
        "--operation=generate",
        f"--output={gcs}/arc",
        "--model=vae-digits",
        "--accelerator=nvidia-l4",
        "--shards=false",
    ]
    pair = f"--interpolate={gcs}/in/a.png,{gcs}/in/b.png"
    assert run_and_report(plain_flags([*given, *more, pair, f"--template_location={gcs}/template.json"])) == 0
    told = json.loads(read_object(f"{gcs}/template.json"))["environment"]["sdkPipelineOptions"]["options"]
    assert told["interpolate"] == [f"{gcs}/in/a.png", f"{gcs}/in/b.png"]


def test_the_job_of_a_gpu_on_every_worker(gcs: str, service: DataflowStandIn) -> None:
    job, graph = template("encode", gcs, "--accelerator=nvidia-l4", "--accelerator-scope=job")
    assert not hinted(graph)
    assert job["environment"]["serviceOptions"] == ["worker_accelerator=type:nvidia-l4;count:1;install-nvidia-driver"]
    assert job["environment"]["workerPools"][0]["machineType"] == "g2-standard-8"


def test_the_machines_image_and_options_of_the_job(gcs: str, service: DataflowStandIn, tmp_path: Path) -> None:
    job, graph = template("encode", gcs, "--accelerator=nvidia-l4", "--quality=33")
    environment = job["environment"]
    pool = environment["workerPools"][0]
    assert pool["diskSizeGb"] == 50
    assert pool["autoscalingSettings"]["maxNumWorkers"] == 10
    images = {image["containerImage"] for image in pool["sdkHarnessContainerImages"]}
    assert images == {IMAGE}
    assert "no_use_multiple_sdk_containers" in environment["experiments"]
    assert "archivae-run" in job["labels"] and job["type"] == "JOB_TYPE_BATCH"
    shown = {
        beam_runner_api_pb2.LabelledPayload.FromString(data.payload).label
        for transform in graph.components.transforms.values()
        if transform.unique_name.startswith(("Encode/", "Write/"))
        for data in transform.display_data
    }
    assert {"quality", "model", "accelerator", "destination", "run"} <= shown
    everything = json.dumps(job) + repr(graph)
    secrets = json.loads((tmp_path / "key.json").read_text())["private_key"].splitlines()[1:-1]
    assert not any(secret in everything for secret in secrets) and "not-a-secret" not in everything


def test_a_submitted_job_that_is_not_waited_for(
    gcs: str, service: DataflowStandIn, capsys: pytest.CaptureFixture[str]
) -> None:
    Folder(f"{gcs}/in").put(PHOTOS)
    more = [f"--dataflow_endpoint={service.url}", "--accelerator=nvidia-tesla-t4", "--no_wait_until_finish"]
    assert main(words("encode", gcs, *more)) == 0
    assert f"archivae status {JOB_ID}" in capsys.readouterr().out
    (job,) = service.jobs
    assert job["name"].startswith("archivae-encode-")


def test_a_refused_job_sends_nothing(gcs: str, service: DataflowStandIn, capsys: pytest.CaptureFixture[str]) -> None:
    Folder(f"{gcs}/in").put(PHOTOS)
    refused = [f"--dataflow_endpoint={service.url}", "--accelerator=nvidia-l4", "--flexrs_goal=COST_OPTIMIZED"]
    assert main(words("encode", gcs, *refused)) == 2
    assert "FlexRS has no GPUs" in capsys.readouterr().err
    assert not service.jobs


def test_dataflow_names_mean_nothing_here(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    source = Folder(str(tmp_path / "in")).put(PHOTOS)
    assert main(["encode", source.uri, str(tmp_path / "arc"), "--accelerator=nvidia-l4"]) == 2
    assert "--accelerator cuda" in capsys.readouterr().err


def waited_for(gcs: str, service: DataflowStandIn) -> int:
    Folder(f"{gcs}/in").put(PHOTOS)
    return main(words("encode", gcs, f"--dataflow_endpoint={service.url}", "--accelerator=nvidia-l4"))


def test_a_job_that_is_waited_for_ends_with_its_summary(
    gcs: str, service: DataflowStandIn, capsys: pytest.CaptureFixture[str]
) -> None:
    where = {"namespace": "archivae", "step": "Write", "tentative": "true"}
    counted = {"name": {"origin": "user", "name": "skipped", "context": where}, "scalar": 2}
    service.metrics = [counted, {**counted, "name": {**counted["name"], "context": {**where, "tentative": ""}}}]
    assert waited_for(gcs, service) == 0
    assert "0 done, 2 skipped" in capsys.readouterr().out


def test_a_job_that_fails_is_said_to_have_failed(
    gcs: str, service: DataflowStandIn, capsys: pytest.CaptureFixture[str]
) -> None:
    service.state = "JOB_STATE_FAILED"
    assert waited_for(gcs, service) == 2
    assert "the job failed: Dataflow pipeline failed. State: FAILED" in capsys.readouterr().err
