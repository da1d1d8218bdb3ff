from __future__ import annotations

import argparse
import json
from typing import Any

import pytest
from apache_beam.options.pipeline_options import PipelineOptions

from archivae.errors import UsageError
from archivae.operations import goals
from archivae.operations.rate import (
    Lossless,
    MaxBytes,
    Quality,
    Rate,
    TargetBpp,
    TargetPsnr,
    TargetSsim,
    TargetSsimulacra2,
)
from archivae.operations.restoration import Restoration
from archivae.pipeline.cli import _PASSED_ON, _pipeline_arguments, build_parser
from archivae.pipeline.options import Settings, add_encode_arguments

PLAIN = ["--operation=encode", "--input=a", "--output=b"]


def settings(*words: str) -> Settings:
    return Settings.from_options(PipelineOptions([*PLAIN, *words]))


def from_command(*words: str) -> Settings:
    arguments = build_parser().parse_args(["encode", "a", "b", *words])
    return Settings.from_options(PipelineOptions(_pipeline_arguments(arguments)))


def test_an_archive_says_how_large_its_shards_shall_be() -> None:
    for words in (["--archive", "--shard-size=64MiB"], ["--archive", "--shard_size=64 MiB"]):
        found = from_command(*words)
        assert found.archive and not found.append and found.shard_size == 64 << 20
        assert json.loads(found.canonical("m"))["shard_size"] == 64 << 20
    plain = from_command("--shard-size=64MiB")
    assert not plain.archive and "shard_size" not in json.loads(plain.canonical("m"))
    arguments = build_parser().parse_args(["append", "a", "b"])
    appending = Settings.from_options(PipelineOptions(_pipeline_arguments(arguments)))
    assert (appending.operation, appending.append, appending.archive) == ("encode", True, True)


@pytest.mark.parametrize("size", ["", "MiB", "0", "-1", "12 furlongs", "1e9"])
def test_sizes_that_are_none(size: str) -> None:
    with pytest.raises(UsageError, match="such as 256MiB"):
        from_command("--archive", f"--shard-size={size}")


@pytest.mark.parametrize("words", [["--archive", "--overwrite"], ["--archive", "--operation=decode"]])
def test_what_does_not_go_with_an_archive(words: list[str]) -> None:
    with pytest.raises(UsageError, match="do not go with"):
        settings(*words)


@pytest.mark.parametrize(
    ("words", "rate"),
    [
        ([], Quality(60)),
        (["--quality=0"], Quality(0)),
        (["--target_psnr=38"], TargetPsnr(38)),
        (["--target_ssim=.98"], TargetSsim(0.98)),
        (["--target_ssimulacra2=75"], TargetSsimulacra2(75)),
        (["--target_bpp=.5"], TargetBpp(0.5)),
        (["--max_bytes=20000"], MaxBytes(20000)),
        (["--lossless"], Lossless()),
    ],
)
def test_what_is_asked_for_in_either_spelling(words: list[str], rate: Rate) -> None:
    dashed = [word.replace("_", "-") for word in words]
    for given in (words, dashed):
        assert settings(*given).rate == rate == from_command(*given).rate


def test_the_command_hands_on_every_option_of_encode() -> None:
    parser = argparse.ArgumentParser()
    add_encode_arguments(parser)
    assert {action.dest for action in parser._actions} - {"help"} <= _PASSED_ON


def test_effort_decides_what_is_written_only_where_there_is_some() -> None:
    plain, none, hard = settings(), settings("--effort=0"), settings("--effort", "2")
    assert plain.canonical("id") == none.canonical("id") and "effort" not in plain.canonical("id")
    assert json.loads(hard.canonical("id"))["effort"] == 2 == from_command("--effort=2").effort
    for effort in ("-1", "4"):
        with pytest.raises(UsageError, match=f"effort goes from 0 to 3 in whole numbers, found {effort}"):
            settings(f"--effort={effort}")


def test_a_measure_that_is_not_installed_is_refused_before_anything_is_read(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(goals, "has_ssimulacra2", lambda: False)
    with pytest.raises(UsageError, match=r"install archivae\[ssimulacra2\]"):
        settings("--target-ssimulacra2=75")
    assert settings("--target-psnr=38").rate == TargetPsnr(38)


@pytest.mark.parametrize("other", ["--quality=60", "--target-ssim=.9", "--lossless"])
def test_two_at_once_are_refused(other: str) -> None:
    for read in (settings, from_command):
        with pytest.raises(UsageError, match="at once: choose one"):
            read("--max-bytes=5000", other)


@pytest.mark.parametrize(
    ("word", "asked"),
    [
        ("--quality=33.5", {"quality": 33.5}),
        ("--target-psnr=38", {"target_psnr": 38.0}),
        ("--max-bytes=900", {"max_bytes": 900}),
        ("--lossless", {"lossless": True}),
    ],
)
def test_a_run_is_known_by_what_it_asks_for(word: str, asked: dict[str, Any]) -> None:
    assert json.loads(settings(word).canonical("abc")) == {"operation": "encode", "model": "abc", **asked}


def test_decode_is_not_known_by_it() -> None:
    words = ["--operation=decode", "--lossless"]
    assert json.loads(settings(*words).canonical("")) == {"operation": "decode", "format": "png"}


RESTORE = ["--operation=restore", "--input=a", "--output=b"]


def restoration(*words: str) -> Restoration | None:
    return Settings.from_options(PipelineOptions([*RESTORE, *words])).restoration


@pytest.mark.parametrize(
    ("words", "wanted"),
    [
        (["--task=auto"], Restoration()),
        (["--task=denoise", "--strength=15"], Restoration("denoise", 15.0)),
        (["--task=inpaint", "--masks=*_mask.png"], Restoration("inpaint", masks="*_mask.png")),
        (["--task=inpaint", "--mask_colour=ff00ff"], Restoration("inpaint", mask_colour="ff00ff")),
        (["--task=dejpeg", "--restorers=run"], Restoration("dejpeg", restorers="run")),
    ],
)
def test_a_restoration_in_every_spelling(words: list[str], wanted: Restoration) -> None:
    dashed = [word.replace("_colour", "-colour") for word in words]
    for given in (words, dashed):
        assert restoration(*given) == wanted
        arguments = build_parser().parse_args(["restore", "a", "b", *given])
        assert Settings.from_options(PipelineOptions(_pipeline_arguments(arguments))).restoration == wanted
        before_encode = [word.replace("--task", "--restore") for word in given]
        assert settings(*before_encode).restoration == wanted == from_command(*before_encode).restoration


def test_a_restoration_makes_another_run() -> None:
    asked = settings("--restore=denoise", "--strength=15").canonical("abc", {"denoise": "def"})
    restored = {"task": "denoise", "strength": 15.0, "models": {"denoise": "def"}}
    assert json.loads(asked) == {"operation": "encode", "model": "abc", "quality": 60.0, "restore": restored}
    alone = Settings.from_options(PipelineOptions([*RESTORE, "--task=auto", "--format=webp"])).canonical("")
    assert json.loads(alone) == {"operation": "restore", "format": "webp", "restore": {"task": "auto", "models": {}}}


@pytest.mark.parametrize("word", ["--strength=3", "--masks=*.png", "--mask-colour=ff00ff", "--restorers=run"])
def test_words_of_a_restoration_need_one(word: str) -> None:
    for operation in ("encode", "decode"):
        with pytest.raises(UsageError, match="belongs to a restoration"):
            settings(f"--operation={operation}", word)
