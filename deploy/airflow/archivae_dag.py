"""Airflow: launch the archival policy by the Flex Template every night, and wait for the job.

Needs apache-airflow-providers-google and, for that one's operators of Dataflow, apache-airflow-providers-apache-beam. The
variable ``archivae`` holds the JSON object whose keys `_SETTINGS` names.
Source: DataflowStartFlexTemplateOperator in the provider's documentation; ``body`` is the REST request.
"""

from __future__ import annotations

import pendulum
from airflow import DAG
from airflow.providers.google.cloud.operators.dataflow import DataflowStartFlexTemplateOperator

_SETTINGS = {
    name: f"{{{{ var.json.archivae.{name} }}}}"
    for name in ("project", "region", "template", "policy", "image", "worker_account", "working_bucket")
}

BODY = {
    "launchParameter": {
        "jobName": "archivae-archive-{{ ds_nodash }}",
        "containerSpecGcsPath": _SETTINGS["template"],
        "parameters": {"policy": _SETTINGS["policy"], "accelerator": "nvidia-l4"},
        "environment": {
            "sdkContainerImage": _SETTINGS["image"],
            "serviceAccountEmail": _SETTINGS["worker_account"],
            "tempLocation": f"gs://{_SETTINGS['working_bucket']}/tmp",
            "stagingLocation": f"gs://{_SETTINGS['working_bucket']}/staging",
            "maxWorkers": 10,
        },
    }
}

with DAG(
    dag_id="archivae_archive",
    schedule="30 2 * * *",
    start_date=pendulum.datetime(2026, 1, 1, tz="UTC"),
    catchup=False,
    max_active_runs=1,
    tags=["archivae"],
) as dag:
    DataflowStartFlexTemplateOperator(
        task_id="archive",
        project_id=_SETTINGS["project"],
        location=_SETTINGS["region"],
        body=BODY,
        retries=0,
        deferrable=True,
    )
