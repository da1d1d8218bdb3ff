"""A job that fails too often ends early, with all that it did recorded."""

from __future__ import annotations

from pathlib import Path

import pytest

from archivae.errors import UsageError
from archivae.pipeline.cli import main
from archivae.pipeline.quantities import failures_of
from archivae.pipeline.watch import keep_watching
from archivae.storage import DeadLetter, write_dead_letters
from archivae.storage.dead_letters import count_failed
from archivae.transforms.failures import FailureWatch, is_stopped, take_mark
from tests.autoencoders import weight_file
from tests.end_to_end.jobs import Folder, command, encode
from tests.samples import photo_file

WORKERS = ("--direct_running_mode=multi_processing", "--direct_num_workers=2")
GOOD = {f"good-{number}.png": photo_file(seed=number) for number in range(6)}
BAD = {f"bad-{number}.png": b"no picture" for number in range(4)}


@pytest.mark.parametrize(
    ("limit", "code"), [("4", 1), ("3", 2), ("0", 2), ("40%", 1), ("39%", 2), ("0%", 2), ("100%", 1)]
)
def test_more_than_that_many_end_the_job(
    tmp_path: Path, limit: str, code: int, capsys: pytest.CaptureFixture[str]
) -> None:
    source, archive = Folder(str(tmp_path / "in")).put(GOOD).put(BAD), Folder(str(tmp_path / "arc"))
    assert encode(source, archive, f"--max-failures={limit}") == code
    told = capsys.readouterr()
    assert ("ended early: more than the" in told.out) == (code == 2)
    assert f"{len(archive.rows()) - len(archive.letters())} done" in told.out
    assert archive.own("stopped-") == archive.own("lease") == []
    assert {name for name, row in archive.rows().items() if row.status == "failed"} == {*archive.letters()}
    assert {f"{row.name}.avae" for row in archive.rows().values() if row.status == "done"} == {*archive.files()}


def test_what_is_left_is_not_begun_and_the_next_run_goes_on(archive: Folder, source: Folder) -> None:
    source.put({f"{number}.png": b"no picture" if number % 2 else GOOD["good-0.png"] for number in range(60)})
    assert encode(source, archive, "--max-failures=1") == 2
    assert 2 <= len(archive.letters()) < 30 and len(archive.rows()) < 60
    assert {row.status for row in archive.rows().values()} == {"done", "failed"}, "what was begun was finished"
    assert encode(source, archive, "--max-failures=30") == 1
    assert len(archive.files()) == 30 and len(archive.rows()) == 60


def test_two_workers_count_together(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    source, archive = Folder(str(tmp_path / "in")).put(GOOD).put(BAD), Folder(str(tmp_path / "arc"))
    assert encode(source, archive, "--max-failures=3", *WORKERS) == 2
    assert "ended early" in capsys.readouterr().out
    assert {f"{row.name}.avae" for row in archive.rows().values() if row.status == "done"} == {*archive.files()}
    assert encode(source, archive, "--max-failures=40%", *WORKERS) == 2, "four of the four that are left"


def test_shards_of_a_stopped_job_are_not_published(tmp_path: Path) -> None:
    source, archive = Folder(str(tmp_path / "in")).put(GOOD).put(BAD), Folder(str(tmp_path / "arc"))
    assert encode(source, archive, "--archive", "--max-failures=2") == 2
    assert not archive.files() and not archive.own("index.parquet")
    assert encode(source, archive, "--archive", "--max-failures=4") == 1
    assert [*archive.files()] == ["shard-00000.tar"]
    assert main(["verify", archive.uri, "--all", "--accelerator=cpu"]) == 0


def test_every_operation(tmp_path: Path) -> None:
    source, out = Folder(str(tmp_path / "in")).put(GOOD).put(BAD), str(tmp_path / "out")
    avae = Folder(str(tmp_path / "avae")).put({f"{name}.avae": data for name, data in BAD.items()})
    model = f"--model={weight_file(tmp_path, 'vae')}"
    for number, (operation, origin, words) in enumerate(
        [
            ("decode", avae, []),
            ("restore", source, ["--task=denoise"]),
            ("embed", source, [model]),
            ("transform", source, [model, "--latent-op=0:+1"]),
        ]
    ):
        assert command(operation, origin, f"{out}-{number}", "--max-failures=1", *words) == 2, operation
    Folder(f"{out}-made").put({f"0000/{number:08d}.png": b"original" for number in range(3)})
    made = ["generate", f"{out}-made", "--count=3", model, "--accelerator=cpu"]
    assert (main([*made, "--max-failures=2"]), main([*made, "--max-failures=3"])) == (2, 1)


def test_verify(tmp_path: Path) -> None:
    source, archive = Folder(str(tmp_path / "in")).put(GOOD), Folder(str(tmp_path / "arc"))
    assert encode(source, archive, "--archive") == 0
    shard = archive.read("shard-00000.tar")
    archive.put({"shard-00000.tar": bytes(len(shard))})
    words = ["verify", archive.uri, "--all", "--accelerator=cpu", f"--report={tmp_path / 'report'}"]
    assert main([*words, "--max-failures=100"]) == 1
    assert main([*words[:-1], f"--report={tmp_path / 'again'}", "--max-failures=50%"]) == 2


@pytest.mark.parametrize("limit", ["", "-1", "1.5", "101%", "five", "5%%", "1e3"])
def test_limits_that_are_none(tmp_path: Path, limit: str) -> None:
    with pytest.raises(UsageError, match="--max-failures"):
        failures_of(limit, "--max-failures")
    assert encode(str(tmp_path), str(tmp_path / "arc"), f"--max-failures={limit}") == 2


@pytest.mark.parametrize(
    ("limit", "objects", "allowed"), [("29%", 100, 29), ("7%", 100, 7), ("2.5%", 79, 1), ("5%", 0, 0), ("12", 3, 12)]
)
def test_shares_are_exact(limit: str, objects: int, allowed: int) -> None:
    assert failures_of(limit, "--max-failures").of(objects) == allowed


def test_letters_of_all_workers_count_and_each_object_once(tmp_path: Path) -> None:
    place = str(tmp_path)
    watches = [FailureWatch(place, "run", 3) for _ in range(2)]
    letters = [DeadLetter(f"/in/{number}", "encode", "Error", "why") for number in range(4)]
    write_dead_letters(place, letters[:2], "run")
    write_dead_letters(place, letters, "another-run")
    write_dead_letters(place, letters[:2], "run")  # a bundle that was done again
    watches[0].look()
    assert count_failed(place, "run", 3) == 2 and not is_stopped(place, "run")
    assert not watches[0].is_due(0) and watches[0].is_due(1)
    write_dead_letters(place, letters[2:], "run")
    watches[1].look()
    assert is_stopped(place, "run") and not watches[1].is_due(100)
    assert (take_mark(place, "run"), take_mark(place, "run")) == (3, None)


def test_a_watch_ends_with_such_a_round() -> None:
    codes = iter([0, 1, 2, 0])
    assert keep_watching(lambda _: next(codes), every=0) == 2
    assert next(codes) == 0
