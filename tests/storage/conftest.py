"""``place``: an empty folder, once on the local disk and once in a bucket."""

from __future__ import annotations

from pathlib import Path

import pytest


@pytest.fixture(params=["local", "gcs"])
def place(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    if request.param == "gcs":
        return f"{request.getfixturevalue('gcs')}/place"
    (tmp_path / "place").mkdir()
    return str(tmp_path / "place")
