"""What launches the template on a schedule: Terraform, gcloud, Airflow. All of them send what the service's types say."""

from __future__ import annotations

import json
import re
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from google.cloud import dataflow_v1beta3

from archivae.pipeline.dataflow.template import metadata

DEPLOY = Path(__file__).parents[2] / "deploy"
PARAMETERS = {parameter["name"] for parameter in metadata()["parameters"]}


def check_request(body: dict[str, Any]) -> None:
    text = json.dumps(body)
    launch = dataflow_v1beta3.LaunchFlexTemplateRequest.from_json(text, ignore_unknown_fields=False).launch_parameter
    assert {*launch.parameters} <= PARAMETERS and "policy" in launch.parameters
    assert launch.environment.sdk_container_image and launch.environment.service_account_email
    assert launch.environment.temp_location.startswith("gs://") and launch.environment.staging_location


def test_the_request_that_gcloud_schedules() -> None:
    check_request(json.loads((DEPLOY / "launch" / "archive.json").read_text()))
    script = (DEPLOY / "terraform" / "schedule.sh").read_text()
    assert "flexTemplates:launch" in script and "--oauth-service-account-email" in script


def terraform() -> dict[str, Any]:
    """All .tf files as one object, by an HCL parser; every reference is checked to lead somewhere."""
    hcl2 = pytest.importorskip("hcl2", reason="python-hcl2 reads Terraform's files")
    content: dict[str, Any] = {}
    for path in sorted((DEPLOY / "terraform").glob("*.tf")):
        with path.open() as file:
            for kind, blocks in hcl2.load(file).items():
                content.setdefault(kind, []).extend(blocks if isinstance(blocks, list) else [blocks])
    return content


def unquoted(name: str) -> str:
    return name.strip('"')


def test_terraform_refers_to_what_it_declares() -> None:
    content = terraform()
    variables = {unquoted(name) for block in content["variable"] for name in block}
    resources = {
        f"{unquoted(kind)}.{unquoted(name)}"
        for block in content["resource"]
        for kind, named in block.items()
        for name in named
    }
    text = "".join(path.read_text() for path in (DEPLOY / "terraform").glob("*.tf"))
    assert {*re.findall(r"\bvar\.(\w+)", text)} == variables
    assert {*re.findall(r"\b(google_service_account\.\w+)\.", text)} <= resources
    assert "google_cloud_scheduler_job.archive" in resources


def test_terraform_sends_the_same_fields() -> None:
    terraform()
    text = (DEPLOY / "terraform" / "main.tf").read_text()
    (body,) = re.findall(r"jsonencode\(\{(.*?)\n    \}\)\)", text, re.DOTALL)
    fields = {*re.findall(r"^\s+(\w+)\s+=", body, re.MULTILINE)}
    request = json.loads((DEPLOY / "launch" / "archive.json").read_text())["launchParameter"]
    assert fields == {"launchParameter", *request, *request["parameters"], *request["environment"]}


def test_the_worker_may_not_delete_originals() -> None:
    text = (DEPLOY / "terraform" / "accounts.tf").read_text()
    (role,) = re.findall(r'bucket = var\.source_bucket\s+role\s+= "([^"]+)"', text)
    assert role == "roles/storage.objectViewer"
    assert not re.findall(r"roles/(owner|editor|storage\.admin)", text)


def test_the_airflow_dag_launches_the_policy(monkeypatch: pytest.MonkeyPatch) -> None:
    """Against stand-ins of the classes of Airflow, which has an environment and tests of its own: tests/airflow."""
    tasks: list[dict[str, Any]] = []

    class Dag:
        def __init__(self, **words: Any) -> None:
            self.words = words

        def __enter__(self) -> Dag:
            return self

        def __exit__(self, *error: object) -> None:
            pass

    dataflow = "airflow.providers.google.cloud.operators.dataflow"
    parts = dataflow.split(".")
    names = [".".join(parts[:count]) for count in range(1, len(parts) + 1)] + ["pendulum"]
    modules = {name: ModuleType(name) for name in names}
    modules["airflow"].DAG = Dag  # type: ignore[attr-defined]
    modules[dataflow].DataflowStartFlexTemplateOperator = lambda **words: tasks.append(words)  # type: ignore[attr-defined]
    modules["pendulum"].datetime = lambda *arguments, **words: arguments  # type: ignore[attr-defined]
    for name, module in modules.items():
        monkeypatch.setitem(sys.modules, name, module)
    scope: dict[str, Any] = {}
    exec(compile((DEPLOY / "airflow" / "archivae_dag.py").read_text(), "archivae_dag.py", "exec"), scope)
    (task,) = tasks
    check_request(task["body"])
    assert scope["dag"].words["catchup"] is False and scope["dag"].words["max_active_runs"] == 1
    assert task["retries"] == 0
