#!/bin/sh
# The same schedule by gcloud alone, for accounts that exist. PROJECT, REGION and BODY (a filled-in copy of
# deploy/launch/archive.json) come from the environment.
set -eu
gcloud scheduler jobs create http archivae-archive \
  --project="$PROJECT" --location="$REGION" --schedule="30 2 * * *" --time-zone=Etc/UTC --max-retry-attempts=0 \
  --uri="https://dataflow.googleapis.com/v1b3/projects/$PROJECT/locations/$REGION/flexTemplates:launch" \
  --http-method=POST --headers=Content-Type=application/json --message-body-from-file="$BODY" \
  --oauth-service-account-email="archivae-scheduler@$PROJECT.iam.gserviceaccount.com" \
  --oauth-token-scope=https://www.googleapis.com/auth/cloud-platform
