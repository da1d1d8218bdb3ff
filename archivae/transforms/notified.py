"""New objects of a bucket, as Pub/Sub tells of them.

Source: "Pub/Sub notifications for Cloud Storage", cloud.google.com/storage/docs/pubsub-notifications: attributes of a
message name the event, the bucket, the object and its generation; the JSON payload holds the object's metadata.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any, Protocol

import apache_beam as beam
from apache_beam.io.gcp.pubsub import ReadFromPubSub
from apache_beam.pvalue import PCollection

from archivae.operations.names import ARCHIVE_ENDING, archive_name, target_uri
from archivae.storage import StoredObject, stat_object
from archivae.storage.names import is_below, is_own, normal
from archivae.transforms.item import Item
from archivae.transforms.metrics import counter
from archivae.transforms.plan import Group, Job, settle
from archivae.untrusted import load_json

WRITTEN = "OBJECT_FINALIZE"


class Notification(Protocol):
    """A message of Pub/Sub, as `ReadFromPubSub` gives it."""

    @property
    def data(self) -> bytes:
        """The object's metadata, JSON."""

    @property
    def attributes(self) -> dict[str, str]:
        """``eventType``, ``bucketId``, ``objectId``, ``objectGeneration``."""


class ReadNotifications(beam.PTransform):
    """From the pipeline's root to an `Item` for each object that a subscription tells of: a stream without an end."""

    def __init__(self, subscription: str, job: Job) -> None:
        super().__init__()
        self._subscription = subscription
        self._job = job

    def expand(self, root: Any) -> PCollection[Item]:
        messages = root | "Subscription" >> ReadFromPubSub(subscription=self._subscription, with_attributes=True)
        return messages | "Take" >> TakeNotified(self._job)


@dataclass
class TakeNotified(beam.PTransform):
    """PCollection of `Notification` -> of `Item`: the objects below the job's source that were written.

    A message that comes twice makes the same file twice, which leaves the first as it is. What is no notification of this
    source is counted as ``passed_over`` and let go.
    """

    job: Job

    def __post_init__(self) -> None:
        super().__init__()

    def expand(self, messages: PCollection[Notification]) -> PCollection[Item]:
        return messages | beam.FlatMap(take_notified, self.job)


def take_notified(message: Notification, job: Job) -> Iterator[Item]:
    """The item of a notification; none if it is not of an object that the job takes."""
    found = _written_object(message)
    root, destination = normal(job.source).rstrip("/"), normal(job.destination)
    if found is None or not is_below(found.uri, root) or is_below(found.uri, destination):
        counter("passed_over").inc()
        return
    name = found.uri[len(root) + 1 :]
    if is_own(name) or (job.operation == "encode") == name.endswith(ARCHIVE_ENDING):
        counter("passed_over").inc()
        return
    source = replace(found, name=name)
    for item in settle(Group((source,), (), frozenset()), job):
        yield replace(item, found=_finished_before(item, job)) if item.status == "going" else item


def _finished_before(item: Item, job: Job) -> str:
    """Where a finished file of the item lies already, which need not be made again if it is right."""
    uri = target_uri(job.destination, archive_name(item.target)) if job.operation == "encode" else ""
    return uri if uri and stat_object(uri) is not None else ""


def _written_object(message: Notification) -> StoredObject | None:
    """The object that was written; None if the message tells of something else, or is none of Cloud Storage's."""
    said = message.attributes or {}
    if said.get("eventType") != WRITTEN:
        return None
    try:
        metadata = load_json(message.data)
        fingerprint = f"gcs:{int(said['objectGeneration'])}:{metadata['crc32c']}"
        return StoredObject(f"gs://{said['bucketId']}/{said['objectId']}", "", int(metadata["size"]), fingerprint)
    except (KeyError, TypeError, ValueError):
        return None
