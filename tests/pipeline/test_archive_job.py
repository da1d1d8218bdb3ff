"""What a job over an archive works on, decided without encoding anything."""

from __future__ import annotations

from pathlib import Path

import pytest
from apache_beam.options.pipeline_options import PipelineOptions

from archivae.errors import DestinationError, UsageError
from archivae.operations.archive_pack import pack_shard, publish_round
from archivae.pipeline.archive_job import objects_left, plan_shards, published_before
from archivae.pipeline.options import Settings
from archivae.storage import ManifestRow, stat_object, write_fragment
from archivae.storage.archive_plan import Round, pending_round, read_shard_plan
from archivae.transforms import Job
from tests.archives import avae, fingerprints, put_members

NAMES = ("a.png", "b.png", "sub/c.png")


@pytest.fixture
def source(tmp_path: Path) -> str:
    for name in NAMES:
        put(tmp_path / "source", name)
    return str(tmp_path / "source")


@pytest.fixture
def archive(tmp_path: Path) -> str:
    return str(tmp_path / "archive")


def put(source: Path | str, name: str) -> None:
    path = Path(source, name)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(bytes(1200))


def asked(source: str, archive: str, *words: str, quality: int = 60) -> tuple[Job, Settings]:
    plain = ["--operation=encode", f"--input={source}", f"--output={archive}", f"--quality={quality}"]
    settings = Settings.from_options(PipelineOptions([*plain, *(words or ("--archive", "--shard_size=2500"))]))
    return Job("encode", source, archive, settings.canonical("model"), "run"), settings


def members(archive: str, plan: Round) -> list[list[str]]:
    return [[member.name for member in read_shard_plan(archive, shard)] for shard in plan.shards]


def finish(archive: str, plan: Round, lost: str = "") -> None:
    for shard, names in zip(plan.shards, members(archive, plan), strict=True):
        kept = [name for name in names if name != lost]
        put_members(archive, shard, {name: avae() for name in kept})
        pack_shard(archive, shard, kept)
    publish_round(archive, plan)


def record(source: str, archive: str, name: str, status: str) -> None:
    found = stat_object(f"{source}/{name}")
    assert found is not None
    row = ManifestRow(
        source=found.uri, name=name, bytes=1, sha256="", fingerprint=found.fingerprint, height=0, width=0,
        status=status, operation="encode", run="run", written=1.0,
    )  # type: ignore[arg-type]  # fmt: skip
    write_fragment(archive, [row])


def test_a_listing_is_cut_into_shards(source: str, archive: str) -> None:
    plan = plan_shards(*asked(source, archive))
    assert plan is not None and (plan.first, plan.count, plan.members) == (0, 2, 3)
    assert members(archive, plan) == [["a.png", "b.png"], ["sub/c.png"]]


def test_an_unfinished_job_goes_on_as_it_was_planned_whatever_came_since(source: str, archive: str) -> None:
    plan = plan_shards(*asked(source, archive))
    put(source, "0-first.png")
    assert plan is not None and plan_shards(*asked(source, archive)) == plan
    assert [found.name for found in objects_left(*asked(source, archive))] == list(NAMES)
    put_members(archive, 0, {"a.png": avae(), "b.png": avae()})
    pack_shard(archive, 0, ["a.png", "b.png"])
    job, _ = asked(source, archive)
    assert published_before(job, plan) == 2
    assert [found.name for found in objects_left(*asked(source, archive))] == ["sub/c.png"]


def test_an_unfinished_job_of_others_is_not_taken_over(source: str, archive: str, tmp_path: Path) -> None:
    plan = plan_shards(*asked(source, archive))
    put(tmp_path / "other", "x.png")
    for other in (asked(str(tmp_path / "other"), archive), asked(source, archive, quality=5)):
        with pytest.raises(DestinationError, match="is unfinished"):
            plan_shards(*other)
        with pytest.raises(DestinationError, match="is unfinished"):
            objects_left(*other)
    assert pending_round(archive) == plan


def test_a_finished_archive_is_left_as_it_is_or_refused_for_more(source: str, archive: str) -> None:
    plan = plan_shards(*asked(source, archive))
    assert plan is not None
    finish(archive, plan)
    before = fingerprints(archive)
    assert plan_shards(*asked(source, archive)) is None and not list(objects_left(*asked(source, archive)))
    put(source, "new.png")
    for decide in (plan_shards, objects_left):
        with pytest.raises(DestinationError, match=r"'new\.png'.*archivae append"):
            decide(*asked(source, archive))
    assert fingerprints(archive) == before


@pytest.mark.parametrize(("status", "tried"), [("failed", True), ("not-a-picture", False)])
def test_what_did_not_get_in_is_no_reason_to_refuse(status: str, tried: bool, source: str, archive: str) -> None:
    plan = plan_shards(*asked(source, archive))
    assert plan is not None
    finish(archive, plan, lost="b.png")
    record(source, archive, "b.png", status)
    assert plan_shards(*asked(source, archive)) is None
    again = [found.name for found in objects_left(*asked(source, archive, "--append"))]
    assert again == (["b.png"] if tried else []), "append tries failures again, and nothing else"
    Path(source, "b.png").write_bytes(b"changed since")
    with pytest.raises(DestinationError, match=r"'b\.png'"):
        plan_shards(*asked(source, archive))


def test_append_plans_what_is_new_after_the_shards_that_are_there(source: str, archive: str) -> None:
    with pytest.raises(DestinationError, match="found none"):
        plan_shards(*asked(source, archive, "--append"))
    plan = plan_shards(*asked(source, archive))
    assert plan is not None
    finish(archive, plan)
    assert plan_shards(*asked(source, archive, "--append")) is None
    put(source, "aa.png")
    put(source, "z.png")
    added = plan_shards(*asked(source, archive, "--append"))
    assert added is not None and added.first == 2 and members(archive, added) == [["aa.png", "z.png"]]


def test_an_archive_does_not_lie_among_its_pictures(source: str) -> None:
    with pytest.raises(UsageError, match="another destination"):
        plan_shards(*asked(source, f"{source}/"))


def test_more_than_are_asked_about_are_simply_new(source: str, archive: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("archivae.pipeline.archive_job._MISSING_LOOKED_AT", 1)
    plan = plan_shards(*asked(source, archive))
    assert plan is not None
    finish(archive, plan)
    for name in ("x.txt", "y.txt", "z.txt"):
        put(source, name)
        record(source, archive, name, "not-a-picture")
    found = [each.name for each in objects_left(*asked(source, archive, "--append"))]
    assert found == ["x.txt", "y.txt", "z.txt"]
