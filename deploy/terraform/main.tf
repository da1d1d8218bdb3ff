terraform {
  required_version = ">= 1.5"
  required_providers {
    google = {
      source  = "hashicorp/google"
      version = ">= 5.0, < 8.0"
    }
  }
}

# Cloud Scheduler launches the Flex Template: POST .../flexTemplates:launch, with a token of the scheduler's account.
resource "google_cloud_scheduler_job" "archive" {
  project          = var.project
  region           = var.region
  name             = "archivae-archive"
  description      = "Runs the archival policy ${var.policy}."
  schedule         = var.schedule
  time_zone        = var.time_zone
  attempt_deadline = "180s"

  # A launch that is tried twice would start two jobs: they would do the same work, safely but at twice the price.
  retry_config {
    retry_count = 0
  }

  http_target {
    http_method = "POST"
    uri         = "https://dataflow.googleapis.com/v1b3/projects/${var.project}/locations/${var.region}/flexTemplates:launch"
    headers = {
      "Content-Type" = "application/json"
    }
    body = base64encode(jsonencode({
      launchParameter = {
        jobName              = "archivae-archive"
        containerSpecGcsPath = var.template
        parameters = {
          policy      = var.policy
          accelerator = var.accelerator
        }
        environment = {
          sdkContainerImage   = var.image
          serviceAccountEmail = google_service_account.worker.email
          tempLocation        = "gs://${var.working_bucket}/tmp"
          stagingLocation     = "gs://${var.working_bucket}/staging"
          maxWorkers          = var.max_workers
        }
      }
    }))
    oauth_token {
      service_account_email = google_service_account.scheduler.email
      scope                 = "https://www.googleapis.com/auth/cloud-platform"
    }
  }
}

output "worker_account" {
  value = google_service_account.worker.email
}
