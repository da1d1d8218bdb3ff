"""s3:// against moto's server, a process of its own."""

from __future__ import annotations

import socket
import subprocess
import sys
import urllib.request
import uuid
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from urllib.error import URLError

import pytest

from archivae.errors import DestinationError, LeaseLostError, StorageError, UsageError
from archivae.storage import lease, list_source, own_path, read_object, s3, stat_object, write_object
from archivae.storage.fence import create_fenced
from archivae.storage.lease import leased
from archivae.storage.objects import create_object, delete_if, delete_object, read_range, write_if, write_pieces
from tests.end_to_end.jobs import PHOTOS, Folder, decode, encode
from tests.storage.test_packs import FILES, contents, tar_of

boto3 = pytest.importorskip("boto3")
pytest.importorskip("moto")

TRIES = 400
KEYS = {"AWS_ACCESS_KEY_ID": "test", "AWS_SECRET_ACCESS_KEY": "test", "AWS_DEFAULT_REGION": "us-east-1"}


@pytest.fixture(scope="module")
def s3_server() -> Iterator[str]:
    """The URL of an emulated S3, which boto3 finds by the environment."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        port = listener.getsockname()[1]
    url = f"http://127.0.0.1:{port}"
    words = [sys.executable, "-m", "moto.server", "-H", "127.0.0.1", "-p", str(port)]
    with subprocess.Popen(words, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
        try:
            for _ in range(TRIES):
                with suppress(URLError, ConnectionError), urllib.request.urlopen(f"{url}/moto-api/", timeout=5):
                    break
                with suppress(subprocess.TimeoutExpired):
                    process.wait(0.1)
            with pytest.MonkeyPatch.context() as patch:
                for name, value in {**KEYS, "AWS_ENDPOINT_URL": url}.items():
                    patch.setenv(name, value)
                yield url
        finally:
            process.kill()


@pytest.fixture
def bucket(s3_server: str) -> str:
    name = f"bucket-{uuid.uuid4()}"
    boto3.client("s3", endpoint_url=s3_server).create_bucket(Bucket=name)
    return f"s3://{name}"


def test_what_is_written_is_read(bucket: str) -> None:
    written = write_object(f"{bucket}/a/ä b[1]*.jpg", b"123456789", scratch="")
    found = stat_object(f"{bucket}/a/ä b[1]*.jpg")
    assert found is not None and (found.size, found.fingerprint) == (9, written) and found.written > 0
    assert read_object(found.uri) == b"123456789"
    assert read_range(found.uri, 2, 3) == b"345" and read_range(found.uri, 7, 9) == b"89"
    assert read_range(found.uri, 20, 3) == b""
    delete_object(found.uri)
    delete_object(found.uri)
    assert stat_object(found.uri) is None


def test_listing_is_by_name_and_literal(bucket: str) -> None:
    for name in ("b.jpg", "a/1.jpg", "a.jpg", "a/sub/2.jpg", "_archivae/x"):
        write_object(f"{bucket}/in/{name}", name.encode(), scratch="")
    assert [entry.name for entry in list_source(f"{bucket}/in")] == ["a.jpg", "a/1.jpg", "a/sub/2.jpg", "b.jpg"]
    assert [entry.name for entry in list_source(f"{bucket}/in/*.jpg")] == ["a.jpg", "b.jpg"]
    assert list(s3.walk(f"{bucket}/nowhere")) == []


def test_large_objects_go_in_parts(bucket: str) -> None:
    pieces = [bytes([n]) * (5 << 20) for n in range(4)]
    write_pieces(f"{bucket}/large", iter(pieces), scratch="")
    assert read_object(f"{bucket}/large") == b"".join(pieces)
    with pytest.raises(StorageError, match="at most 100 bytes"):
        read_object(f"{bucket}/large", limit=100)


def test_an_object_given_up_half_way_is_not_there(bucket: str) -> None:
    def torn() -> Iterator[bytes]:
        yield bytes(9 << 20)
        raise StorageError("the source is gone")

    with pytest.raises(StorageError, match="gone"):
        write_pieces(f"{bucket}/torn", torn(), scratch="")
    assert stat_object(f"{bucket}/torn") is None


def test_damage_on_the_way_is_noticed(bucket: str, monkeypatch: pytest.MonkeyPatch) -> None:
    write_object(f"{bucket}/a", b"123456789", scratch="")
    monkeypatch.setattr(s3, "_range", lambda *_: b"12345678x")
    with pytest.raises(StorageError, match="does not match its ETag"):
        read_object(f"{bucket}/a")


def test_errors_are_told(bucket: str) -> None:
    with pytest.raises(StorageError, match="no such object"):
        read_object(f"{bucket}/nothing")
    with pytest.raises(StorageError, match="cannot write"):
        write_object("s3://no-such-bucket-at-all/a", b"x", scratch="")
    with pytest.raises(UsageError, match="bucket spelled out"):
        stat_object("s3://b*/a")


def test_of_many_at_once_one_writes(bucket: str) -> None:
    def create(number: int) -> str | None:
        return write_if(f"{bucket}/a", b"%d" % number, None, scratch="")

    with ThreadPoolExecutor(8) as pool:
        (won,) = [found for found in pool.map(create, range(8)) if found]
    assert write_if(f"{bucket}/a", b"next", f"s3:1:{'0' * 32}", scratch="") is None
    assert not delete_if(f"{bucket}/a", f"s3:1:{'0' * 32}")
    found = stat_object(f"{bucket}/a")
    assert found is not None and found.fingerprint == won
    replaced = write_if(f"{bucket}/a", b"next", won, scratch="")
    assert replaced is not None and write_if(f"{bucket}/a", b"again", won, scratch="") is None
    assert read_object(f"{bucket}/a") == b"next" and read_range(f"{bucket}/a", 0, 4, replaced) == b"next"
    assert not delete_if(f"{bucket}/a", won) and delete_if(f"{bucket}/a", replaced)
    assert stat_object(f"{bucket}/a") is None and not delete_if(f"{bucket}/a", replaced)
    assert write_if(f"{bucket}/a", b"next", replaced, scratch="") is None


def test_what_is_created_is_never_replaced(bucket: str, monkeypatch: pytest.MonkeyPatch) -> None:
    first = create_object(f"{bucket}/a", [b"12", b"3"], scratch="")
    assert first and create_object(f"{bucket}/a", [b"123"], scratch="") == first
    assert create_object(f"{bucket}/a", [b"124"], scratch="") is None
    write_object(f"{bucket}/b", b"123", scratch="")  # in parts: another ETag
    assert create_object(f"{bucket}/b", [b"123"], scratch="") is not None
    monkeypatch.setattr(s3, "_LARGEST_PUT", 3)
    assert create_object(f"{bucket}/c", [b"12", b"34"], scratch="") is not None
    assert read_object(f"{bucket}/a") == b"123" and read_object(f"{bucket}/c") == b"1234"


def test_a_lease_is_exclusive(bucket: str) -> None:
    with pytest.raises(LeaseLostError), leased(f"{bucket}/out", "mine") as fence:
        with pytest.raises(DestinationError, match="the job mine"), leased(f"{bucket}/out", "another"):
            pass
        fence.check()
        write_object(own_path(f"{bucket}/out", lease.NAME), b"damaged", scratch="")
        with pytest.raises(LeaseLostError):
            fence.check()
        with leased(f"{bucket}/out", "another"), pytest.raises(LeaseLostError):
            create_fenced(fence, f"{bucket}/out/shard-00000.tar", [b"1"])
        with pytest.raises(LeaseLostError):
            fence.check()


def test_leases_and_tars(bucket: str) -> None:
    with leased(f"{bucket}/out", "mine"):
        assert write_if(f"{bucket}/out/_archivae/lease.json", b"{}", None, scratch="") is None
    assert list(s3.walk(f"{bucket}/out")) == []
    write_object(f"{bucket}/t.tar", tar_of(FILES), scratch="")
    assert contents(f"{bucket}/t.tar") == FILES


@pytest.mark.parametrize("mode", [(), ("--archive", "--shard-size=12KiB")])
def test_there_and_back(mode: tuple[str, ...], bucket: str) -> None:
    source, archive, restored = (Folder(f"{bucket}/{name}") for name in ("in", "out", "back"))
    source.put(PHOTOS)
    assert encode(source, archive, *mode) == 0
    settled = archive.everything()
    assert encode(source, archive, *mode) == 0
    assert archive.everything() == settled
    assert decode(archive, restored) == 0
    assert sorted(restored.files()) == sorted(PHOTOS)
