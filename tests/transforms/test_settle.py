from __future__ import annotations

from dataclasses import replace

import pytest

from archivae.operations.names import archive_name
from archivae.storage import ManifestRow, StoredObject
from archivae.transforms import Item, Job
from archivae.transforms.plan import Group, settle

JOB = Job("encode", "/source", "/archive", options='{"quality": 60}', run="now")
DECODE = replace(JOB, operation="decode", options='{"format": "png"}')


def stored(name: str, version: int = 1) -> StoredObject:
    return StoredObject(f"/source/{name}", name, 100, f"local:100:{version}")


def row(name: str, status: str = "done", job: Job = JOB, **changes: object) -> ManifestRow:
    fields = {
        "source": f"/source/{name}", "name": name, "bytes": 100, "sha256": "", "fingerprint": "local:100:1", "height": 1,
        "width": 1, "status": status, "operation": job.operation, "options": job.options, "run": "before", "written": 1.0,
    }  # fmt: skip
    return ManifestRow(**{**fields, **changes})


def settled(
    *names: str, rows: tuple[ManifestRow, ...] = (), outputs: tuple[str, ...] = (), job: Job = JOB
) -> list[Item]:
    return list(settle(Group(tuple(map(stored, names)), rows, frozenset(outputs)), job))


def test_what_is_new_is_done() -> None:
    (item,) = settled("a.jpg")
    assert (item.status, item.target, item.found) == ("going", "a.jpg", "")


def test_what_is_done_and_unchanged_is_skipped() -> None:
    (item,) = settled("a.jpg", rows=(row("a.jpg"),), outputs=("a.jpg.avae",))
    assert item.status == "skipped"


@pytest.mark.parametrize(
    ("rows", "outputs"),
    [
        ((row("a.jpg"),), ()),
        ((row("a.jpg", fingerprint="local:100:2"),), ("a.jpg.avae",)),
        ((row("a.jpg", options="{}"),), ("a.jpg.avae",)),
        ((row("a.jpg", "failed"),), ()),
        ((row("a.jpg", written=1.0), row("a.jpg", "failed", written=2.0)), ("a.jpg.avae",)),
        ((row("a.jpg", "not-a-picture", fingerprint="local:100:0"),), ()),
    ],
    ids=["output gone", "source changed", "other options", "failed", "failed last", "was no picture"],
)
def test_what_is_done_again(rows: tuple[ManifestRow, ...], outputs: tuple[str, ...]) -> None:
    (item,) = settled("a.jpg", rows=rows, outputs=outputs)
    assert (item.status, item.found) == ("going", "")


def test_the_newest_row_counts_in_whatever_order_they_come() -> None:
    rows = (row("a.jpg", written=3.0), row("a.jpg", "failed", written=2.0))
    for order in (rows, rows[::-1]):
        assert settled("a.jpg", rows=order, outputs=("a.jpg.avae",))[0].status == "skipped"


def test_what_was_no_picture_stays_so() -> None:
    assert settled("README.md", rows=(row("README.md", "not-a-picture"),))[0].status == "skipped"
    job = replace(DECODE, overwrite=True)
    assert settled("a.txt", rows=(row("a.txt", "not-a-picture", DECODE),), job=job)[0].status == "skipped"


def test_a_finished_file_without_a_row_is_shown_to_encode_alone() -> None:
    assert settled("a.jpg", outputs=("a.jpg.avae",))[0].found == "/archive/a.jpg.avae"
    assert settled("a.jpg.avae", outputs=("a.png",), job=DECODE)[0].found == ""


def test_a_name_that_is_another_sources_is_refused() -> None:
    foreign = row("a.jpg", source="/elsewhere/a.jpg", archive="/archive/a.jpg.avae")
    (item,) = settled("a.jpg", rows=(foreign,), outputs=("a.jpg.avae",))
    assert item.failure is not None and item.failure.step == "plan" and item.failure.error == "DestinationError"
    assert "/elsewhere/a.jpg" in item.failure.reason
    ours_failed = row("a.jpg", "failed", written=2.0)
    for rows, job in (((foreign,), replace(JOB, overwrite=True)), ((foreign, ours_failed), JOB)):
        (item,) = settled("a.jpg", rows=rows, outputs=("a.jpg.avae",), job=job)
        assert item.status == "failed", "only --overwrite-foreign takes what is another's, however often it is tried"
    (item,) = settled("a.jpg", rows=(foreign,), outputs=("a.jpg.avae",), job=replace(JOB, overwrite_foreign=True))
    assert (item.status, item.found) == ("going", "")


