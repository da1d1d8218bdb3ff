"""One job at a time over a destination."""

from __future__ import annotations

import errno
import fcntl
import json
import multiprocessing
import os
import signal
import subprocess
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from archivae.errors import DestinationError, LeaseLostError, StorageError
from archivae.storage import lease, local, objects, own_path, read_object, stat_object, write_object
from archivae.storage.fence import create_fenced, replace_fenced, write_fenced
from archivae.storage.lease import leased
from archivae.storage.objects import create_object, delete_if, write_if

PATIENCE = 60.0  # seconds


def held(place: str) -> bool:
    return stat_object(own_path(place, lease.NAME)) is not None


def put(place: str, **changes: object) -> None:
    """The lease of some other job, in place of whichever is there."""
    fields = {"run": "other", "host": "elsewhere", "process": 1, "started": "1", "renewals": 0, **changes}
    uri, data = own_path(place, lease.NAME), json.dumps(fields).encode()
    while write_if(uri, data, _fingerprint(uri), scratch=f"{place}-scratch") is None:
        pass


def _fingerprint(uri: str) -> str | None:
    found = stat_object(uri)
    return found.fingerprint if found else None


def test_it_is_there_while_a_job_runs(place: str) -> None:
    with leased(place, "mine"):
        assert held(place)
        with pytest.raises(DestinationError, match="the job mine .* works on"), leased(place, "another"):
            pass
        assert held(place)
    assert not held(place)
    with leased(place, "another"):
        pass


def test_it_is_given_back_when_a_job_fails(place: str) -> None:
    with pytest.raises(ZeroDivisionError), leased(place, "mine"):
        raise ZeroDivisionError
    assert not held(place)


def test_a_job_on_another_machine_is_waited_for(place: str, monkeypatch: pytest.MonkeyPatch) -> None:
    put(place)
    with pytest.raises(DestinationError, match="the job other .* of elsewhere"), leased(place, "mine"):
        pass
    monkeypatch.setattr(lease, "EXPIRES_AFTER", -PATIENCE)
    with leased(place, "mine"):
        assert b'"mine"' in read_object(own_path(place, lease.NAME))


def _take_and_die(place: str) -> None:
    with leased(place, "killed"):
        os.kill(os.getpid(), signal.SIGKILL)


def test_a_job_killed_on_this_machine_is_not(tmp_path_factory: pytest.TempPathFactory) -> None:
    place = str(tmp_path_factory.mktemp("place"))
    job = multiprocessing.get_context("fork").Process(target=_take_and_die, args=(place,))
    job.start()
    job.join(PATIENCE)
    assert held(place)
    with leased(place, "mine"):
        pass
    assert not held(place)


DAMAGED = [
    b"", b"[]", b"{}", b"null", b'{"run": "other"', b"\xff\x00", b"[" * 10_000, bytes(1 << 17),
    b'{"run": "", "host": "h", "process": 1, "started": "1"}', b'{"run": "r", "host": "h", "process": "1", "started": 1}',
]  # fmt: skip


@pytest.mark.parametrize("data", DAMAGED)
def test_a_damaged_lease_is_stale(place: str, data: bytes) -> None:
    write_object(own_path(place, lease.NAME), data, scratch=f"{place}-scratch")
    with leased(place, "mine"):
        assert b'"mine"' in read_object(own_path(place, lease.NAME))


def test_a_lease_from_the_future_is_stale(place: str, monkeypatch: pytest.MonkeyPatch) -> None:
    put(place)
    now = time.time()
    for ahead, stale in ((lease.CLOCKS_DIFFER / 2, False), (3600.0, True)):
        monkeypatch.setattr(lease.time, "time", lambda ahead=ahead: now - ahead)
        if stale:
            with leased(place, "mine"):
                assert b'"mine"' in read_object(own_path(place, lease.NAME))
        else:
            with pytest.raises(DestinationError, match="the job other"), leased(place, "mine"):
                pass


def test_a_live_process_of_this_machine_is_never_taken_over(place: str, monkeypatch: pytest.MonkeyPatch) -> None:
    asleep = subprocess.Popen(["sleep", "600"])
    try:
        asleep.send_signal(signal.SIGSTOP)
        put(place, host=lease._host(), process=asleep.pid, started=lease._started(asleep.pid))
        now = time.time()
        for later in (lease.EXPIRES_AFTER + 1, 1e6, -1e6):
            monkeypatch.setattr(lease.time, "time", lambda later=later: now + later)
            with pytest.raises(DestinationError, match="the job other.*end that process$"), leased(place, "mine"):
                pass
    finally:
        asleep.kill()
        asleep.wait()
    with leased(place, "mine"):
        pass


