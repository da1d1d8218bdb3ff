"""What the commands say and sample."""

from __future__ import annotations

from pathlib import Path

import pytest

from archivae.errors import UsageError
from archivae.operations.archive import Archive
from archivae.pipeline.archive_commands import _sampled, _shown, _targets
from archivae.pipeline.cli import main
from archivae.pipeline.quantities import share_of
from tests.archives import make_archive, pictures


@pytest.fixture
def archive(tmp_path: Path) -> str:
    make_archive(str(tmp_path), [pictures([f"{n:02}.png" for n in range(30)])])
    return str(tmp_path)


@pytest.mark.parametrize("text", ["0%", "101%", "-1%", "1", "x%", "", "nan%", "inf%"])
def test_shares_that_are_none(text: str) -> None:
    with pytest.raises(UsageError, match="such as 1%"):
        share_of(text, "--sample")


def test_a_sample_has_its_share_and_at_least_one_picture(archive: str) -> None:
    opened = Archive(archive)
    assert len(list(_sampled(opened, 0.1))) == 3
    assert len(list(_sampled(opened, 1.0))) == 30
    assert len(list(_sampled(opened, 0.0001))) == 1
    seen = {row.name for _ in range(60) for row in _sampled(opened, 0.0001)}
    assert len(seen) > 5, "every run sees the same picture"


def test_names_cannot_command_a_terminal() -> None:
    assert _shown("ä b.jpg") == "ä b.jpg" and "\x1b" not in _shown("\x1b[2J.jpg")


def test_names_that_collide_keep_their_endings() -> None:
    assert _targets(["a.jpg", "a.png", "b.gif"], "png") == {
        "a.jpg": "a.jpg.png",
        "a.png": "a.png.png",
        "b.gif": "b.png",
    }
    assert _targets(["a.jpg"], "avae") == {"a.jpg": "a.jpg.avae"}


def test_get_replaces_nothing_unless_it_is_told(archive: str, tmp_path: Path) -> None:
    out = tmp_path / "out"
    words = ["get", archive, "00.png", "01.png", "--output", str(out), "--accelerator=cpu"]
    assert main(words) == 0
    before = {path.name: path.stat().st_mtime_ns for path in out.glob("*.png")}
    assert len(before) == 2 and main(words) == 0
    assert {path.name: path.stat().st_mtime_ns for path in out.glob("*.png")} == before, "equal files stay as they are"
    (out / "00.png").write_bytes(b"a picture of the user's")
    (out / "01.png").unlink()
    assert main(words) == 1
    assert (out / "00.png").read_bytes() == b"a picture of the user's" and (out / "01.png").exists()
    assert main([*words, "--overwrite"]) == 0
    assert (out / "00.png").read_bytes() != b"a picture of the user's"


def test_verify_needs_no_model_where_none_was_used(archive: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["verify", archive, "--all", "--accelerator=cpu"]) == 0
    assert capsys.readouterr().out.splitlines() == ["30 of 30 pictures decoded, all 1 shards looked at", "all good"]


def test_ls_prints_a_plain_line_a_picture(archive: str, capfd: pytest.CaptureFixture[str]) -> None:
    assert main(["ls", archive]) == 0
    lines = capfd.readouterr().out.splitlines()
    assert len(lines) == 30 and lines[0].split("\t")[0] == "00.png" and lines[0].split("\t")[2] == "8x8"
