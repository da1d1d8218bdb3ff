"""Policies whose archive is tar shards: what holds for single objects holds for these, and no original is lost here either."""

from __future__ import annotations

import io
import json
import tarfile
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from archivae.errors import DestinationError, JobError
from archivae.pipeline.archiving import run as running
from archivae.pipeline.archiving.archived import unfinished
from archivae.pipeline.archiving.command import dry_run_lines
from archivae.pipeline.archiving.ledger import Run, read_runs
from archivae.pipeline.archiving.naming import full_name, version_name
from archivae.pipeline.archiving.policy import Policy, parse_policy
from archivae.pipeline.archiving.run import archive
from archivae.pipeline.archiving.selection import select
from archivae.pipeline.archiving.verification import Claim, Finding, Verifier
from archivae.pipeline.cli import main, run_and_report
from archivae.storage import ManifestRow
from archivae.storage.archive_index import ArchiveIndex, write_index
from archivae.storage.archive_layout import index_uri
from archivae.transforms import archive as packing
from tests.end_to_end.jobs import MODEL, PHOTOS, Folder, encode
from tests.samples import photo_file

DAY = 86400.0
SMALL = "3KiB"
"""Two of `PHOTOS` fit into a shard."""


@pytest.fixture
def source(tmp_path: Path) -> Folder:
    return Folder(str(tmp_path / "in")).put(PHOTOS)


@pytest.fixture
def target(tmp_path: Path) -> Folder:
    return Folder(str(tmp_path / "arc"))


def policy(source: Folder, target: Folder, **words: Any) -> Policy:
    plain = {"sources": [source.uri], "destination": target.uri, "model": MODEL, "shard_size": SMALL}
    return parse_policy({**plain, **words})


def deleting(source: Folder, target: Folder, **words: Any) -> Policy:
    return policy(source, target, originals="delete", accept_loss=True, **words)


def once(policy: Policy, after: float = 0.0) -> Run:
    return archive(policy, "policy.yaml", ["--accelerator=cpu"], now=lambda: time.time() + after)


def names(target: Folder) -> list[str]:
    return [row.name for row in ArchiveIndex(index_uri(target.uri)).rows()]


def kept(source: Folder) -> dict[str, bytes]:
    """The originals, wherever they lie: under their own names, or aside."""
    return {name.rpartition("/")[2]: source.read(name) for name in source.everything()}


def failing(*arguments: Any) -> None:
    raise RuntimeError("no space left")


ALL = {name.rpartition("/")[2]: data for name, data in PHOTOS.items()}


def spoil(monkeypatch: pytest.MonkeyPatch, act: Callable[[], Any], step: str = "_verify_and_remove") -> None:
    """Do something just before a step of the run."""
    step_itself = getattr(running, step)

    def late(*arguments: Any) -> Any:
        act()
        return step_itself(*arguments)

    monkeypatch.setattr(running, step, late)


@pytest.mark.parametrize("kind", ["local", "gs"])
def test_from_nothing_to_originals_deleted(kind: str, tmp_path: Path, request: pytest.FixtureRequest) -> None:
    place = str(tmp_path) if kind == "local" else request.getfixturevalue("gcs")
    source, target = Folder(f"{place}/in").put(PHOTOS), Folder(f"{place}/arc")
    first = once(policy(source, target))
    assert (first.encoded, first.removed, first.stage) == (3, 0, "finished") and not first.problems
    assert {*target.files()} == {"shard-00000.tar", "shard-00001.tar"} and source.files() == PHOTOS
    before = target.files()
    assert once(policy(source, target)).encoded == 0 and target.files() == before
    source.put({"d.png": photo_file(64, 64, 4)})
    asked = deleting(source, target, grace="7d")
    run = once(asked)
    assert (run.encoded, run.verified, run.removed, run.purged) == (1, 4, 4, 0) and not run.problems
    assert {*target.files()} == {*before, "shard-00002.tar"} and not source.files()
    assert names(target) == sorted(full_name(source.path(name)) for name in (*PHOTOS, "d.png"))
    assert once(asked, after=8 * DAY).purged == 4 and not source.everything()
    assert main(["verify", target.uri, "--all", "--accelerator=cpu"]) == 0


def test_moved_originals_and_one_picture_back(source: Folder, target: Folder, tmp_path: Path) -> None:
    cold = Folder(str(tmp_path / "cold"))
    run = once(policy(source, target, originals="move", accept_loss=True, move_to=cold.uri, grace=0))
    assert run.purged == 3 and not source.everything()
    assert sorted(cold.files().values()) == sorted(PHOTOS.values())
    words = ["--output", str(tmp_path / "back"), "--accelerator=cpu"]
    assert main(["get", target.uri, full_name(source.path("a.png")), *words]) == 0


