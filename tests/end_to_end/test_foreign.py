"""Whole jobs into folders where something lies already: what is not ours is never lost."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import apache_beam as beam
import pytest

from archivae import DecodeImages, ReadImages, WriteImages
from archivae.pipeline.cli import main, run_and_report
from archivae.storage import local as disk
from archivae.storage import read_manifest
from tests.autoencoders import pictures, weight_file
from tests.end_to_end.jobs import PHOTOS, Folder, command, decode, encode
from tests.restorers import write_restorers
from tests.samples import file_of, photo_file

WORKERS = ("--direct_running_mode=multi_processing", "--direct_num_workers=2")
ORIGINALS = {"a.png": b"an original", "sub/b.png": PHOTOS["sub/b.png"]}


@pytest.fixture
def filled(source: Folder, archive: Folder) -> Folder:
    """The archive of `PHOTOS`, just made."""
    source.put(PHOTOS)
    assert encode(source, archive) == 0
    return archive


def test_decode_leaves_originals_alone(filled: Folder, restored: Folder, capsys: pytest.CaptureFixture[str]) -> None:
    restored.put(ORIGINALS)
    before = restored.everything()
    assert decode(filled, restored) == decode(filled, restored, "--overwrite") == 1
    assert "--overwrite-foreign" in capsys.readouterr().out
    assert {name: restored.everything()[name] for name in before} == before
    assert restored.files().keys() == PHOTOS.keys(), "what is free is decoded"
    letters = restored.letters()
    assert {name: (letter.step, letter.error) for name, letter in letters.items()} == dict.fromkeys(
        ("a.png.avae", "b.png.avae"), ("write", "DestinationError")
    )
    assert decode(filled, restored, "--overwrite-foreign") == 0
    assert not {*ORIGINALS.values()} & {*restored.files().values()}
    assert decode(filled, restored) == 0


def test_a_job_killed_before_its_rows_were_written_goes_on(filled: Folder, restored: Folder) -> None:
    """Its files look foreign, but are what is written again."""
    assert decode(filled, restored) == 0
    files = restored.files()
    restored.delete(*restored.own("manifest/"))
    before = restored.everything()
    assert decode(filled, restored) == 0
    assert restored.files() == files and {name: restored.everything()[name] for name in files} == {
        name: before[name] for name in files
    }
    assert {row.status for row in restored.rows().values()} == {"done"}


def test_what_changed_is_decoded_anew_unless_somebody_put_another_there(
    source: Folder, filled: Folder, restored: Folder
) -> None:
    assert decode(filled, restored) == 0
    files = restored.files()
    source.put({"a.png": photo_file(seed=11), "sub/b.png": photo_file(seed=12)})
    assert encode(source, filled) == 0
    restored.put({"sub/b.png": b"drawn over by hand"})
    assert decode(filled, restored) == 1
    assert restored.read("a.png") != files["a.png"] and restored.read("sub/b.png") == b"drawn over by hand"


def test_equal_originals_do_not_become_ours(source: Folder, filled: Folder, restored: Folder) -> None:
    """Decoded without loss, say: when the archive is made anew with loss, they are not replaced."""
    assert decode(filled, restored) == 0
    originals = restored.files()
    restored.delete(*restored.own("manifest/"))
    assert decode(filled, restored) == decode(filled, restored, "--overwrite") == 0
    source.put({"a.png": photo_file(seed=11)})
    assert encode(source, filled) == 0
    assert decode(filled, restored) == decode(filled, restored, "--overwrite") == 1
    assert restored.files() == originals
    assert decode(filled, restored, "--overwrite-foreign") == 0
    assert restored.read("a.png") != originals["a.png"]


def test_by_two_workers_and_by_the_plain_beam_program(tmp_path: Path) -> None:
    source, archive = Folder(str(tmp_path / "in")).put(PHOTOS), Folder(str(tmp_path / "arc"))
    assert encode(source, archive) == 0
    restored = Folder(str(tmp_path / "out")).put(ORIGINALS)
    words = ["--operation=decode", f"--input={archive.uri}", f"--output={restored.uri}", "--accelerator=cpu"]
    for options in ((), WORKERS):
        assert run_and_report([*words, *options]) == 1
        assert {name: restored.read(name) for name in ORIGINALS} == ORIGINALS
    assert run_and_report([*words, "--overwrite_foreign", *WORKERS]) == 0
    assert restored.read("a.png") != ORIGINALS["a.png"]


def test_by_the_transforms_alone(tmp_path: Path) -> None:
    source, archive = Folder(str(tmp_path / "in")).put(PHOTOS), Folder(str(tmp_path / "arc"))
    assert encode(source, archive) == 0
    restored = Folder(str(tmp_path / "out")).put(ORIGINALS)
    assert transforms_decode(archive.uri, restored.uri) == {
        "a.png": "failed",
        "sub/b.png": "failed",
        "sub/deep/c.png": "done",
    }
    assert {name: restored.read(name) for name in ORIGINALS} == ORIGINALS
    assert transforms_decode(archive.uri, restored.uri, overwrite_foreign=True) == dict.fromkeys(PHOTOS, "done")
    # What it wrote itself it writes again, as its manifest says.
    source.put({"a.png": photo_file(seed=11)})
    assert encode(source, archive) == 0
    before = restored.read("a.png")
    assert transforms_decode(archive.uri, restored.uri) == dict.fromkeys(PHOTOS, "done")
    assert restored.read("a.png") != before


@pytest.mark.parametrize("destination", ["arc", "arc/out", "."])
def test_transforms_refuse_what_they_read(tmp_path: Path, destination: str) -> None:
    archive = Folder(str(tmp_path / "arc"))
    assert encode(Folder(str(tmp_path / "in")).put({"a.png": PHOTOS["a.png"]}), archive) == 0
    before = archive.files()
    assert transforms_decode(archive.uri, str(tmp_path / destination)) == {"a.png": "failed"}
    assert {name: data for name, data in archive.files().items() if "_archivae/" not in name} == before


def transforms_decode(archive: str, restored: str, overwrite_foreign: bool = False) -> dict[str, str]:
    """Statuses by name."""
    with beam.Pipeline("FnApiRunner") as pipeline:
        read = pipeline | ReadImages(archive) | DecodeImages(accelerator="cpu")
        _ = read | WriteImages(restored, operation="decode", overwrite_foreign=overwrite_foreign)
    return {
        row.name.removesuffix(".avae"): row.status
        for row in read_manifest(restored).values()
        if row.operation == "decode"
    }


def test_a_file_that_appears_while_the_job_runs_stays(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    archive, restored = Folder(str(tmp_path / "arc")), Folder(str(tmp_path / "out"))
    assert encode(Folder(str(tmp_path / "in")).put({"a.png": PHOTOS["a.png"]}), archive) == 0
    read = disk.read

    def appears(uri: str, limit: int | None, generation: int | None) -> bytes:
        if uri.endswith("a.png.avae"):
            Path(restored.path("a.png")).write_bytes(b"just copied here")
        return read(uri, limit, generation)

    monkeypatch.setattr(disk, "read", appears)
    assert decode(archive, restored) == 1
    assert restored.read("a.png") == b"just copied here"


@pytest.mark.parametrize("operation", ["decode", "restore", "transform"])
def test_places_that_are_refused(
    operation: str, new_folder: Callable[[str], Folder], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    source = new_folder("source")
    ending = ".avae" if operation == "decode" else ""
    source.put({f"a.png{ending}": PHOTOS["a.png"], f"sub/b.png{ending}": PHOTOS["sub/b.png"]})
    words = {
        "decode": [],
        "restore": ["--task=denoise", f"--restorers={write_restorers(tmp_path / 'restorers')}"],
        "transform": [f"--model={weight_file(tmp_path, 'vae')}", "--latent-op=0:+1"],
    }[operation]
    before, above = source.everything(), source.uri.rpartition("/")[0]
    for origin, destination in [
        (source.uri, source.uri), (f"{source.uri}/", source.uri), (source.uri, f"{source.uri}/out"), (source.uri, above),
        (source.path(f"a.png{ending}"), source.uri), (source.path("**/*"), source.uri), (source.path("sub"), source.uri),
    ]:  # fmt: skip
        for extra in ([], ["--dry-run"], ["--overwrite-foreign"]):
            assert command(operation, origin, destination, *words, *extra) == 2, (origin, destination)
            assert "choose another destination" in capsys.readouterr().err
    assert source.everything() == before, "not even a lease was left"


def test_places_by_links_and_relative_names(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    archive = Folder(str(tmp_path / "arc")).put({"a.png.avae": b"never read"})
    (tmp_path / "link").symlink_to(archive.uri)
    monkeypatch.chdir(tmp_path)
    for source, destination in [("arc", "link"), ("link/", "arc/out"), ("./arc/../arc", "arc"), (archive.uri, ".")]:
        assert decode(source, destination) == 2


@pytest.mark.parametrize(
    ("inside", "outside"), [("", ""), ("", "archive"), ("sub", "")], ids=["is", "lies in", "holds"]
)
def test_encode_takes_such_places_and_never_its_own_outputs(source: Folder, inside: str, outside: str) -> None:
    source.put({"sub/a.png": PHOTOS["a.png"], "sub/b.png": PHOTOS["sub/b.png"]})
    origin, destination = (Folder(f"{source.uri}/{name}".rstrip("/")) for name in (inside, outside))
    before = origin.files()
    for _ in range(2):
        assert encode(origin, destination) == 0
        assert {name: data for name, data in origin.files().items() if name in before} == before
        assert {row.name for row in destination.rows().values()} == {name for name in before if name.endswith(".png")}


def test_encode_refuses_what_it_could_not_tell_from_its_outputs(
    source: Folder, capsys: pytest.CaptureFixture[str]
) -> None:
    source.put(PHOTOS).put({"_archivae/x/a.png": PHOTOS["a.png"]})
    before = source.everything()
    for origin, words in [
        (source.uri, ["--archive"]), (f"{source.uri}/", ["--archive"]), (source.path("*"), ["--archive"]),
        (source.path("_archivae/x"), []), (source.path("_archivae"), []),
    ]:  # fmt: skip
        assert encode(origin, source, *words) == 2, origin
        assert "choose another" in capsys.readouterr().err
    assert source.everything() == before


def test_encode_leaves_foreign_files_alone(source: Folder, archive: Folder) -> None:
    source.put(PHOTOS)
    archive.put({"a.png.avae": b"of another archive"})
    assert encode(source, archive) == encode(source, archive, "--overwrite") == 1
    assert archive.read("a.png.avae") == b"of another archive"
    assert encode(source, archive, "--overwrite-foreign") == 0
    assert archive.rows()["a.png"].status == "done"


SHOWN = {f"{number}.png": file_of(picture) for number, picture in enumerate(pictures(3))}


def test_generate_transform_and_embed_leave_foreign_files_alone(
    source: Folder, archive: Folder, tmp_path: Path
) -> None:
    model = f"--model={weight_file(tmp_path, 'vae')}"
    source.put(SHOWN)
    archive.put({"0000/00000001.png": b"original", "1.png": b"original", "vectors.parquet": b"original"})
    made, changed = ["generate", archive.uri, "--count=3", model, "--accelerator=cpu"], ["--latent-op=0:+1", model]
    assert main(made) == main([*made, "--overwrite"]) == 1
    assert archive.read("0000/00000001.png") == b"original"
    assert len([name for name in archive.files() if name.startswith("0000/")]) == 3
    assert main([*made, "--overwrite-foreign"]) == 0
    assert archive.read("0000/00000001.png") != b"original"
    files = archive.files()
    assert main([*made, "--seed=9", "--overwrite"]) == 0
    assert archive.files() != files, "ours is made anew when told so"

    other = Folder(f"{archive.uri}/changed").put({"1.png": b"original"})
    assert command("transform", source, other, *changed) == 1
    assert other.read("1.png") == b"original" and {*other.files()} == {*SHOWN}
    assert command("transform", source, other, *changed, "--overwrite-foreign") == 0
    assert other.read("1.png") != b"original"

    file = archive.path("vectors.parquet")
    assert command("embed", source, file, model) == command("embed", source, file, model, "--overwrite") == 2
    assert archive.read("vectors.parquet") == b"original" and archive.own("vectors/") == []
    assert command("embed", source, file, model, "--overwrite-foreign") == 0
    source.put({"new.png": SHOWN["1.png"]})
    assert command("embed", source, file, model) == 0
    archive.put({"vectors.parquet": b"somebody's"})
    assert command("embed", source, file, model) == 2