def test_a_target_is_known_by_what_was_written_there_last() -> None:
    """Names of pictures in an archive change with what else is in it."""
    made = row("a.png.avae", job=DECODE, archive="/moved/since/a.png", archive_bytes=500, fingerprint="local:100:0")
    (item,) = settled("a.png.avae", rows=(made,), outputs=("a.png",), job=DECODE)
    assert (item.status, item.target, item.replaces) == ("going", "a.png", 500)
    (item,) = settled("a.png.avae", rows=(made,), job=DECODE)
    assert item.replaces is None, "there is nothing to replace"
    (item,) = settled("a.bmp.avae", rows=(made,), outputs=("a.png",), job=DECODE)
    assert item.failure is not None and "/source/a.png.avae" in item.failure.reason
    (item,) = settled(
        "a.png.avae", rows=(replace(made, archive="/moved/since/ba.png"),), outputs=("a.png",), job=DECODE
    )
    assert item.replaces is None


def test_a_folder_that_cannot_be_read_fails_by_its_name() -> None:
    unread = replace(stored("lost+found/"), size=-1, fingerprint="unreadable:Permission denied")
    for job in (JOB, DECODE, RESTORE):
        (item,) = settle(Group((unread,), (), frozenset()), job)
        assert item.failure is not None and (item.failure.step, item.failure.error) == ("list", "StorageError")
        assert "/source/lost+found/" in item.failure.reason and "Permission denied" in item.failure.reason
    before = row("lost+found/", "failed", fingerprint=unread.fingerprint)
    (item,) = settle(Group((unread,), (before,), frozenset()), replace(JOB, retry_failed=False))
    assert item.status == "skipped", "a watch tells of it once"


def test_a_name_that_another_source_failed_under_is_free() -> None:
    (item,) = settled("a.jpg", rows=(row("a.jpg", "failed", source="/elsewhere/a.jpg"),))
    assert item.status == "going"


@pytest.mark.parametrize("name", ["../a.jpg", "/a.jpg", "x//a.jpg", "_archivae/a.jpg", f"{'a' * 255}.jpg"])
def test_unsafe_names_go_no_further(name: str) -> None:
    (item,) = settled(name, outputs=(f"{name}.avae",))
    assert item.failure is not None and item.failure.error == "UnsafeNameError"


@pytest.mark.parametrize("name", ["a\\b.jpg", "a\x00.jpg", "a\nb.jpg", "a\udcff.jpg", "C:a.jpg", "a%{0a}b.jpg"])
def test_odd_names_are_archived_escaped_and_decoded_to_themselves(name: str) -> None:
    (item,) = settled(name)
    assert (item.status, item.target, item.source.name) == ("going", name, name)
    assert settled(name, rows=(row(name),), outputs=(archive_name(name),))[0].status == "skipped"
    (back,) = settled(archive_name(name), job=DECODE)
    assert back.target == name.replace(".jpg", ".png")


def test_decode_takes_off_endings() -> None:
    assert [item.target for item in settled("sub/b.jpg.avae", job=DECODE)] == ["sub/b.png"]
    assert [item.target for item in settled("b.avae", job=replace(DECODE, format="jpeg"))] == ["b.jpg"]


def test_names_that_collide_keep_their_sources() -> None:
    items = settled("a.jpg.avae", "a.png.avae", job=DECODE)
    assert [(item.source.name, item.target) for item in items] == [
        ("a.jpg.avae", "a.jpg.png"),
        ("a.png.avae", "a.png.png"),
    ]


def test_decode_puts_other_files_of_a_folder_aside_and_they_take_no_names() -> None:
    items = settled("a.jpg.avae", "a.png", job=DECODE)
    assert [(item.source.name, item.status) for item in items] == [("a.jpg.avae", "going"), ("a.png", "not-a-picture")]
    assert items[0].target == "a.png"


def test_decode_takes_whatever_is_named() -> None:
    (item,) = settled("a.bin", job=replace(DECODE, named=True))
    assert (item.status, item.target) == ("going", "a.bin.png")


def test_every_source_gets_exactly_one_item() -> None:
    names = ("a.jpg.avae", "a.png.avae", "a.png", "a.webp.avae")
    items = settled(*names, rows=(row("a.jpg.avae", job=DECODE),), outputs=("a.jpg.png",), job=DECODE)
    assert sorted(item.source.name for item in items) == sorted(names)
    assert {item.source.name: item.status for item in items}["a.jpg.avae"] == "skipped"


RESTORE = replace(JOB, operation="restore", options='{"format": "png"}')


def test_restored_pictures_have_the_ending_of_their_format() -> None:
    assert [item.target for item in settled("sub/b.jpg", job=RESTORE)] == ["sub/b.png"]
    items = settled("a.jpg", "a.png", job=replace(RESTORE, format="webp"))
    assert [(item.status, item.target) for item in items] == [("going", "a.jpg.webp"), ("going", "a.png.webp")]


def test_what_is_restored_and_unchanged_is_skipped() -> None:
    done = row("a.jpg", job=RESTORE)
    assert settled("a.jpg", rows=(done,), outputs=("a.png",), job=RESTORE)[0].status == "skipped"
    assert settled("a.jpg", rows=(done,), job=RESTORE)[0].status == "going"
    (item,) = settled("a.jpg", outputs=("a.png",), job=RESTORE)
    assert (item.status, item.found) == ("going", "")  # a file without a row may be anything