def test_a_fence_holds_who_lost_the_lease(place: str) -> None:
    with pytest.raises(LeaseLostError, match="another job took over"), leased(place, "mine") as fence:
        fence.check()
        first = write_fenced(fence, f"{place}/a", b"first")
        assert write_fenced(fence, f"{place}/a", b"first") == first
        write_fenced(fence, f"{place}/a", b"second")
        put(place)
        for write in (
            lambda: write_fenced(fence, f"{place}/a", b"third"),
            lambda: write_fenced(fence, f"{place}/b", b"third"),
            lambda: create_fenced(fence, f"{place}/b", [b"third"]),
            lambda: replace_fenced(fence, f"{place}/a", [b"third"], first),
        ):
            with pytest.raises(LeaseLostError):
                write()
        assert read_object(f"{place}/a") == b"second" and stat_object(f"{place}/b") is None
        raise StorageError("whatever comes of it")
    assert b'"other"' in read_object(own_path(place, lease.NAME))


@pytest.mark.parametrize("there", [True, False])
def test_what_another_wrote_between_check_and_write_stays(
    place: str, there: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The job sleeps after its last check, just before the bytes go out."""
    with pytest.raises(LeaseLostError), leased(place, "mine") as fence:
        if there:
            write_fenced(fence, f"{place}/a", b"before")
        send = objects.write_pieces_if
        turn = iter([there, False])  # of the two tries to write, in which the other comes between

        def slept(uri: str, pieces: object, expected: str | None, *, scratch: str) -> str | None:
            if not next(turn):
                monkeypatch.undo()
                put(place)
                write_object(f"{place}/a", b"the other's", scratch=f"{place}-scratch")
            return send(uri, pieces, expected, scratch=scratch)  # type: ignore[arg-type]

        monkeypatch.setattr(objects, "write_pieces_if", slept)
        write_fenced(fence, f"{place}/a", b"mine")
    assert read_object(f"{place}/a") == b"the other's"


def test_a_lock_that_a_stopped_process_holds_is_not_waited_for_for_ever(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = write_object(str(tmp_path / "a"), b"1", scratch=str(tmp_path / "scratch"))
    monkeypatch.setattr(local, "LOCK_PATIENCE", 0.0)
    holder = os.open(tmp_path, os.O_RDONLY)
    try:
        fcntl.flock(holder, fcntl.LOCK_EX)
        with pytest.raises(StorageError, match="may be stopped"):
            write_if(str(tmp_path / "a"), b"2", first, scratch=str(tmp_path / "scratch"))
    finally:
        os.close(holder)
    assert write_if(str(tmp_path / "a"), b"2", first, scratch=str(tmp_path / "scratch"))


def test_what_is_created_is_never_replaced(place: str) -> None:
    scratch = f"{place}-scratch"
    first = create_object(f"{place}/a", [b"12", b"3"], scratch=scratch)
    assert first and create_object(f"{place}/a", [b"123"], scratch=scratch) == first
    for other in (b"124", b"1234", b""):
        assert create_object(f"{place}/a", [other], scratch=scratch) is None
    assert read_object(f"{place}/a") == b"123"


def test_a_disk_without_hard_links(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise OSError(errno.EPERM, os.strerror(errno.EPERM))

    monkeypatch.setattr(os, "link", refuse)
    test_what_is_created_is_never_replaced(str(tmp_path))
    test_of_many_at_once_one_gets_it(str(tmp_path / "b"))


def test_it_is_renewed_until_it_is_lost(place: str, monkeypatch: pytest.MonkeyPatch) -> None:
    renewed, lost = threading.Event(), threading.Event()
    monkeypatch.setattr(lease, "RENEWED_EVERY", 0.01)

    def tell(uri: str, data: bytes, expected: str | None, *, scratch: str) -> str | None:
        written = write_if(uri, data, expected, scratch=scratch)
        if written is None:
            lost.set()
        elif b'"renewals": 2' in data:
            renewed.set()
        return written

    monkeypatch.setattr(lease, "write_if", tell)
    with pytest.raises(LeaseLostError, match="another job took over"), leased(place, "mine"):
        assert renewed.wait(PATIENCE)
        put(place)
        assert lost.wait(PATIENCE)
    assert b'"other"' in read_object(own_path(place, lease.NAME))


def test_of_many_at_once_one_gets_it(place: str) -> None:
    def create(number: int) -> str | None:
        return write_if(f"{place}/a", b"%d" % number, None, scratch=f"{place}-scratch")

    with ThreadPoolExecutor(8) as pool:
        (won,) = [found for found in pool.map(create, range(8)) if found]
    wrong = "gcs:1:x" if place.startswith("gs") else "local:1:1"
    assert write_if(f"{place}/a", b"next", wrong, scratch=f"{place}-scratch") is None
    # The emulator deletes whatever generation it is told.
    assert place.startswith("gs") or not delete_if(f"{place}/a", wrong)
    replaced = write_if(f"{place}/a", b"next", won, scratch=f"{place}-scratch")
    assert replaced is not None and delete_if(f"{place}/a", replaced)
    assert stat_object(f"{place}/a") is None
