"""How far a job is, asked of a stand-in of the service."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from archivae.pipeline.cli import main
from tests.dataflow_stand_in import JOB_ID, DataflowStandIn
from tests.end_to_end.jobs import PHOTOS, Folder, encode


def counter(name: str, value: int, namespace: str = "archivae", **context: str) -> dict[str, Any]:
    where = {"namespace": namespace, "step": "Write", **context}
    return {"name": {"origin": "user", "name": name, "context": where}, "scalar": value}


def status(service: DataflowStandIn, *words: str) -> int:
    return main(["status", JOB_ID, "--project=p", "--region=us-central1", f"--dataflow_endpoint={service.url}", *words])


def test_a_running_job(service: DataflowStandIn, capsys: pytest.CaptureFixture[str]) -> None:
    service.state = "JOB_STATE_RUNNING"
    service.metrics = [
        counter("done", 1200), counter("done", 34), counter("done", 9999, tentative="true"),
        counter("done", 7, namespace="other"), counter("write_bytes_out", 5000), counter("read_bytes_in", 20000),
    ]  # fmt: skip
    assert status(service) == 0
    out = capsys.readouterr().out
    assert "running; 1,234 done; 20,000 bytes in, 5,000 out" in out
    base = f"/v1b3/projects/p/locations/us-central1/jobs/{JOB_ID}"
    assert service.paths == [f"{base}?view=JOB_VIEW_ALL", f"{base}/metrics"]


def test_a_finished_job_ends_with_the_table_of_a_local_run(
    service: DataflowStandIn, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    source, archive = Folder(str(tmp_path / "in")).put(PHOTOS), Folder(str(tmp_path / "arc"))
    assert encode(source, archive) == 0
    table = capsys.readouterr().out.splitlines()[:8]
    run = next(iter(archive.rows().values())).run.lower()  # labels know no capitals
    options = {"sdkPipelineOptions": {"options": {"output": archive.uri}}}
    service.jobs.append({"environment": options, "labels": {"archivae-run": run}, "name": "archivae-encode"})
    service.metrics = [counter("done", 3)]
    assert status(service, "--watch") == 0
    out = capsys.readouterr().out
    assert "archivae-encode: done; 3 done" in out and "3 done, 0 skipped" in out
    assert all(line in out for line in table)


def test_a_failed_job_is_1_and_a_silent_service_2(
    service: DataflowStandIn, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    service.state = "JOB_STATE_FAILED"
    assert status(service) == 1
    secret = (tmp_path / "key.json").read_text()[80:200]
    assert main(["status", JOB_ID, "--project=p", "--region=r", "--dataflow_endpoint=http://localhost:9"]) == 2
    captured = capsys.readouterr()
    assert "Dataflow does not say" in captured.err and secret not in captured.err + captured.out
