"""The Flex Template: its metadata is that of the options, and its launch requests are what the service's own types say."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
from apache_beam.options.pipeline_options import PipelineOptions
from google.cloud import dataflow_v1beta3

from archivae.pipeline.dataflow.submission import prepare
from archivae.pipeline.dataflow.template import metadata, plain_flags
from archivae.pipeline.options import ArchivaeOptions, Settings

DEPLOY = Path(__file__).parents[2] / "deploy"
PARAMETERS = {parameter["name"]: parameter for parameter in metadata()["parameters"]}


def test_the_file_is_in_step_with_the_options() -> None:
    written = json.loads((DEPLOY / "metadata.json").read_text())
    assert written == metadata(), "run python -m archivae.pipeline.dataflow.template > deploy/metadata.json"


def test_every_option_is_a_parameter() -> None:
    options = {*PipelineOptions([]).view_as(ArchivaeOptions).get_all_options(current_only=True)}
    assert {*PARAMETERS} == options | {"sdk_container_image"}
    assert all(p["isOptional"] for p in PARAMETERS.values())  # operation, input, output; or a policy
    assert all(p["helpText"] and p["label"] for p in PARAMETERS.values())
    assert PARAMETERS["overwrite"]["paramType"] == "BOOLEAN" and PARAMETERS["quality"]["paramType"] == "NUMBER"
    assert {"value": "nvidia-l4"} in PARAMETERS["accelerator"]["enumOptions"]


@pytest.mark.parametrize(("value", "expected"), [("true", True), ("True", True), ("false", False)])
def test_flags_with_values_as_a_launcher_gives_them(value: str, expected: bool) -> None:
    words = [
        "--operation=encode",
        "--input=gs://a",
        "--output=gs://b",
        f"--overwrite={value}",
        f"--share-model={value}",
    ]
    settings = Settings.from_options(PipelineOptions(plain_flags(words)))
    assert (settings.overwrite, settings.share_model) == (expected, expected)


def test_the_rest_request_is_one_and_asks_for_a_job_that_is_not_refused() -> None:
    body = (DEPLOY / "launch" / "encode.json").read_text()
    request = dataflow_v1beta3.LaunchFlexTemplateRequest.from_json(body, ignore_unknown_fields=False)
    launch = request.launch_parameter
    assert {*launch.parameters} <= {*PARAMETERS}
    words = [f"--{name}={value}" for name, value in launch.parameters.items()]
    environment = launch.environment
    options = PipelineOptions([
        *words, "--runner=DataflowRunner", "--project=my-project", "--region=us-central1",
        f"--temp_location={environment.temp_location}", f"--sdk_container_image={environment.sdk_container_image}",
        f"--max_num_workers={environment.max_workers}",
    ])  # fmt: skip
    assert "nvidia-l4" in prepare(options, Settings.from_options(options), "run").hint


def test_gcloud_names_the_same_parameters() -> None:
    (given,) = re.findall(r'--parameters="([^"]+)"', (DEPLOY / "launch" / "launch.sh").read_text())
    names = {word.partition("=")[0] for word in given.split(",")}
    assert names <= {*PARAMETERS} and {"operation", "input", "output"} <= names
