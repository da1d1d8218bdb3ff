"""Nothing is deleted for good that the archive does not hold by then, as well as the policy asks for."""

from __future__ import annotations

import json
import math
import time
from collections.abc import Callable
from dataclasses import replace
from io import BytesIO
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from archivae.bitstream import read_bitstream, write_bitstream
from archivae.models import codec_path
from archivae.operations.codec import named_codec
from archivae.operations.encode import encode_file
from archivae.operations.rate import Lossless, MaxBytes, Quality, Rate, TargetPsnr
from archivae.pipeline.archiving.run import archive
from archivae.pipeline.archiving.verification import Claim, Verifier
from archivae.storage import ManifestRow, read_manifest, write_fragment
from archivae.storage.archive_index import ArchiveIndex, write_index
from archivae.storage.archive_layout import index_uri
from tests.end_to_end.jobs import MODEL, PHOTOS, Folder
from tests.pipeline.archiving.policies import DAY, archived, aside, deleting, entries, keep, ledgers, once, policy
from tests.samples import file_of, photo, photo_file

LOSSY = {"a.png": photo_file(192, 192, 11)}
"""Of a size at which the codec wins."""


@pytest.fixture(params=["local", "gs"])
def place(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    return str(tmp_path) if request.param == "local" else request.getfixturevalue("gcs")


@pytest.fixture
def source(place: str) -> Folder:
    return Folder(f"{place}/in").put(LOSSY)


@pytest.fixture
def target(place: str) -> Folder:
    return Folder(f"{place}/arc")


@pytest.fixture
def disk(tmp_path: Path) -> Folder:
    return Folder(str(tmp_path / "in")).put(LOSSY)


@pytest.fixture
def arc(tmp_path: Path) -> Folder:
    return Folder(str(tmp_path / "arc"))


def encoded(rate: Rate, data: bytes = LOSSY["a.png"]) -> bytes:
    return encode_file(data, named_codec(MODEL, "cpu"), rate).data


def forge_row(target: Folder, **fields: Any) -> None:
    """A newer row of the one picture, with other facts."""
    (row,) = read_manifest(target.uri).values()
    write_fragment(target.uri, [replace(row, written=row.written + 1, **fields)])


def model_of(target: Folder) -> str:
    (model,) = target.own("models/")
    return model


def refuses(source: Folder, target: Folder, asked: Any, reason: str) -> None:
    """The next purge leaves the original aside, and names it and the reason; the one after it does, too."""
    for day in (2, 3):
        run = once(asked, after=day * DAY)
        assert run.purged == 0 and aside(source) == LOSSY
        assert any("a.png stays: " in problem and reason in problem for problem in run.problems), run.problems


def test_a_whole_archive_lets_it_go(source: Folder, target: Folder) -> None:
    asked = deleting(source, target, grace="1d")
    assert once(asked).removed == 1 and read_manifest(target.uri).popitem()[1].coding == "learned"
    run = once(asked, after=2 * DAY)
    assert run.purged == 1 and not run.problems and not source.everything()


def test_a_deleted_model_stops_the_purge(source: Folder, target: Folder) -> None:
    asked = deleting(source, target, grace="1d")
    keep(source, target, "a.png")
    once(asked)
    target.delete(model_of(target))
    refuses(source, target, asked, "safetensors")


@pytest.mark.parametrize("damage", ["flip", "cut", "other"])
def test_a_damaged_model_stops_the_purge(disk: Folder, arc: Folder, damage: str) -> None:
    asked = deleting(disk, arc, grace="1d")
    keep(disk, arc, "a.png")
    once(asked)
    name = model_of(arc)
    data = bytearray(arc.read(name))
    data[len(data) // 2] ^= 1
    other = codec_path("photo").read_bytes()
    arc.put({name: {"flip": bytes(data), "cut": bytes(data[:-9]), "other": other}[damage]})
    refuses(disk, arc, asked, "")


WORSE: dict[str, tuple[dict[str, Any], Rate, Rate]] = {
    "quality": ({"quality": 80}, Quality(80), Quality(20)),
    "psnr": ({"target_psnr": 21}, TargetPsnr(21), TargetPsnr(18)),
    "size": ({"max_picture_bytes": 6000}, MaxBytes(6000), MaxBytes(2500)),
    "lossless": ({"lossless": True, "accept_loss": False}, Lossless(), Quality(90)),
}


@pytest.mark.parametrize("forged", [False, True], ids=["honest", "forged"])
@pytest.mark.parametrize("case", WORSE)
def test_a_worse_file_of_the_same_picture_stops_the_purge(case: str, forged: bool, disk: Folder, arc: Folder) -> None:
    """Also where manifest and ledger are made to fit it."""
    words, good, worse = WORSE[case]
    asked = deleting(disk, arc, grace="1d", **words)
    keep(disk, arc, "a.png", good)
    assert once(asked).removed == 1
    name = archived(arc, disk, "a.png")
    arc.put({name: encoded(worse)})
    if forged:
        forge_row(arc, psnr=0.0, coding="learned", lost=())
        (ledger,), (entry,) = ledgers(arc), entries(arc)
        arc.put({ledger: json.dumps(entry | {"psnr": 0.0}).encode()})
    refuses(disk, arc, asked, "")
    arc.put({name: encoded(good)})
    assert once(asked, after=4 * DAY).purged == 1


def test_a_worse_file_with_a_better_header_stops_the_purge(disk: Folder, arc: Folder) -> None:
    """The quality that a file claims is its maker's word: the picture itself is compared."""
    asked = deleting(disk, arc, grace="1d", quality=60)
    keep(disk, arc, "a.png")
    once(asked)
    honest = read_bitstream(arc.read(archived(arc, disk, "a.png")))
    other = read_bitstream(encoded(Quality(100), file_of(255 - photo(192, 192, 11))))
    arc.put({archived(arc, disk, "a.png"): write_bitstream(replace(other, source_sha256=honest.source_sha256))})
    forge_row(arc, psnr=0.0)
    verifier = Verifier(asked)
    (row,) = read_manifest(arc.uri).values()
    (entry,) = disk.own("quarantine/")
    finding = verifier.verify(Claim(row, aside=disk.path(entry)))
    assert finding.result == "worse" and "dB" in finding.reason
    refuses(disk, arc, asked, "")


def test_a_forged_row_does_not_make_a_worse_file_look_verified(disk: Folder, arc: Folder) -> None:
    keep(disk, arc, "a.png", Quality(80))
    arc.put({archived(arc, disk, "a.png"): encoded(Quality(20))})
    forge_row(arc, psnr=0.0, quality=20.0)
    run = once(deleting(disk, arc, quality=80, grace=0))
    assert (run.removed, run.purged) == (0, 0) and disk.files() == LOSSY
    assert run.kept == {"archived otherwise than the policy says": 1} and "a.png stays" in run.problems[0]


@pytest.mark.parametrize(
    "fields",
    [
        lambda place: {"archive": f"{place}/elsewhere/a.avae"},
        lambda place: {"name": "../elsewhere/a", "archive": f"{place}/elsewhere/a.avae"},
        lambda place: {"archive": f"{place}/elsewhere/shard-00000.tar"},
    ],
    ids=["elsewhere", "above", "shard"],
)
def test_what_is_kept_elsewhere_is_not_archived(
    fields: Callable[[str], dict[str, Any]], disk: Folder, arc: Folder, tmp_path: Path
) -> None:
    """A row may say that a picture is in a file that is no part of the archive."""
    keep(disk, arc, "a.png")
    name = archived(arc, disk, "a.png")
    Folder(str(tmp_path / "elsewhere")).put({"a.avae": arc.read(name)})
    forge_row(arc, **fields(str(tmp_path)))
    run = once(deleting(disk, arc, grace=0))
    assert run.purged == 0 and (disk.files() or aside(disk)) == LOSSY
    assert not disk.files() or run.removed == 0


def test_a_forged_row_does_not_hide_what_was_lost(disk: Folder, arc: Folder) -> None:
    """What could not be archived is found in the original itself."""
    frames = [Image.open(BytesIO(photo_file(64, 64, n))).convert("P") for n in (1, 2)]
    film = BytesIO()
    frames[0].save(film, "gif", save_all=True, append_images=frames[1:], duration=100)
    disk.delete("a.png")
    disk.put({"film.gif": film.getvalue()})
    keep(disk, arc, "film.gif")
    (row,) = read_manifest(arc.uri).values()
    assert row.lost, "only one of its frames is kept"
    write_fragment(arc.uri, [replace(row, lost=(), written=row.written + 1)])
    run = once(deleting(disk, arc, grace=0))
    assert (run.removed, run.purged) == (0, 0) and {*disk.files()} == {"film.gif"}


def test_an_index_that_names_other_bytes_stops_the_purge(tmp_path: Path) -> None:
    source, target = Folder(str(tmp_path / "in")).put(PHOTOS), Folder(str(tmp_path / "arc"))
    asked = deleting(source, target, grace="1d", shard_size="1MiB")
    assert once(asked).removed == 3
    first, second, *rest = ArchiveIndex(index_uri(target.uri)).rows()
    exchanged = [replace(second, name=first.name), replace(first, name=second.name), *rest]
    write_index(index_uri(target.uri), exchanged, target.uri)
    run = once(asked, after=2 * DAY)
    assert run.purged == 1 and len(aside(source)) == 2 and len(run.problems) == 2


def test_a_changed_quality_holds_what_waits(disk: Folder, arc: Folder) -> None:
    keep(disk, arc, "a.png", Quality(20))
    once(deleting(disk, arc, grace="1d", quality=20))
    asked = deleting(disk, arc, grace="1d", quality=90)
    run = once(asked, after=2 * DAY)
    assert run.purged == 0 and "the policy's is 90" in run.problems[0] and aside(disk) == LOSSY


def test_loss_that_is_accepted_no_more_holds_what_waits(disk: Folder, arc: Folder) -> None:
    keep(disk, arc, "a.png")
    once(deleting(disk, arc, grace="1d"))
    run = once(policy(disk, arc, originals="delete", lossless=True, grace="1d"), after=2 * DAY)
    assert run.purged == 0 and "stays" in run.problems[0] and aside(disk) == LOSSY


def test_a_moved_copy_that_has_changed_stops_the_purge(disk: Folder, arc: Folder, tmp_path: Path) -> None:
    cold = Folder(str(tmp_path / "cold"))
    asked = deleting(disk, arc, grace="1d", originals="move", move_to=cold.uri)
    keep(disk, arc, "a.png")
    once(asked)
    (name,) = cold.files()
    cold.put({name: b"other"})
    refuses(disk, arc, asked, "not the original's copy")


def test_two_processes_purge_as_one_does(tmp_path: Path) -> None:
    source, target = Folder(str(tmp_path / "in")).put(PHOTOS), Folder(str(tmp_path / "arc"))
    asked = deleting(source, target, grace="1d")
    for name in PHOTOS:
        keep(source, target, name)
    once(asked)
    target.put({archived(target, source, "a.png"): b"damaged"})
    run = archive(asked, "policy.yaml", ["--accelerator=cpu"], lambda: time.time() + 2 * DAY, processes=2)
    assert run.purged == 2 and aside(source) == {"a.png": PHOTOS["a.png"]}


def test_rows_of_a_learned_picture_carry_a_finite_level(disk: Folder, arc: Folder) -> None:
    """Or the tests above would compare nothing."""
    keep(disk, arc, "a.png")
    (row,) = read_manifest(arc.uri).values()
    assert isinstance(row, ManifestRow) and row.coding == "learned" and 20 < row.psnr < math.inf
