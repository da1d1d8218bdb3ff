"""Processes that run the codec in different ways decode each other's files, as `benchmarks.exactness` proves at length.

What happens where exactness is lost is in test_codec.py: the checksum of the integers in the file notices.
"""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest
from PIL import Image

from archivae.models.photo.weights import PhotoWeights, parse_weights
from benchmarks.configurations import Configuration, all_configurations, parse
from benchmarks.exactness import DECODED, ENCODED, WITHIN_LEVELS, Verdict, judge, make_plan, prove
from tests.golden.regenerate import WEIGHTS
from tests.models.small_codec import picture

CONFIGURATIONS = [parse(name) for name in ("cpu-float32-1-plain", "cpu-bfloat16-2-avx2", "cpu-float32-2-no-onednn")]
REFERENCE = CONFIGURATIONS[0]
LOUDER = 100


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("exactness")


@pytest.fixture(scope="module")
def verdicts(folder: Path) -> list[Verdict]:
    """Of the quick slice over a small picture, each configuration in processes of its own."""
    (folder / "pictures").mkdir()
    Image.fromarray(picture(90, 130)).save(folder / "pictures" / "small.png")
    (folder / "loud.safetensors").write_bytes(loud_weights().to_bytes())
    plan = make_plan(folder / "pictures", str(folder / "loud.safetensors"), True, REFERENCE)
    return prove(plan, CONFIGURATIONS, folder, jobs=2)


def loud_weights() -> PhotoWeights:
    """Those of the golden files, with an analysis whose branches matter, as those of untrained weights hardly do.

    Rounded to bfloat16 they lead to other integers.
    """
    golden = parse_weights(WEIGHTS.read_bytes())
    branches = {n for n in golden.floats if n.startswith("analysis.") and n.endswith(".leave.weight")}
    return replace(golden, floats={n: t * LOUDER if n in branches else t for n, t in golden.floats.items()})


def test_processes_of_every_kind_decode_each_other(verdicts: list[Verdict]) -> None:
    for verdict in verdicts:
        assert verdict.encoded == 1 and verdict.decoded >= 1
        assert not verdict.mismatches and verdict.levels <= WITHIN_LEVELS and verdict.good, verdict


def test_they_do_not_all_encode_alike(verdicts: list[Verdict]) -> None:
    """Otherwise the test above would say little."""
    assert any(verdict.unlike for verdict in verdicts)


@pytest.mark.parametrize(
    ("found", "reason"),
    [
        ({"restored": "00000000", "levels": 0}, "restored to 00000000"),
        ({"problem": "the decoded integers fail their checksum"}, "checksum"),
        (None, "not decoded"),
    ],
)
def test_other_integers_are_a_mismatch(
    folder: Path, verdicts: list[Verdict], found: dict[str, object] | None, reason: str
) -> None:
    right = json.loads((folder / DECODED / f"{REFERENCE.name}.json").read_text())
    file = next(iter(right["files"]))
    forged = {**right["files"], file: found} if found else {}
    for part, files in ((ENCODED, {}), (DECODED, forged)):
        (folder / part / "forged.json").write_text(json.dumps({"seconds": 1, "files": files}))
    verdict = judge("forged", REFERENCE.name, folder)
    assert reason in verdict.mismatches[file] and not verdict.good


def test_pixels_too_far_off_are_not_good() -> None:
    assert Verdict("near", 1, 0, 1, {}, WITHIN_LEVELS, 1.0).good
    assert not Verdict("far", 1, 0, 1, {}, WITHIN_LEVELS + 1, 1.0).good


@pytest.mark.parametrize("configuration", all_configurations(), ids=lambda configuration: configuration.name)
def test_a_configuration_is_known_by_its_name(configuration: Configuration) -> None:
    assert parse(configuration.name) == configuration
