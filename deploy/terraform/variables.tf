variable "project" {
  type = string
}

variable "region" {
  type    = string
  default = "us-central1"
}

variable "image" {
  description = "The worker image, as deploy/cloudbuild.yaml pushed it."
  type        = string
}

variable "template" {
  description = "gs:// path of the Flex Template's file."
  type        = string
}

variable "policy" {
  description = "gs:// path of the policy; its originals are kept."
  type        = string
}

variable "source_bucket" {
  description = "Bucket that is archived; read only."
  type        = string
}

variable "archive_bucket" {
  description = "Bucket of the archive."
  type        = string
}

variable "working_bucket" {
  description = "Bucket of the template, the policy, staging and temporary files; not the source's or the archive's."
  type        = string
}

variable "accelerator" {
  type    = string
  default = "nvidia-l4"
}

variable "schedule" {
  description = "When to run, as cron writes it."
  type        = string
  default     = "30 2 * * *"
}

variable "time_zone" {
  type    = string
  default = "Etc/UTC"
}

variable "max_workers" {
  type    = number
  default = 10
}
