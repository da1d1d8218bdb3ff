"""Pictures removed and replaced by the command line, on the local disk and in a bucket."""

from __future__ import annotations

import hashlib

import pytest

from archivae.pipeline.cli import main, run_and_report
from archivae.storage.archive_index import ArchiveIndex
from archivae.storage.archive_layout import index_uri
from archivae.storage.lease import leased
from tests.end_to_end.jobs import MODEL, PHOTOS, Folder, command, encode
from tests.samples import photo_file

SMALL = ("--archive", "--shard-size=3KiB")
CHANGED = photo_file(64, 64, 9)


def digests(archive: Folder) -> dict[str, bytes]:
    return {row.name: row.sha256 for row in ArchiveIndex(index_uri(archive.uri)).rows()}


def expected(files: dict[str, bytes]) -> dict[str, bytes]:
    return {name: hashlib.sha256(data).digest() for name, data in files.items()}


def append(source: Folder, archive: Folder, *options: str) -> int:
    return command("append", source, archive, f"--model={MODEL}", "--shard-size=3KiB", *options)


def test_rm(source: Folder, archive: Folder, capsys: pytest.CaptureFixture[str]) -> None:
    assert encode(source.put(PHOTOS), archive, *SMALL) == 0
    assert main(["rm", archive.uri, "a.png", "nope.png"]) == 1
    out, err = capsys.readouterr()
    assert "1 pictures removed" in out and "nope.png: the archive has no such picture" in err
    left = {name: data for name, data in PHOTOS.items() if name != "a.png"}
    assert digests(archive) == expected(left) and archive.rows().keys() == left.keys()
    assert main(["verify", archive.uri, "--all", "--accelerator=cpu"]) == 0
    assert append(source, archive) == 0, "what the source still holds comes back"
    assert digests(archive) == expected(PHOTOS)
    assert main(["rm", archive.uri, *PHOTOS]) == 0
    assert digests(archive) == {} and archive.rows() == {}
    assert not archive.own("lease") and not archive.own("rewrite")


def test_rm_of_single_files(source: Folder, archive: Folder) -> None:
    assert encode(source.put(PHOTOS), archive) == 0
    assert main(["rm", archive.uri, "sub/b.png"]) == 0
    left = PHOTOS.keys() - {"sub/b.png"}
    assert archive.files().keys() == {f"{name}.avae" for name in left} and archive.rows().keys() == left
    assert main(["rm", archive.uri, "sub/b.png"]) == 1


def test_rm_refuses_what_is_no_archive_no_name_or_another_jobs(
    source: Folder, archive: Folder, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["rm", archive.uri, "a.png"]) == 2 and not archive.everything()
    assert encode(source.put(PHOTOS), archive, *SMALL) == 0
    before = archive.everything()
    for name in ("../a.png", "/a.png", "_archivae/format.md"):
        assert main(["rm", archive.uri, name]) == 2
    assert archive.everything() == before
    with leased(archive.uri, "another"):
        capsys.readouterr()
        assert main(["rm", archive.uri, "a.png"]) == 2
        assert "the job another" in capsys.readouterr().err
        assert main(["reindex", archive.uri]) == 2
    assert archive.everything() == before


@pytest.mark.parametrize("keep", [True, False])
def test_update(keep: bool, source: Folder, archive: Folder) -> None:
    assert encode(source.put(PHOTOS), archive, *SMALL) == 0
    options = ("--update", "--keep-old") if keep else ("--update",)
    settled = archive.everything()
    assert append(source, archive, *options) == 0
    assert archive.everything() == settled
    source.put({"a.png": CHANGED, "new.png": photo_file(64, 64, 10)})
    assert append(source, archive, *options) == 0
    files = {name: source.read(name) for name in (*PHOTOS, "new.png")}
    kept = {f"a~{hashlib.sha256(PHOTOS['a.png']).hexdigest()[:12]}.png": PHOTOS["a.png"]} if keep else {}
    assert digests(archive) == expected({**files, **kept})
    assert main(["verify", archive.uri, "--all", "--accelerator=cpu"]) == 0
    rows = archive.rows()
    assert rows["a.png"].sha256 == hashlib.sha256(CHANGED).hexdigest()
    settled = archive.everything()
    assert append(source, archive, *options) == 0 and archive.everything() == settled
    assert main(["reindex", archive.uri]) == 0
    assert digests(archive) == expected({**files, **kept})


def test_a_source_that_was_merely_touched_or_is_broken_now_replaces_nothing(source: Folder, archive: Folder) -> None:
    assert encode(source.put(PHOTOS), archive, *SMALL) == 0
    source.put(dict(PHOTOS))  # the same bytes at another time
    settled = archive.everything()
    assert append(source, archive, "--update") == 0
    assert archive.everything() == settled
    source.put({"a.png": PHOTOS["a.png"][:200]})
    assert append(source, archive, "--update") == 1
    assert digests(archive) == expected(PHOTOS), "the earlier picture stays, where there is no newer one"
    assert main(["verify", archive.uri, "--all", "--accelerator=cpu"]) == 0
    assert not archive.own("rewrite") and not archive.own("round")


def test_without_update_nothing_is_replaced(source: Folder, archive: Folder) -> None:
    assert encode(source.put(PHOTOS), archive, *SMALL) == 0
    source.put({"a.png": CHANGED})
    assert append(source, archive) == 0
    assert digests(archive) == expected(PHOTOS)


@pytest.mark.parametrize(
    "words", [("encode", "--update_changed"), ("encode", "--archive", "--keep_old"), ("append", "--keep-old")]
)
def test_what_does_not_go_together(words: tuple[str, ...], source: Folder, archive: Folder) -> None:
    operation, *options = words
    extra = ["--operation=encode", f"--input={source.uri}", f"--output={archive.uri}"]
    assert source.put(PHOTOS)
    if operation == "append":
        assert append(source, archive, *options) == 2
    else:
        assert run_and_report([*extra, *options]) == 2
    assert not archive.everything()
