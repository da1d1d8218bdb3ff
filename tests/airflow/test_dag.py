"""The DAG in Airflow itself, which has an environment of its own: make test-airflow."""

from __future__ import annotations

import json
import runpy
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

pytest.importorskip("airflow", reason="Airflow has an environment of its own: make test-airflow")

DEPLOY = Path(__file__).parents[2] / "deploy"
SETTINGS = {
    "project": "my-project",
    "region": "us-central1",
    "template": "gs://my-working-bucket/archivae.json",
    "policy": "gs://my-working-bucket/policy.yaml",
    "image": "us-docker.pkg.dev/p/r/archivae:1",
    "worker_account": "archivae@my-project.iam.gserviceaccount.com",
    "working_bucket": "my-working-bucket",
}


@pytest.fixture(scope="module")
def dag() -> Any:
    return runpy.run_path(str(DEPLOY / "airflow" / "archivae_dag.py"))["dag"]


def test_it_runs_one_task_a_night_and_never_two_at_once(dag: Any) -> None:
    (task,) = dag.tasks
    assert (type(task).__name__, task.task_id) == ("DataflowStartFlexTemplateOperator", "archive")
    assert task.retries == 0, "the job goes on where it ended by itself, on the next night"
    assert not dag.catchup and dag.max_active_runs == 1
    assert dag.schedule == "30 2 * * *"


def test_what_is_sent_is_what_the_service_takes(dag: Any) -> None:
    from google.cloud import dataflow_v1beta3

    (task,) = dag.tasks
    assert {"project_id", "location", "body"} <= {*task.template_fields}
    context = {"var": {"json": SimpleNamespace(archivae=SETTINGS)}, "ds_nodash": "20260102"}
    body, project, region = (
        task.render_template(getattr(task, name), context) for name in ("body", "project_id", "location")
    )
    assert (project, region) == ("my-project", "us-central1") and "{{" not in json.dumps(body)
    request = dataflow_v1beta3.LaunchFlexTemplateRequest.from_json(json.dumps(body), ignore_unknown_fields=False)
    launch = request.launch_parameter
    assert launch.job_name == "archivae-archive-20260102" and launch.container_spec_gcs_path == SETTINGS["template"]
    known = {parameter["name"] for parameter in json.loads((DEPLOY / "metadata.json").read_text())["parameters"]}
    assert {*launch.parameters} <= known and launch.parameters["policy"] == SETTINGS["policy"]
    assert launch.environment.sdk_container_image == SETTINGS["image"]
