"""``flaky``: a bucket behind a proxy that injects faults, with less patience than users have. ``place``: any folder."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from google.cloud.storage.retry import DEFAULT_RETRY

from archivae.storage import gcs
from tests.end_to_end.jobs import Folder
from tests.faulty_proxy import FaultyProxy, faulty_proxy


@pytest.fixture
def proxy(gcs_server: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[FaultyProxy]:
    with faulty_proxy(gcs_server) as found:
        monkeypatch.setenv("STORAGE_EMULATOR_HOST", found.url)
        quick = DEFAULT_RETRY.with_delay(initial=0.01, maximum=0.05).with_timeout(1.0)
        monkeypatch.setattr(gcs, "PATIENCE", {"retry": quick, "timeout": 0.3})
        yield found


@pytest.fixture
def flaky(proxy: FaultyProxy, gcs: str) -> str:
    """``gs://`` and the name of a bucket behind ``proxy``."""
    return gcs


@pytest.fixture(params=["local", "gs"])
def place(request: pytest.FixtureRequest, tmp_path: Path) -> Folder:
    """An empty folder, once on the local disk and once in a bucket."""
    return Folder(str(tmp_path / "place") if request.param == "local" else request.getfixturevalue("gcs"))
