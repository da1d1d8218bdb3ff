"""Runs of a policy, and every way an original might be lost that could be thought of: none is."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from archivae.errors import JobError, StorageError, UsageError
from archivae.pipeline.archiving import run as running
from archivae.pipeline.archiving.ledger import Run, open_removals, read_runs
from archivae.pipeline.archiving.naming import full_name
from archivae.pipeline.archiving.policy import Policy, parse_policy
from archivae.pipeline.archiving.run import archive
from archivae.pipeline.archiving.selection import select
from archivae.pipeline.archiving.verification import Claim, Verifier, verify_all
from archivae.pipeline.cli import main
from archivae.storage import ManifestRow, gcs_removal
from tests.end_to_end.jobs import MODEL, PHOTOS, Folder
from tests.samples import file_of, photo_file, two_colours

DAY = 86400.0


@pytest.fixture(params=["local", "gs"])
def place(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    return str(tmp_path) if request.param == "local" else request.getfixturevalue("gcs")


@pytest.fixture
def source(place: str) -> Folder:
    return Folder(f"{place}/in").put(PHOTOS)


@pytest.fixture
def target(place: str) -> Folder:
    return Folder(f"{place}/arc")


def policy(source: Folder, target: Folder, **words: Any) -> Policy:
    return parse_policy({"sources": [source.uri], "destination": target.uri, "model": MODEL, **words})


def deleting(source: Folder, target: Folder, **words: Any) -> Policy:
    return policy(source, target, originals="delete", accept_loss=True, **words)


def once(policy: Policy, after: float = 0.0) -> Run:
    return archive(policy, "policy.yaml", ["--accelerator=cpu"], now=lambda: time.time() + after)


def originals(source: Folder) -> dict[str, bytes]:
    """What is left of them, wherever it lies: under its own name, or aside."""
    everything = {name: source.read(name) for name in source.everything()}
    return {name.rpartition("/")[2] if "quarantine" in name else name: data for name, data in everything.items()}


def archived(target: Folder, source: Folder, name: str) -> str:
    return f"{full_name(source.path(name))}.avae"


def test_originals_are_kept_and_runs_idempotent(source: Folder, target: Folder) -> None:
    before = source.everything()
    first = once(policy(source, target))
    assert (first.encoded, first.failed, first.removed, first.stage) == (3, 0, 0, "finished")
    assert {*target.files()} == {archived(target, source, name) for name in PHOTOS}
    second = once(policy(source, target))
    assert (second.encoded, second.removed) == (0, 0)
    assert source.everything() == before
    assert [run.encoded for run in read_runs(target.uri)] == [3, 0]


def test_deleted_after_verification_and_grace(source: Folder, target: Folder) -> None:
    asked = deleting(source, target, grace="7d")
    first = once(asked)
    assert (first.encoded, first.verified, first.removed, first.purged) == (3, 3, 3, 0) and not first.problems
    assert not source.files()
    assert sorted(originals(source)) == ["a.png", "b.png", "c.png"]  # aside, all of them
    assert once(asked, after=6 * DAY).purged == 0
    assert len(originals(source)) == 3
    late = once(asked, after=8 * DAY)
    assert late.purged == 3 and not source.everything()
    assert not open_removals(target.uri)
    assert once(asked, after=9 * DAY).purged == 0
    assert len(target.files()) == 3


def test_without_grace_they_are_gone_at_once(source: Folder, target: Folder) -> None:
    assert once(deleting(source, target, grace=0)).purged == 3
    assert not source.everything() and len(target.files()) == 3


def test_moved_originals_arrive_byte_for_byte(source: Folder, target: Folder, place: str) -> None:
    cold = Folder(f"{place}/cold")
    asked = policy(source, target, originals="move", accept_loss=True, move_to=cold.uri, grace=0)
    assert once(asked).purged == 3
    assert {name: cold.read(name) for name in cold.files()} == {
        full_name(source.path(name)): data for name, data in PHOTOS.items()
    }
    assert not source.everything()


def test_a_place_that_is_taken_stops_the_move(source: Folder, target: Folder, place: str) -> None:
    cold = Folder(f"{place}/cold").put({full_name(source.path("a.png")): b"somebody else's"})
    run = once(policy(source, target, originals="move", accept_loss=True, move_to=cold.uri, grace=0))
    assert run.removed == 2 and source.files() == {"a.png": PHOTOS["a.png"]}
    assert cold.read(full_name(source.path("a.png"))) == b"somebody else's"


def test_lossy_originals_stay_where_loss_is_not_accepted(place: str, target: Folder) -> None:
    """A lossless policy over an archive whose rows say that they are lossy."""
    source = Folder(f"{place}/in").put(PHOTOS)
    once(policy(source, target))
    asked = policy(source, target, originals="delete", lossless=True)
    assert once(asked).kept == {"stored with loss": 3}
    assert source.files() == PHOTOS


def test_lossless_originals_may_go_without_accepting_loss(place: str, target: Folder) -> None:
    source = Folder(f"{place}/in").put({"icon.png": file_of(two_colours())})
    run = once(policy(source, target, originals="delete", lossless=True, grace=0))
    assert run.removed == run.purged == 1 and not source.everything()


def test_an_animation_of_which_one_frame_is_archived_stays(tmp_path: Path, target: Folder) -> None:
    from PIL import Image

    folder = tmp_path / "gifs"
    folder.mkdir()
    frames = [Image.fromarray(two_colours(32, 32)), Image.fromarray(two_colours(32, 32)[::-1])]
    frames[0].save(folder / "two.gif", save_all=True, append_images=frames[1:])
    source = Folder(str(folder))
    run = once(deleting(source, target, grace=0))
    assert source.files().keys() == {"two.gif"} and run.removed == 0


# Each of the following spoils something between the verification and the removal, or before it.


def spoil(monkeypatch: pytest.MonkeyPatch, act: Callable[[], None], step: str = "_remove") -> None:
    step_itself = getattr(running, step)

    def late(*arguments: Any) -> Any:
        act()
        return step_itself(*arguments)

    monkeypatch.setattr(running, step, late)


def test_an_object_changed_between_verify_and_delete(
    source: Folder, target: Folder, monkeypatch: pytest.MonkeyPatch
) -> None:
    new = photo_file(80, 80, 9)
    spoil(monkeypatch, lambda: source.put({"a.png": new}) and None)
    run = once(deleting(source, target, grace=0))
    assert source.files() == {"a.png": new} and run.removed == 2
    assert run.kept == {"changed since it was archived": 1}


def test_an_object_changed_between_encode_and_verify(
    source: Folder, target: Folder, monkeypatch: pytest.MonkeyPatch
) -> None:
    new = photo_file(80, 80, 9)
    spoil(monkeypatch, lambda: source.put({"a.png": new}) and None, "_verify_and_remove")
    run = once(deleting(source, target, grace=0))
    assert source.files() == {"a.png": new} and run.removed == 2 and run.bad == 0


@pytest.mark.parametrize("damage", ["flip", "cut", "gone", "other"])
def test_one_damaged_picture_stops_every_removal(
    damage: str, source: Folder, target: Folder, monkeypatch: pytest.MonkeyPatch
) -> None:
    def act() -> None:
        name = archived(target, source, "a.png")
        data = bytearray(target.read(name))
        data[len(data) // 2] ^= 1
        other = target.read(archived(target, source, "sub/b.png"))
        if damage == "gone":
            target.delete(name)
        else:
            target.put({name: {"flip": bytes(data), "cut": bytes(data[:-9]), "other": other}[damage]})

    spoil(monkeypatch, act, "_verify_and_remove")
    run = once(deleting(source, target, grace=0))
    assert source.files() == PHOTOS and (run.bad, run.removed, run.purged) == (1, 0, 0)
    assert any("no original was touched" in problem for problem in run.problems)


def worse_than_recorded(claim: Claim) -> Claim:
    return replace(claim, row=replace(claim.row, psnr=claim.row.psnr + 1))


def test_a_picture_that_decodes_worse_than_recorded(
    source: Folder, target: Folder, monkeypatch: pytest.MonkeyPatch
) -> None:
    verify = Verifier.verify
    monkeypatch.setattr(Verifier, "verify", lambda self, claim: verify(self, worse_than_recorded(claim)))
    run = once(deleting(source, target, grace=0))
    assert source.files() == PHOTOS and run.bad == 3


def test_the_archives_own_model_is_what_decodes(
    source: Folder, target: Folder, monkeypatch: pytest.MonkeyPatch
) -> None:
    spoil(monkeypatch, lambda: target.delete(*target.own("models/")), "_verify_and_remove")
    run = once(deleting(source, target, grace=0))
    assert source.files() == PHOTOS and run.removed == 0 and run.bad == 3


def test_a_missing_row_keeps_its_original(source: Folder, target: Folder, monkeypatch: pytest.MonkeyPatch) -> None:
    rows = running.read_manifest

    def without(destination: str) -> dict[str, ManifestRow]:
        return {uri: row for uri, row in rows(destination).items() if not uri.endswith("a.png")}

    monkeypatch.setattr(running, "read_manifest", without)
    run = once(deleting(source, target, grace=0))
    assert source.files() == {"a.png": PHOTOS["a.png"]} and run.kept == {"not archived": 1}


@pytest.mark.parametrize("crashed", ["before", "after"])
def test_a_crash_in_the_middle_of_removing(
    crashed: str, source: Folder, target: Folder, monkeypatch: pytest.MonkeyPatch
) -> None:
    take, calls = running.take_away, []

    def dying(*arguments: Any) -> None:
        calls.append(arguments)
        if len(calls) == 2 and crashed == "before":
            raise KeyboardInterrupt
        take(*arguments)
        if len(calls) == 2:
            raise KeyboardInterrupt

    monkeypatch.setattr(running, "take_away", dying)
    asked = deleting(source, target, grace="1d")
    with pytest.raises(KeyboardInterrupt):
        once(asked)
    assert sorted(data for data in originals(source).values()) == sorted(PHOTOS.values())
    assert read_runs(target.uri)[-1].stage == "failed"
    monkeypatch.setattr(running, "take_away", take)
    assert not once(asked).problems
    assert not source.files() and len(originals(source)) == 3
    assert once(asked, after=3 * DAY).purged == 3 and not source.everything()


def test_a_damaged_archive_keeps_what_lies_aside(source: Folder, target: Folder) -> None:
    asked = deleting(source, target, grace="1d")
    once(asked)
    target.put({archived(target, source, "a.png"): b"damaged"})
    run = once(asked, after=2 * DAY)
    assert run.purged == 2 and any("stays" in problem for problem in run.problems)
    assert originals(source) == {"a.png": PHOTOS["a.png"]}
    assert once(asked, after=3 * DAY).purged == 0  # and the next run asks again
    assert originals(source) == {"a.png": PHOTOS["a.png"]}


def test_where_deleting_is_forbidden_no_run_leaves_another_copy(gcs: str, monkeypatch: pytest.MonkeyPatch) -> None:
    source, target = Folder(f"{gcs}/in").put(PHOTOS), Folder(f"{gcs}/arc")
    asked = deleting(source, target, grace="7d")

    def forbidden(*arguments: Any) -> None:
        raise StorageError("the account in use may not")

    delete = gcs_removal._delete
    monkeypatch.setattr(gcs_removal, "_delete", forbidden)
    for day in (0, 1):
        assert once(asked, after=day * DAY).kept == {"it could not be taken away": 3}
    assert source.files() == PHOTOS and len(source.everything()) == 6
    monkeypatch.setattr(gcs_removal, "_delete", delete)
    assert once(asked, after=5 * DAY).removed == 3
    assert once(asked, after=9 * DAY).purged == 0  # the grace runs from when they went
    assert once(asked, after=13 * DAY).purged == 3 and not source.everything()


def test_a_name_with_brackets_beside_the_name_it_would_match(place: str, target: Folder) -> None:
    source = Folder(f"{place}/in").put({"a[1].png": photo_file(64, 64, 1), "a1.png": photo_file(64, 64, 2)})
    asked = deleting(source, target, grace=0, exclude=["a1.png"])
    assert once(asked).purged == 1
    assert {*source.everything()} == {"a1.png"}


def test_a_failing_job_touches_nothing(source: Folder, target: Folder, monkeypatch: pytest.MonkeyPatch) -> None:
    def failing(*arguments: Any, **words: Any) -> None:
        raise JobError("the job failed")

    monkeypatch.setattr(running, "run_job", failing)
    with pytest.raises(JobError):
        once(deleting(source, target, grace=0))
    assert source.files() == PHOTOS and read_runs(target.uri)[-1].stage == "failed"


def test_a_picture_that_cannot_be_encoded_stays(source: Folder, target: Folder) -> None:
    source.put({"cut.png": PHOTOS["a.png"][:500]})
    run = once(deleting(source, target, grace=0))
    assert run.failed == 1 and source.files() == {"cut.png": PHOTOS["a.png"][:500]}
    assert run.kept == {"not archived": 1}


def test_two_processes_verify_as_one_does(tmp_path: Path) -> None:
    source, target = Folder(str(tmp_path / "in")).put(PHOTOS), Folder(str(tmp_path / "arc"))
    asked = policy(source, target)
    once(asked)
    target.put({archived(target, source, "a.png"): b"damaged"})
    rows = sorted(target.rows().values(), key=lambda row: row.name)
    alone, together = (list(verify_all(asked, map(Claim, rows), processes)) for processes in (1, 2))
    assert alone == together and [finding.result for finding in alone] == ["bad", "good", "good"]


# What is chosen.


def test_age_patterns_and_budget(source: Folder, target: Folder) -> None:
    asked = policy(source, target, older_than="90d", include=["**/*.png"], exclude=["sub/deep/**"], max_objects=1)
    now = time.time()
    assert select(asked, now).aside == {"too young": 2, "excluded": 1}
    later = select(asked, now + 91 * DAY)
    assert [c.found.name for c in later.fresh] == ["a.png"] and later.aside == {"over budget": 1, "excluded": 1}
    by_size = policy(source, target, max_bytes=len(PHOTOS["a.png"]) + 1)
    assert [c.found.name for c in select(by_size, now).fresh] == ["a.png"]


def test_what_fails_does_not_use_up_every_runs_budget(source: Folder, target: Folder) -> None:
    source.put({f"0{n}.png": PHOTOS["a.png"][: 400 + n] for n in range(3)})
    asked = policy(source, target, max_objects=3)
    assert (once(asked).failed, once(asked).encoded) == (3, 3)


def test_a_large_object_lets_smaller_ones_pass(source: Folder, target: Folder) -> None:
    sizes = {name: len(data) for name, data in PHOTOS.items()}
    asked = policy(source, target, max_bytes=min(sizes.values()))
    assert [sizes[c.found.name] for c in select(asked, time.time()).fresh] == [min(sizes.values())]


def test_a_run_whose_hours_are_over_takes_nothing_away(
    source: Folder, target: Folder, monkeypatch: pytest.MonkeyPatch
) -> None:
    times = iter([0.0, 0.0, *[7200.0] * 50])
    run = archive(
        deleting(source, target, grace=0, max_hours=1),
        "p",
        ["--accelerator=cpu"],
        now=lambda: time.time() + next(times),
    )
    assert source.files() == PHOTOS and run.removed == 0
    assert "max_hours" in run.remark and not run.problems


def test_a_name_used_again_after_its_first_picture_was_deleted(source: Folder, target: Folder) -> None:
    """The archive is all that is left of the first; the second must not take its place."""
    once(deleting(source, target, grace=0))
    first = target.files()
    source.put({"a.png": photo_file(80, 80, 9)})
    assert once(deleting(source, target, grace=0)).purged == 1 and not source.everything()
    assert len(target.files()) == 4 and {name: target.read(name) for name in first} == first


def test_two_sources_with_equal_names(place: str, target: Folder) -> None:
    one, two = (
        Folder(f"{place}/one").put({"a.png": PHOTOS["a.png"]}),
        Folder(f"{place}/two").put({"a.png": PHOTOS["sub/b.png"]}),
    )
    asked = parse_policy({"sources": [one.uri, two.uri], "destination": target.uri, "model": MODEL})
    assert once(asked).encoded == 2
    assert {*target.files()} == {archived(target, one, "a.png"), archived(target, two, "a.png")}


# The command.


def write(path: Path, **words: Any) -> str:
    path.write_text(json.dumps(words))  # JSON is YAML
    return str(path)


def test_the_dry_run_says_what_happens_and_does_nothing(
    source: Folder, target: Folder, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = {
        "sources": [source.uri],
        "destination": target.uri,
        "model": MODEL,
        "originals": "delete",
        "accept_loss": True,
    }
    file = write(tmp_path / "policy.yaml", **words)
    keeping = write(tmp_path / "keep.yaml", **{**words, "originals": "keep"})
    before = source.everything()
    assert main(["archive", file, "--dry-run"]) == 0
    out = capsys.readouterr().out
    assert all(f"encode {source.path(name)}" in out and f"then delete {source.path(name)}" in out for name in PHOTOS)
    assert source.everything() == before and not target.everything()
    assert main(["archive", keeping, "--accelerator", "cpu"]) == 0
    assert main(["archive", file, "--dry-run"]) == 0
    assert all(f"delete {source.path(name)} (set aside as" in capsys.readouterr().out for name in ["a.png"])
    assert source.everything() == before
    assert main(["archive", file, "--accelerator", "cpu"]) == 0
    assert "3 verified, 0 not; 3 originals set aside" in capsys.readouterr().out
    assert not source.files()


@pytest.mark.parametrize("word", ["--no_wait_until_finish", "--input=elsewhere"])
def test_words_that_contradict_the_policy(word: str, source: Folder, target: Folder) -> None:
    with pytest.raises(UsageError, match="leave it out"):
        archive(policy(source, target), "p", [word])


def test_nothing_is_taken_that_was_not_written_down(
    source: Folder, target: Folder, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*arguments: Any) -> None:
        raise StorageError("no space left")

    monkeypatch.setattr(running, "record_removals", full)
    with pytest.raises(StorageError):
        once(deleting(source, target, grace=0))
    assert source.files() == PHOTOS
