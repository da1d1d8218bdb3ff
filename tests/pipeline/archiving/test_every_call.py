"""A policy killed before and after every call by which it changes a disk: nothing is lost, and the next run completes."""

from __future__ import annotations

import hashlib
import shutil
from collections.abc import Callable, Iterator
from itertools import count
from pathlib import Path

import pytest

from archivae.bitstream import read_bitstream
from archivae.pipeline.archiving.policy import read_policy
from archivae.pipeline.archiving.verification import Claim, Verifier
from archivae.storage import read_manifest
from tests.end_to_end.jobs import Folder
from tests.pipeline.archiving.killing import KILLED, run_killed
from tests.pipeline.archiving.policies import keep, write_policy
from tests.samples import photo_file

PICTURES = {"a.png": photo_file(64, 64, 1), "sub/b.png": photo_file(64, 64, 2)}
RUN, UNDO = "run", "undo"


class Scene:
    """A collection and its policy, the same each time."""

    def __init__(self, root: Path, archived: bool, **words: object) -> None:
        self.root = root
        shutil.rmtree(root, ignore_errors=True)
        self.source, self.target = Folder(str(root / "in")).put(PICTURES), Folder(str(root / "arc"))
        self.words = {"originals": "delete", "accept_loss": True, "grace": 0, **words}
        self.file = write_policy(root / "policy.yaml", self.source, self.target, **self.words)
        for name in PICTURES if archived else ():
            keep(self.source, self.target, name)

    def act(self, action: str, call: int = 0, when: str = "before") -> tuple[int, int]:
        """The exit code, and how many calls were made."""
        accelerator = ("--accelerator=cpu",) if action == RUN else ()
        return run_killed(("policy", action, self.file, *accelerator), str(self.root), call, when)

    def check_nothing_is_lost(self) -> None:
        """Each original is somewhere, whole, or the archive holds it as the policy wants it."""
        there = {hashlib.sha256(self.source.read(name)).hexdigest() for name in self.source.everything()}
        for name, data in PICTURES.items():
            assert hashlib.sha256(data).hexdigest() in there or self.is_kept(name, data), f"{name} is lost"

    def is_kept(self, name: str, data: bytes) -> bool:
        """Decoded and compared with what the original was."""
        row = read_manifest(self.target.uri)[self.source.path(name)]
        copy = self.root / "copy"
        copy.write_bytes(data)
        finding = Verifier(read_policy(self.file)).verify(Claim(row, aside=str(copy)))
        copy.unlink()
        return finding.result == "good"

    def check_all_has_gone(self) -> None:
        """Into the archive, and no folder of ours is left behind."""
        assert not self.source.everything() and not [*Path(self.source.uri).rglob("_archivae")]
        made_of = {read_bitstream(data).source_sha256.hex() for data in self.target.files().values()}
        assert made_of == {hashlib.sha256(data).hexdigest() for data in PICTURES.values()}

    def check_all_is_back(self) -> None:
        everything = {name: self.source.read(name) for name in self.source.everything()}
        assert everything == PICTURES and not [*Path(self.source.uri).rglob("_archivae")]


def every_kill(make: Callable[[], Scene], action: str, least: int) -> Iterator[tuple[Scene, str]]:
    """A new scene after each kill, and which kill that was, until the action comes to its end; ``least``: calls it makes."""
    for call in count(1):
        for when in ("before", "after"):
            scene = make()
            code, made = scene.act(action, call, when)
            if made < call:
                assert code == 0 and made >= least, "the calls were not seen"
                return
            assert code == KILLED
            scene.check_nothing_is_lost()
            yield scene, f"after a kill {when} call {call}"


@pytest.mark.heavy
@pytest.mark.parametrize("originals", ["delete", "move"])
def test_a_run_killed_at_every_call_while_originals_go(originals: str, tmp_path: Path) -> None:
    """From the selection to the purge: the pictures are archived before."""
    root = tmp_path / "scene"
    words = {"originals": originals, **({"move_to": str(root / "cold")} if originals == "move" else {})}
    for scene, kill in every_kill(lambda: Scene(root, True, **words), RUN, 40):
        assert scene.act(RUN)[0] == 0, kill
        scene.check_all_has_gone()


@pytest.mark.heavy
def test_a_whole_run_killed_at_every_call(tmp_path: Path) -> None:
    """Encoding and all."""
    for scene, kill in every_kill(lambda: Scene(tmp_path / "scene", False), RUN, 80):
        assert scene.act(RUN)[0] == 0, kill
        scene.check_all_has_gone()


@pytest.mark.heavy
@pytest.mark.parametrize("between", [None, RUN])
def test_an_undo_killed_at_every_call(between: str | None, tmp_path: Path) -> None:
    """Then undone to the end; or a run comes between, which takes them away again."""

    def set_aside() -> Scene:
        scene = Scene(tmp_path / "scene", True, grace="7d")
        assert scene.act(RUN)[0] == 0 and not scene.source.files()
        return scene

    for scene, kill in every_kill(set_aside, UNDO, 10):
        if between:
            assert scene.act(between)[0] == 0 and not scene.source.files(), kill
        assert scene.act(UNDO)[0] == 0, kill
        scene.check_all_is_back()
