"""Bad days on the network: what helps is tried again, what is damaged is noticed, what lasts is told."""

from __future__ import annotations

import google_crc32c
import pytest

from archivae.errors import StorageError
from archivae.storage import list_source, read_object, stat_object, write_object
from archivae.storage.objects import delete_object, read_range, read_span
from archivae.storage.store import Span
from tests.end_to_end.jobs import Folder, encode
from tests.faulty_proxy import FaultyProxy, Kind
from tests.samples import photo_file

DATA = bytes(range(256)) * 100
EVERY = 1_000
PASSING: list[Kind] = ["503", "429", "reset", "slow", "truncated"]


@pytest.mark.parametrize("kind", [*PASSING, "flipped", "wrong checksum"])
def test_a_read_survives_what_passes(kind: Kind, proxy: FaultyProxy, flaky: str) -> None:
    write_object(f"{flaky}/a", DATA, scratch="")
    proxy.inject(kind, times=2, part="/o/a")
    assert read_object(f"{flaky}/a") == DATA
    assert proxy.count("GET", "/o/a") == 3


@pytest.mark.parametrize("kind", [*PASSING, "flipped", "wrong checksum"])
def test_a_read_of_what_lasts_says_so(kind: Kind, proxy: FaultyProxy, flaky: str) -> None:
    write_object(f"{flaky}/a", DATA, scratch="")
    proxy.inject(kind, times=EVERY, part="/o/a")
    with pytest.raises(StorageError, match="cannot read 'gs://"):
        read_object(f"{flaky}/a")
    assert proxy.count("GET", "/o/a") > 2


def test_damage_after_a_torn_connection_is_noticed(proxy: FaultyProxy, flaky: str) -> None:
    """What is gone on with comes as a range, which the service's own client never checks."""
    write_object(f"{flaky}/a", DATA, scratch="")
    for _ in range(3):
        proxy.inject("truncated", part="/o/a")
        proxy.inject("flipped", part="/o/a")
    with pytest.raises(StorageError, match="does not match its CRC-32C"):
        read_object(f"{flaky}/a")


@pytest.mark.parametrize("kind", ["503", "429", "reset", "slow", "lost", "flipped"])
def test_a_write_survives_what_passes(kind: Kind, proxy: FaultyProxy, flaky: str) -> None:
    proxy.inject(kind, times=2, method="POST", part="/upload/")
    written = write_object(f"{flaky}/a", DATA, scratch="")
    assert read_object(f"{flaky}/a") == DATA
    found = stat_object(f"{flaky}/a")
    assert found is not None and found.fingerprint == written


def test_a_lost_answer_writes_nothing_twice(proxy: FaultyProxy, flaky: str) -> None:
    proxy.inject("lost", method="POST", part="/upload/")
    written = write_object(f"{flaky}/a", DATA, scratch="")
    assert write_object(f"{flaky}/a", DATA, scratch="") == written


@pytest.mark.parametrize("kind", ["503", "403", "reset"])
def test_a_write_that_never_gets_through_leaves_nothing(kind: Kind, proxy: FaultyProxy, flaky: str) -> None:
    proxy.inject(kind, times=EVERY, method="POST", part="/upload/")
    with pytest.raises(StorageError, match="cannot write 'gs://"):
        write_object(f"{flaky}/a", DATA, scratch="")
    assert stat_object(f"{flaky}/a") is None


@pytest.mark.parametrize("kind", ["503", "reset", "truncated", "slow"])
def test_listing_looking_up_and_deleting_survive_what_passes(kind: Kind, proxy: FaultyProxy, flaky: str) -> None:
    write_object(f"{flaky}/in/a", DATA, scratch="")
    proxy.inject(kind, part="/o?")
    assert [entry.name for entry in list_source(f"{flaky}/in")] == ["a"]
    proxy.inject(kind, part="/o/in/a")
    assert stat_object(f"{flaky}/in/a") is not None
    proxy.inject(kind, method="DELETE", part="/o/in/a")
    delete_object(f"{flaky}/in/a")
    assert stat_object(f"{flaky}/in/a") is None


def test_an_answer_that_was_no_is_not_asked_again(proxy: FaultyProxy, flaky: str) -> None:
    write_object(f"{flaky}/a", DATA, scratch="")
    proxy.inject("403", part="/o/a")
    with pytest.raises(StorageError, match="may not"):
        read_object(f"{flaky}/a")
    assert proxy.count("GET", "/o/a") == 1


def test_a_picture_in_a_shard_is_read_again_where_it_comes_damaged(proxy: FaultyProxy, flaky: str) -> None:
    write_object(f"{flaky}/shard", DATA, scratch="")
    span = Span(f"{flaky}/shard", 256, 512, google_crc32c.value(DATA[:512]))
    assert read_range(span.uri, span.offset, span.length) == DATA[:512]
    proxy.inject("flipped", part="/o/shard")
    assert read_span(span) == DATA[:512]
    proxy.inject("flipped", times=EVERY, part="/o/shard")
    with pytest.raises(StorageError, match="are damaged"):
        read_span(span)


def test_a_job_ends_well_and_says_what_it_could_not_do(proxy: FaultyProxy, flaky: str) -> None:
    source, archive = Folder(f"{flaky}/source"), Folder(f"{flaky}/archive")
    names = ["busy.png", "damaged.png", "gone.png", "slowly.png", "torn.png", "well.png"]
    source.put({name: photo_file(64, 64, seed) for seed, name in enumerate(names)})
    proxy.inject("429", times=3, part="source/busy.png?")
    proxy.inject("reset", times=2, part="source/torn.png?")
    proxy.inject("flipped", times=EVERY, part="source/damaged.png?")
    proxy.inject("503", times=EVERY, part="source/gone.png?")
    proxy.inject("503", times=3, method="POST", part="/upload/")
    assert encode(source, archive) == 1
    letters = archive.letters()
    assert {name: letter.step for name, letter in letters.items()} == {"damaged.png": "read", "gone.png": "read"}
    assert "CRC-32C" in letters["damaged.png"].reason
    assert sorted(archive.files()) == ["busy.png.avae", "slowly.png.avae", "torn.png.avae", "well.png.avae"]
    proxy.faults.clear()
    assert encode(source, archive) == 0
    assert {row.status for row in archive.rows().values()} == {"done"} and len(archive.rows()) == len(names)
