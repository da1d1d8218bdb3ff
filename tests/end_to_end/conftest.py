"""Folders for a job's source and destination, on the local disk and on an emulated Google Cloud Storage."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.end_to_end.jobs import Folder


@pytest.fixture(params=["local", "gs"])
def new_folder(request: pytest.FixtureRequest, tmp_path: Path) -> Callable[[str], Folder]:
    """Makes an empty folder; every test that asks for it runs on both kinds of storage."""
    base = str(tmp_path) if request.param == "local" else request.getfixturevalue("gcs")
    return lambda name: Folder(f"{base}/{name}-{uuid.uuid4().hex[:6]}")


@pytest.fixture
def source(new_folder: Callable[[str], Folder]) -> Folder:
    return new_folder("source")


@pytest.fixture
def archive(new_folder: Callable[[str], Folder]) -> Folder:
    return new_folder("archive")


@pytest.fixture
def restored(new_folder: Callable[[str], Folder]) -> Folder:
    return new_folder("restored")
