"""Schedules, written through stand-ins of crontab and systemctl that are real programs on the PATH."""

from __future__ import annotations

import shlex
import sys
from pathlib import Path

import pytest

from archivae.pipeline.cli import main

CRONTAB = """#!/bin/sh
if [ "$1" = -l ]; then
  [ -e "{table}" ] && exec cat "{table}"
  echo "no crontab for tester" >&2; exit 1
fi
exec cat > "{table}"
"""
SYSTEMCTL = '#!/bin/sh\necho "$@" >> "{table}"\n'


@pytest.fixture
def machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with a policy, the crontab in ``crontab``, what systemctl was told in ``systemctl``."""
    tools = tmp_path / "bin"
    tools.mkdir()
    for name, text in (("crontab", CRONTAB), ("systemctl", SYSTEMCTL)):
        (tools / name).write_text(text.format(table=tmp_path / name))
        (tools / name).chmod(0o755)
    monkeypatch.setenv("PATH", f"{tools}:/usr/bin:/bin")
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    (tmp_path / "my policy 50%.yaml").write_text("{sources: [/in], destination: /arc}")
    return tmp_path


def install(machine: Path, *words: str) -> int:
    return main(["schedule", "install", str(machine / "my policy 50%.yaml"), *words])


def test_cron_runs_the_policy_and_leaves_other_lines_alone(machine: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (machine / "crontab").write_text("MAILTO=me\n0 5 * * * backup # mine\n")
    assert install(machine, "--every", "weekly", "--at", "03:05", "--accelerator=cpu") == 0
    mail, backup, line = (machine / "crontab").read_text().splitlines()
    assert (mail, backup) == ("MAILTO=me", "0 5 * * * backup # mine")
    assert line.startswith("5 3 * * 1 flock ") and line.endswith(" # archivae-my-policy-50")
    words = shlex.split(line.removeprefix("5 3 * * 1 ").rpartition(" #")[0].replace(r"\%", "%"))
    assert words[3:] == [
        sys.executable,
        "-m",
        "archivae",
        "archive",
        str(machine / "my policy 50%.yaml"),
        "--accelerator=cpu",
    ]
    capsys.readouterr()
    assert main(["schedule", "show"]) == 0
    assert capsys.readouterr().out.strip() == line


def test_installed_twice_is_there_once_and_removed_is_gone(machine: Path) -> None:
    assert install(machine) == 0 and install(machine, "--at", "04:00") == 0
    assert (machine / "crontab").read_text().count("\n") == 1
    assert install(machine, "--name", "my-policy-50-b") == 0  # whose mark begins like the other's
    assert main(["schedule", "remove", "my-policy-50"]) == 0
    assert (machine / "crontab").read_text().rstrip().endswith("# archivae-my-policy-50-b")
    assert main(["schedule", "remove", "my-policy-50"]) == 2


def test_a_crontab_that_cannot_be_read_is_not_overwritten(machine: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (machine / "bin" / "crontab").write_text(
        f'#!/bin/sh\n[ "$1" = -l ] && {{ echo denied >&2; exit 1; }}\ncat > {machine}/crontab\n'
    )
    assert install(machine) == 2
    assert "denied" in capsys.readouterr().err and not (machine / "crontab").exists()


def test_systemd_gets_a_service_and_a_timer(machine: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert install(machine, "--with=systemd", "--every=daily", "--at=02:30") == 0
    units = machine / "config" / "systemd" / "user"
    timer, service = ((units / f"archivae-my-policy-50.{kind}").read_text() for kind in ("timer", "service"))
    assert "OnCalendar=*-*-* 02:30:00" in timer and "Persistent=true" in timer
    assert f'"archive" "{machine}/my policy 50%%.yaml"' in service and "Type=oneshot" in service
    told = (machine / "systemctl").read_text()
    assert told == "--user daemon-reload\n--user enable --now archivae-my-policy-50.timer\n"
    assert main(["schedule", "show", "--with=systemd"]) == 0
    assert "archivae-my-policy-50: *-*-* 02:30:00" in capsys.readouterr().out
    assert main(["schedule", "remove", "my-policy-50", "--with=systemd"]) == 0
    assert not list(units.iterdir())


def test_the_dry_run_writes_nothing(machine: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for way in ("cron", "systemd"):
        assert install(machine, "--dry-run", f"--with={way}") == 0
        assert "archive" in capsys.readouterr().out
    assert not (machine / "crontab").exists() and not (machine / "config").exists()


@pytest.mark.parametrize("words", [["--at=25:00"], ["--name=Ü"], ["--other=a\nb"]])
def test_what_is_refused(words: list[str], machine: Path) -> None:
    assert install(machine, *words) == 2
    assert not (machine / "crontab").exists()


def test_a_wrong_policy_is_refused_when_it_is_scheduled(machine: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (machine / "p.yaml").write_text("{sources: [/in], destination: /arc, originals: delete}")
    assert main(["schedule", "install", str(machine / "p.yaml")]) == 2
    assert "accept_loss" in capsys.readouterr().err and not (machine / "crontab").exists()
