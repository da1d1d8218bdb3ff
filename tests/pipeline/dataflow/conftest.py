from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.dataflow_stand_in import DataflowStandIn, throw_away_credentials


@pytest.fixture
def service(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[DataflowStandIn]:
    """Dataflow on this machine, and credentials that it takes."""
    with DataflowStandIn().serving() as stand_in:
        throw_away_credentials(tmp_path / "key.json", stand_in)
        monkeypatch.setenv("GOOGLE_APPLICATION_CREDENTIALS", str(tmp_path / "key.json"))
        yield stand_in
