"""A policy is checked whole before anything is done."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from archivae.errors import UsageError
from archivae.operations.rate import Lossless, MaxBytes, Quality, TargetPsnr
from archivae.pipeline.archiving.policy import parse_policy, read_policy
from archivae.pipeline.archiving.run import job_words

PLAIN: dict[str, Any] = {"sources": ["gs://in/**"], "destination": "gs://arc"}


def test_the_policy_of_the_documentation(tmp_path: Path) -> None:
    path = tmp_path / "policy.yaml"
    path.write_text(
        """
        sources: [gs://in/**]
        older_than: 90d
        include: ['**/*.jpg']
        exclude: ['private/**']
        quality: 80
        destination: gs://arc
        originals: delete
        accept_loss: true
        grace: 7d
        max_objects: 1000
        max_bytes: 2TB
        max_hours: 1.5
        shard_size: 256MiB
        """
    )
    policy = read_policy(str(path))
    assert policy.sources == ("gs://in/**",) and policy.rate == Quality(80)
    assert (policy.older_than, policy.grace) == (90 * 86400, 7 * 86400)
    assert (policy.max_objects, policy.max_bytes, policy.max_hours) == (1000, 2 * 10**12, 1.5)
    assert policy.removes and policy.shard_size == 256 << 20


def test_originals_stay_by_default() -> None:
    policy = parse_policy(PLAIN)
    assert policy.originals == "keep" and not policy.removes and not policy.accept_loss


def test_an_effort_becomes_a_word_of_the_job(tmp_path: Path) -> None:
    here = {"sources": [str(tmp_path / "in")], "destination": str(tmp_path / "archive")}
    policy = parse_policy({**here, "effort": 2, "target_ssimulacra2": 70})
    words = job_words(policy, "list.parquet")
    assert "--effort=2" in words and "--target_ssimulacra2=70" in words
    assert "--effort=0" in job_words(parse_policy(here), "list.parquet")
    for wrong in (4, -1, "high", True, 1.5):
        with pytest.raises(UsageError, match="effort goes from 0 to 3"):
            parse_policy({**PLAIN, "effort": wrong})


@pytest.mark.parametrize(
    ("words", "rate"),
    [
        ({}, Quality(60)),
        ({"target_psnr": 38}, TargetPsnr(38)),
        ({"lossless": True}, Lossless()),
        ({"max_picture_bytes": "20kB"}, MaxBytes(20000)),
    ],
)
def test_a_target_in_place_of_a_quality(words: dict[str, Any], rate: object) -> None:
    assert parse_policy({**PLAIN, **words}).rate == rate


@pytest.mark.parametrize(
    ("words", "reason"),
    [
        ({"originals": "delete"}, "needs accept_loss: true"),
        ({"originals": "move", "move_to": "gs://cold"}, "needs accept_loss: true"),
        ({"originals": "delete", "accept_loss": "yes"}, "accept_loss to be true or false"),
        ({"originals": "remove", "accept_loss": True}, "one of keep, delete, move"),
        ({"originals": "move", "accept_loss": True}, "belong together"),
        ({"move_to": "gs://cold"}, "belong together"),
        ({"originals": "move", "accept_loss": True, "move_to": "gs://in/cold"}, "overlaps"),
        ({"originals": "move", "accept_loss": True, "move_to": "gs://arc/cold"}, "overlaps"),
        ({"orginals": "keep"}, "unknown words: orginals"),
        ({"sources": []}, "sources: is missing"),
        ({"destination": ""}, "destination: is missing"),
        ({"sources": ["gs://in", "/local"]}, "one kind of storage"),
        ({"destination": "s3://arc"}, "local or gs:// places"),
        ({"older_than": 90}, "older_than to end in one of"),
        ({"older_than": "-1d"}, "older_than to be a duration"),
        ({"grace": True}, "grace to be a duration"),
        ({"max_objects": 0}, "budget of 0"),
        ({"max_objects": 1.5}, "whole number"),
        ({"max_bytes": "2 parsecs"}, "max_bytes to be a size such as"),
        ({"quality": 80, "target_psnr": 38}, "choose one"),
        ({"quality": "high"}, "quality to be a number"),
        ({"quality": 101}, "0 to 100"),
        ({"include": {"a": 1}}, "include to be a list"),
    ],
)
def test_what_is_refused_and_why(words: dict[str, Any], reason: str) -> None:
    with pytest.raises(UsageError, match=reason):
        parse_policy({**PLAIN, **words})


@pytest.mark.parametrize(
    "text", ["[", "just words", "", "sources: [a]\ndestination: b\nquality: !!python/object:os.system x"]
)
def test_what_is_no_policy(text: str, tmp_path: Path) -> None:
    path = tmp_path / "policy.yaml"
    path.write_text(text)
    with pytest.raises(UsageError):
        read_policy(str(path))


@pytest.mark.parametrize(
    "text",
    [
        "originals: keep\noriginals: delete\n",
        '"originals": keep\noriginals: keep\n',
        "sources: [a]\nsources: [b]\n",
        '{"grace": "7d", "grace": "0d"}',
    ],
)
def test_a_word_given_twice_is_refused(text: str, tmp_path: Path) -> None:
    """YAML would let the last one win in silence."""
    (tmp_path / "policy.yaml").write_text(text)
    with pytest.raises(UsageError, match="given twice"):
        read_policy(str(tmp_path / "policy.yaml"))


def test_own_bytes_of_what_would_lose_something(tmp_path: Path) -> None:
    local = {**PLAIN, "destination": str(tmp_path)}
    asked = parse_policy({**local, "quality": 90, "keep_bytes_of": ["lost"]})
    assert asked.reading.asked() == {"keep_bytes_of": "lost"} and "--keep_bytes_of=lost" in job_words(asked, "x")
    assert not any("keep_bytes_of" in word for word in job_words(parse_policy(local), "x"))
    with pytest.raises(UsageError, match="expected keep_bytes_of to list lost, found changed"):
        parse_policy({**PLAIN, "keep_bytes_of": ["lost", "changed"]})
