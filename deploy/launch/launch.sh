#!/bin/sh
# Launch the Flex Template, by gcloud or by REST. PROJECT, REGION, BUCKET, IMAGE, IN and ARCHIVE come from the environment.
set -eu
case "${1:-gcloud}" in
gcloud)
  gcloud dataflow flex-template run "archivae-encode-$(date -u +%Y%m%d-%H%M%S)" \
    --project="$PROJECT" --region="$REGION" \
    --template-file-gcs-location="gs://$BUCKET/archivae.json" \
    --service-account-email="archivae-worker@$PROJECT.iam.gserviceaccount.com" \
    --temp-location="gs://$BUCKET/tmp" --staging-location="gs://$BUCKET/staging" --max-workers=10 \
    --parameters="operation=encode,input=$IN,output=$ARCHIVE,quality=80,accelerator=nvidia-l4,sdk_container_image=$IMAGE"
  ;;
rest) # after filling in deploy/launch/encode.json
  curl --fail --silent --show-error -X POST \
    -H "Authorization: Bearer $(gcloud auth print-access-token)" -H "Content-Type: application/json" \
    -d @deploy/launch/encode.json \
    "https://dataflow.googleapis.com/v1b3/projects/$PROJECT/locations/$REGION/flexTemplates:launch"
  ;;
*)
  echo "usage: launch.sh [gcloud|rest]" >&2
  exit 2
  ;;
esac
