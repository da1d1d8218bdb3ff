"""Rounds of a job over what has come since."""

from __future__ import annotations

import os
import signal
from pathlib import Path

import pytest

from archivae.errors import DestinationError, NothingFoundError
from archivae.pipeline import cli
from archivae.pipeline.watch import keep_watching
from tests.end_to_end.jobs import Folder, encode
from tests.samples import photo_file


def end() -> None:
    os.kill(os.getpid(), signal.SIGTERM)


def test_rounds_go_on_until_the_end_is_asked_for() -> None:
    rounds: list[bool] = []

    def run(retry_failed: bool) -> int:
        rounds.append(retry_failed)
        if len(rounds) == 1:
            raise NothingFoundError("nothing yet")
        if len(rounds) == 4:
            end()
        return len(rounds) % 2

    assert keep_watching(run, every=0.001) == 1
    assert rounds == [True, True, False, False]
    assert signal.getsignal(signal.SIGTERM) == signal.SIG_DFL


def test_any_other_error_ends_it() -> None:
    def run(_: bool) -> int:
        raise DestinationError("taken")

    with pytest.raises(DestinationError):
        keep_watching(run, every=0.001)


def test_new_objects_are_taken_and_what_failed_is_left(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    source, archive = Folder(str(tmp_path / "in")), Folder(str(tmp_path / "out"))
    source.put({"a.png": photo_file(), "broken.png": photo_file()[:100]})
    done: list[int] = []
    run = cli.run

    def run_and_put(*arguments: object, **words: object) -> object:
        result = run(*arguments, **words)  # type: ignore[arg-type]
        done.append(len(result.rows))  # type: ignore[union-attr]
        if len(done) == 1:
            source.put({"b.png": photo_file(seed=2)})
        if len(done) == 3:
            end()
        return result

    monkeypatch.setattr(cli, "run", run_and_put)
    assert encode(source, archive, "--watch=1") == 1
    assert done == [2, 1, 0]
    assert sorted(archive.files()) == ["a.png.avae", "b.png.avae"] and len(archive.own("dead-letters")) == 1
