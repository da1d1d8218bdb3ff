"""Dataflow's REST interface, as far as watching a job needs it.

Source: "REST Resource: v1b3.projects.locations.jobs" (methods get and getMetrics), cloud.google.com/dataflow/docs/reference.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

import google.auth
import requests
from google.auth.exceptions import GoogleAuthError
from google.auth.transport.requests import AuthorizedSession

from archivae.errors import JobError, UsageError
from archivae.pipeline.dataflow.submission import RUN_LABEL
from archivae.transforms.metrics import NAMESPACE

ENDPOINT = "https://dataflow.googleapis.com"
_SCOPE = "https://www.googleapis.com/auth/cloud-platform"
_TIMEOUT = 60.0  # seconds


@dataclass(frozen=True)
class RunningJob:
    """A job as the service describes it. ``counters``: ours, by name; ``destination`` and ``run`` as it was told."""

    id: str
    name: str
    state: str
    destination: str
    run: str
    counters: dict[str, int]

    @property
    def is_over(self) -> bool:
        return self.state in ("DONE", "FAILED", "CANCELLED", "UPDATED", "DRAINED")


def look_up(job_id: str, project: str, region: str, endpoint: str = ENDPOINT) -> RunningJob:
    """The job and its counters. UsageError for a missing project or region, JobError if the service can't be asked."""
    if not project or not region:
        raise UsageError("--project and --region say where the job runs: give both")
    url = f"{endpoint.rstrip('/')}/v1b3/projects/{quote(project)}/locations/{quote(region)}/jobs/{quote(job_id)}"
    session = _session()
    job = _get(session, f"{url}?view=JOB_VIEW_ALL")
    metrics = _get(session, f"{url}/metrics").get("metrics", [])
    told = job.get("environment", {}).get("sdkPipelineOptions", {}).get("options", {})
    return RunningJob(
        id=job.get("id", job_id),
        name=job.get("name", ""),
        state=job.get("currentState", "JOB_STATE_UNKNOWN").removeprefix("JOB_STATE_"),
        destination=told.get("output") or "",
        run=job.get("labels", {}).get(RUN_LABEL, ""),
        counters=_counters(metrics),
    )


def _counters(metrics: list[dict[str, Any]]) -> dict[str, int]:
    """Committed values of our counters, the steps that share a name added up."""
    counters: dict[str, int] = {}
    for metric in metrics:
        name = metric.get("name", {})
        context = name.get("context", {})
        value = metric.get("scalar")
        if (
            context.get("namespace") == NAMESPACE
            and "tentative" not in context
            and isinstance(value, int | float | str)
        ):
            counters[name["name"]] = counters.get(name["name"], 0) + int(float(value))
    return counters


def _session() -> requests.Session:
    try:
        credentials, _ = google.auth.default(scopes=[_SCOPE])
    except GoogleAuthError as error:
        raise JobError(_no_credentials(error)) from error
    session: requests.Session = AuthorizedSession(credentials)
    return session


def _get(session: requests.Session, url: str) -> dict[str, Any]:
    try:
        answer = session.get(url, timeout=_TIMEOUT)
        answer.raise_for_status()
        content: dict[str, Any] = answer.json()
    except GoogleAuthError as error:
        raise JobError(_no_credentials(error)) from error
    except (requests.RequestException, ValueError) as error:
        raise JobError(
            f"Dataflow does not say how the job is: {error}; check the job's id, project and region"
        ) from error
    return content


def _no_credentials(error: GoogleAuthError) -> str:
    """Nothing of the error's text is quoted: it may hold a secret."""
    return (
        f"no valid Google Cloud credentials ({type(error).__name__}); run `gcloud auth application-default login`, or "
        "set GOOGLE_APPLICATION_CREDENTIALS to a key file"
    )
