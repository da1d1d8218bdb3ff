"""One job at a time over a destination."""

from __future__ import annotations

import json
import multiprocessing
import os
import signal
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from archivae.errors import DestinationError
from archivae.storage import lease, own_path, read_object, stat_object, write_object
from archivae.storage.lease import leased
from archivae.storage.objects import delete_if, write_if

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


def test_what_is_no_lease_expires_too(place: str, monkeypatch: pytest.MonkeyPatch) -> None:
    write_object(own_path(place, lease.NAME), b"[]", scratch=f"{place}-scratch")
    with pytest.raises(DestinationError), leased(place, "mine"):
        pass
    monkeypatch.setattr(lease, "EXPIRES_AFTER", -PATIENCE)
    with leased(place, "mine"):
        pass


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
    with pytest.raises(DestinationError, match="another job took over"), leased(place, "mine"):
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
