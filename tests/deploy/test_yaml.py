"""A Beam YAML pipeline with our transforms, run to its end."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.end_to_end.jobs import MODEL, PHOTOS, Folder

pytest.importorskip("docstring_parser", reason="Beam YAML needs archivae[yaml]")
pytest.importorskip("pandas", reason="Beam YAML needs archivae[yaml]")

DEPLOY = Path(__file__).parents[2] / "deploy"


def test_the_sample_pipeline_encodes_a_folder(tmp_path: Path) -> None:
    from apache_beam.yaml import main  # imported here: it needs what the lines above look for

    source, archive = Folder(str(tmp_path / "in")).put(PHOTOS), Folder(str(tmp_path / "arc"))
    variables = {"source": source.uri, "destination": archive.uri, "model": MODEL}
    main.run([
        f"--yaml_pipeline_file={DEPLOY / 'yaml' / 'encode.yaml'}", f"--jinja_variables={json.dumps(variables)}",
        "--runner=FnApiRunner",
    ])  # fmt: skip
    assert {*archive.files()} == {f"{name}.avae" for name in PHOTOS}
    assert {row.status for row in archive.rows().values()} == {"done"}