def damage_shard(target: Folder, where: str) -> None:
    """Spoil the first picture of the first shard, the tar's own bytes around it, or the whole file."""
    shard = bytearray(target.read("shard-00000.tar"))
    row = next(ArchiveIndex(index_uri(target.uri)).rows())
    if where == "gone":
        target.delete("shard-00000.tar")
        return
    shard[{"header": 10, "picture": row.offset + row.length // 2, "cut": 0}[where]] ^= 1
    target.put({"shard-00000.tar": bytes(shard[:700] if where == "cut" else shard)})


@pytest.mark.parametrize("where", ["header", "picture", "cut", "gone"])
def test_a_damaged_shard_stops_every_removal(
    where: str, source: Folder, target: Folder, monkeypatch: pytest.MonkeyPatch
) -> None:
    spoil(monkeypatch, lambda: damage_shard(target, where))
    run = once(deleting(source, target, grace=0))
    assert source.files() == PHOTOS and run.removed == run.purged == 0
    assert run.bad >= 1 and any("no original was touched" in problem for problem in run.problems)


def rewrite_index(target: Folder, change: Callable[[list[Any]], list[Any]]) -> None:
    rows = list(ArchiveIndex(index_uri(target.uri)).rows())
    write_index(index_uri(target.uri), change(rows), target.uri)


@pytest.mark.parametrize(
    ("change", "bad"),
    [
        (lambda rows: rows[1:], 1),
        (lambda rows: [replace(rows[0], height=1), *rows[1:]], 1),
        (lambda rows: [replace(rows[1], name=rows[0].name), *rows[1:]], 1),
        (lambda rows: [], 3),
    ],
    ids=["missing", "wrong", "another's", "empty"],
)
def test_an_index_that_does_not_tell_stops_every_removal(
    change: Callable[[list[Any]], list[Any]],
    bad: int,
    source: Folder,
    target: Folder,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    spoil(monkeypatch, lambda: rewrite_index(target, change))
    run = once(deleting(source, target, grace=0))
    assert source.files() == PHOTOS and (run.bad, run.removed) == (bad, 0)


def test_a_picture_that_decodes_worse_than_recorded(
    source: Folder, target: Folder, monkeypatch: pytest.MonkeyPatch
) -> None:
    verify = Verifier.verify

    def stricter(self: Verifier, claim: Claim) -> Finding:
        return verify(self, replace(claim, row=replace(claim.row, psnr=claim.row.psnr + 1)))

    monkeypatch.setattr(Verifier, "verify", stricter)
    assert once(deleting(source, target, grace=0)).bad == 3 and source.files() == PHOTOS


def test_a_missing_row_of_the_manifest_keeps_its_original(
    source: Folder, target: Folder, monkeypatch: pytest.MonkeyPatch
) -> None:
    rows = running.read_manifest

    def without(destination: str) -> dict[str, ManifestRow]:
        return {uri: row for uri, row in rows(destination).items() if not uri.endswith("a.png")}

    monkeypatch.setattr(running, "read_manifest", without)
    run = once(deleting(source, target, grace=0))
    assert source.files() == {"a.png": PHOTOS["a.png"]} and run.kept == {"not archived": 1}


@pytest.mark.parametrize("step", ["_verify_and_remove", "_remove"])
def test_an_object_that_changes_is_archived_beside_what_was_there(
    step: str, source: Folder, target: Folder, monkeypatch: pytest.MonkeyPatch
) -> None:
    new = photo_file(80, 80, 9)
    with monkeypatch.context() as patch:
        spoil(patch, lambda: source.put({"a.png": new}), step)
        run = once(deleting(source, target, grace=0))
    assert source.files() == {"a.png": new} and (run.removed, run.bad) == (2, 0)
    assert run.kept == {"changed since it was archived": 1}
    name = full_name(source.path("a.png"))
    version = version_name(name, source.everything()["a.png"])
    run = once(deleting(source, target, grace=0))
    assert (run.encoded, run.purged) == (1, 1) and not source.everything()
    assert len(names(target)) == 4 and {name, version} <= {*names(target)}


def test_a_crash_between_verify_and_delete(source: Folder, target: Folder, monkeypatch: pytest.MonkeyPatch) -> None:
    take, calls = running.take_away, []

    def dying(*arguments: Any) -> None:
        calls.append(arguments)
        if len(calls) == 2:
            raise KeyboardInterrupt
        take(*arguments)

    asked = deleting(source, target, grace="1d")
    with monkeypatch.context() as patch:
        patch.setattr(running, "take_away", dying)
        with pytest.raises(KeyboardInterrupt):
            once(asked)
    assert kept(source) == ALL and read_runs(target.uri)[-1].stage == "failed"
    assert not once(asked).problems and not source.files() and kept(source) == ALL
    assert once(asked, after=3 * DAY).purged == 3 and not source.everything()


def test_a_shard_damaged_during_the_grace_keeps_what_lies_aside(source: Folder, target: Folder) -> None:
    asked = deleting(source, target, grace="1d")
    once(asked)
    damage_shard(target, "picture")
    run = once(asked, after=2 * DAY)
    assert run.purged == 2 and any("stays" in problem for problem in run.problems)
    assert kept(source) == {"a.png": PHOTOS["a.png"]}


def test_what_is_damaged_is_had_again_from_its_original(source: Folder, target: Folder) -> None:
    once(policy(source, target))
    damage_shard(target, "picture")
    assert once(deleting(source, target, grace=0)).bad == 1 and source.files() == PHOTOS
    assert main(["reindex", target.uri]) == 1
    run = once(deleting(source, target, grace=0))
    assert (run.encoded, run.purged) == (1, 3) and not source.everything()


def test_a_name_with_brackets_beside_the_name_it_would_match(tmp_path: Path, target: Folder) -> None:
    pictures = {"a[1].png": photo_file(64, 64, 1), "a1.png": photo_file(64, 64, 2)}
    source = Folder(str(tmp_path / "in")).put(pictures)
    assert once(deleting(source, target, grace=0, exclude=["a1.png"])).purged == 1
    assert source.files() == {"a1.png": pictures["a1.png"]}
    with tarfile.open(fileobj=io.BytesIO(target.read("shard-00000.tar"))) as file:
        assert file.getnames() == [f"{full_name(source.path('a[1].png'))}.avae"]


def test_a_name_used_again_after_its_first_picture_was_deleted(source: Folder, target: Folder) -> None:
    """The archive is all that is left of the first; the second must not take its place."""
    once(deleting(source, target, grace=0))
    first = target.files()
    source.put({"a.png": photo_file(80, 80, 9), "aa.png": photo_file(64, 64, 8)})
    assert once(deleting(source, target, grace=0)).purged == 2 and not source.everything()
    assert {name: target.read(name) for name in first} == first
    assert len(names(target)) == 5 and main(["verify", target.uri, "--all", "--accelerator=cpu"]) == 0


def test_a_lost_manifest_keeps_originals_until_they_are_archived_again(source: Folder, target: Folder) -> None:
    once(policy(source, target))
    target.delete(*target.own("manifest/"))
    run = once(deleting(source, target, grace=0))
    assert (run.encoded, run.verified, run.purged) == (3, 3, 3) and len(names(target)) == 6


def test_equal_names_in_two_sources(tmp_path: Path, target: Folder) -> None:
    one = Folder(str(tmp_path / "one")).put({"a.png": PHOTOS["a.png"]})
    two = Folder(str(tmp_path / "two")).put({"a.png": PHOTOS["sub/b.png"]})
    asked = deleting(one, target, grace=0, sources=[one.uri, two.uri, one.path("a.png")])
    assert once(asked).purged == 2 and not one.everything() and not two.everything()
    assert len(names(target)) == 2


@pytest.mark.parametrize("since", ["nothing", "a picture more"])
def test_a_run_killed_before_its_shards_were_published(
    since: str, source: Folder, target: Folder, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = deleting(source, target, grace=0)
    with monkeypatch.context() as patch:
        patch.setattr(packing, "publish_round", failing)
        with pytest.raises(JobError):
            once(asked)
    assert source.files() == PHOTOS and unfinished(asked) is not None
    lines = list(dry_run_lines(asked, "policy.yaml", select(asked, time.time()), time.time()))
    assert lines[0] == "first make the 2 shards of 3 objects that an earlier run left unfinished"
    if since != "nothing":
        source.put({"0.png": photo_file(64, 64, 5)})
    run = once(asked)
    count = 3 if since == "nothing" else 4
    assert run.purged == count and not source.everything() and len(names(target)) == count
    assert unfinished(asked) is None


def test_portions_fill_their_shards(source: Folder, target: Folder, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(running, "PORTION", 1)
    assert once(policy(source, target)).encoded == 3
    assert {*target.files()} == {"shard-00000.tar", "shard-00001.tar"}, "two jobs: two pictures fill a shard"


def test_a_policy_for_single_objects_does_not_touch_shards(source: Folder, target: Folder) -> None:
    once(policy(source, target))
    before = target.everything()
    with pytest.raises(DestinationError, match="shard_size"):
        once(policy(source, target, shard_size=None))
    assert target.everything() == before


def test_shards_are_not_put_among_single_objects(source: Folder, target: Folder) -> None:
    assert encode(source, target) == 0
    before = target.files()
    with pytest.raises(DestinationError, match="was filled with"):
        once(deleting(source, target, grace=0))
    assert target.files() == before and source.files() == PHOTOS


def test_the_template_makes_shards_and_goes_on_with_them(
    source: Folder, target: Folder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    words = {"sources": [source.uri], "destination": target.uri, "model": MODEL, "shard_size": SMALL}
    (tmp_path / "policy.yaml").write_text(json.dumps(words))
    launch = [f"--policy={tmp_path / 'policy.yaml'}", "--accelerator=cpu"]
    with monkeypatch.context() as patch:
        patch.setattr(packing, "publish_round", failing)
        assert run_and_report(launch) == 2
    source.put({"d.png": photo_file(64, 64, 4)})
    assert run_and_report(launch) == 0 and len(names(target)) == 3
    assert run_and_report(launch) == 0 and len(names(target)) == 4
