"""A Beam YAML pipeline with our transforms, run to its end."""

from __future__ import annotations

import importlib
import json
from pathlib import Path

import pytest
import yaml

import archivae
from tests.end_to_end.jobs import MODEL, PHOTOS, Folder

pytest.importorskip("docstring_parser", reason="Beam YAML needs archivae[yaml]")
pytest.importorskip("pandas", reason="Beam YAML needs archivae[yaml]")

DEPLOY = Path(__file__).parents[2] / "deploy"


def test_every_public_transform_is_provided() -> None:
    (provider,) = yaml.safe_load((DEPLOY / "yaml" / "providers.yaml").read_text())
    public = {name for name in archivae.__all__ if name.endswith(("Images", "Vectors"))}
    assert {*provider["transforms"]} == public
    for name, path in provider["transforms"].items():
        module, _, attribute = path.rpartition(".")
        assert getattr(importlib.import_module(module), attribute) is getattr(archivae, name)


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
