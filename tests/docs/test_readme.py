"""The README's examples are run as they stand."""

from __future__ import annotations

import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
README = (ROOT / "README.md").read_text(encoding="utf-8")


def blocks(language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```$", README, re.MULTILINE | re.DOTALL)


@pytest.fixture
def at_photos(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A working directory with two of the sample photographs in ``photos``."""
    (tmp_path / "photos").mkdir()
    for name in ("kodim04.png", "kodim23.png"):
        shutil.copy(ROOT / "examples" / "photos" / name, tmp_path / "photos")
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.mark.parametrize("number", range(len(blocks("python"))))
def test_python_examples_run(number: int, at_photos: Path) -> None:
    exec(compile(blocks("python")[number], "README.md", "exec"), {})


def test_the_transforms_example_gives_pictures_back(at_photos: Path) -> None:
    (example,) = (block for block in blocks("python") if "WriteImages" in block)
    exec(compile(example, "README.md", "exec"), {})
    assert sorted(path.name for path in (at_photos / "unpacked").glob("*.webp")) == ["kodim04.webp", "kodim23.webp"]


def test_commands_run(at_photos: Path) -> None:
    lines = [line for block in blocks("sh") for line in block.splitlines()]
    assert len(lines) >= 5
    for line in lines:
        words = shlex.split(line)
        module = ["archivae"] if words[0] == "archivae" else [words[2]]
        arguments = words[1:] if words[0] == "archivae" else words[3:]
        done = subprocess.run([sys.executable, "-m", *module, *arguments], capture_output=True, text=True)
        assert done.returncode == 0, (line, done.stderr)
    assert (at_photos / "restored" / "kodim04.png").exists()


def test_the_layout_names_real_folders() -> None:
    for folder in re.findall(r"^\| `(archivae/\w+)`", README, re.MULTILINE):
        assert (ROOT / folder / "__init__.py").is_file(), folder
