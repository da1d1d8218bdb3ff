"""What only GCS does: generations, checksums, preconditions, credentials."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import pytest
from google.api_core.exceptions import PreconditionFailed, ServiceUnavailable
from google.auth import exceptions
from google.auth.transport.requests import AuthorizedSession
from google.cloud.storage import Blob
from google.cloud.storage.exceptions import DataCorruption

from archivae.errors import StorageError
from archivae.storage import gcs as store
from archivae.storage import generation_of, list_source, read_object, stat_object, write_object


def _blob(uri: str) -> Blob:
    bucket, _, key = uri.removeprefix("gs://").partition("/")
    return store.client().bucket(bucket).blob(key)


def test_a_fingerprint_is_generation_and_checksum_in_writing_looking_up_and_listing(gcs: str) -> None:
    written = write_object(f"{gcs}/a", b"123456789", scratch="")
    kind, generation, crc = written.split(":")
    assert kind == "gcs" and int(generation) > 0
    assert crc == "4waSgw=="  # the check value of CRC-32C, E3069283
    found = stat_object(f"{gcs}/a")
    assert found is not None and found.fingerprint == written
    assert [entry.fingerprint for entry in list_source(gcs)] == [written]


def test_a_read_can_be_held_to_the_version_that_was_listed(gcs: str) -> None:
    generation = generation_of(write_object(f"{gcs}/a", b"old", scratch=""))
    assert read_object(f"{gcs}/a", generation=generation) == b"old"
    write_object(f"{gcs}/a", b"new", scratch="")
    with pytest.raises(StorageError, match="changed since it was listed"):
        read_object(f"{gcs}/a", generation=generation)


def test_writing_the_same_again_keeps_the_generation(gcs: str) -> None:
    # Small, for the emulator ignores the preconditions of resumable uploads (over 8 MiB).
    first = write_object(f"{gcs}/a", b"x", scratch="")
    assert write_object(f"{gcs}/a", b"x", scratch="") == first
    assert write_object(f"{gcs}/a", b"y", scratch="") != first


def test_large_uploads_carry_their_precondition_too(gcs: str, monkeypatch: pytest.MonkeyPatch) -> None:
    sent: list[str] = []
    request = AuthorizedSession.request

    def record(session: AuthorizedSession, method: str, url: str, **options: object) -> object:
        if method != "GET":  # the client looks up the bucket meanwhile, from a thread of its own
            sent.append(url)
        return request(session, method, url, **options)

    monkeypatch.setattr(AuthorizedSession, "request", record)
    write_object(f"{gcs}/a", bytes(9 << 20), scratch="")
    assert "uploadType=resumable" in sent[0] and "ifGenerationMatch=0" in sent[0]


def test_two_writers_at_once_leave_one_whole_object(gcs: str) -> None:
    versions = [bytes([number]) * 1000 for number in range(4)]
    with ThreadPoolExecutor() as pool:
        list(pool.map(lambda data: write_object(f"{gcs}/a", data, scratch=""), versions))
    assert read_object(f"{gcs}/a") in versions


def test_a_write_that_always_loses_says_so(gcs: str, monkeypatch: pytest.MonkeyPatch) -> None:
    write_object(f"{gcs}/a", b"theirs", scratch="")

    def lose(*_: object, **__: object) -> None:
        raise PreconditionFailed("somebody was faster")

    monkeypatch.setattr(Blob, "upload_from_string", lose)
    with pytest.raises(StorageError, match="somebody else wrote it each time"):
        write_object(f"{gcs}/a", b"ours", scratch="")


def test_an_upload_whose_answer_got_lost_counts_as_written(gcs: str, monkeypatch: pytest.MonkeyPatch) -> None:
    upload = Blob.upload_from_string

    def upload_and_lose(blob: Blob, data: bytes, **options: object) -> None:
        upload(blob, data, **options)
        raise PreconditionFailed("the client tried again and met its own object")

    monkeypatch.setattr(Blob, "upload_from_string", upload_and_lose)
    assert write_object(f"{gcs}/a", b"ours", scratch="").startswith("gcs:")
    assert read_object(f"{gcs}/a") == b"ours"


def test_an_upload_that_arrives_damaged_is_repeated(gcs: str, monkeypatch: pytest.MonkeyPatch) -> None:
    upload = Blob.upload_from_string
    sent = iter([b"ouch", b"ours"])
    monkeypatch.setattr(Blob, "upload_from_string", lambda blob, _, **options: upload(blob, next(sent), **options))
    write_object(f"{gcs}/a", b"ours", scratch="")
    assert read_object(f"{gcs}/a") == b"ours"


@pytest.mark.parametrize(
    ("error", "message"),
    [
        (exceptions.RefreshError("secret-token"), "gcloud auth application-default login"),
        (DataCorruption(None, "crc"), "does not match its CRC-32C"),
        (ServiceUnavailable("busy"), "busy.*check the network"),
    ],
)
def test_errors_are_explained_and_chained(
    gcs: str, monkeypatch: pytest.MonkeyPatch, error: Exception, message: str
) -> None:
    def fail(*_: object, **__: object) -> None:
        raise error

    monkeypatch.setattr(Blob, "download_to_file", fail)
    with pytest.raises(StorageError, match=message) as caught:
        read_object(f"{gcs}/a")
    assert caught.value.__cause__ is error
    assert "secret-token" not in str(caught.value)


def test_without_credentials_the_error_says_how_to_log_in(
    monkeypatch: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory
) -> None:
    for name in ("STORAGE_EMULATOR_HOST", "GOOGLE_APPLICATION_CREDENTIALS"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("CLOUDSDK_CONFIG", str(tmp_path_factory.mktemp("empty")))
    monkeypatch.setenv("NO_GCE_CHECK", "true")
    with pytest.raises(StorageError, match="gcloud auth application-default login"):
        list(list_source("gs://bucket/photos"))


def test_there_is_one_client_for_all_threads(gcs: str) -> None:
    with ThreadPoolExecutor(8) as pool:
        assert len(set(pool.map(lambda _: id(store.client()), range(64)))) == 1


def test_a_missing_bucket(gcs_server: str) -> None:
    with pytest.raises(StorageError, match="there is no such object or bucket"):
        write_object("gs://no-such-bucket/a", b"", scratch="")
    with pytest.raises(StorageError):
        list(list_source("gs://no-such-bucket/photos"))


def test_placeholders_of_folders_are_no_objects(gcs: str) -> None:
    for key in ("photos/", "photos/sub/"):
        _blob(f"{gcs}/{key}").upload_from_string(b"")
    write_object(f"{gcs}/photos/sub/1.jpg", b"1", scratch="")
    for source in (f"{gcs}/photos", f"{gcs}/photos/", f"{gcs}/photos/**"):
        assert [entry.name for entry in list_source(source)] == ["sub/1.jpg"]


def test_a_whole_bucket_is_a_folder(gcs: str) -> None:
    write_object(f"{gcs}/1.jpg", b"1", scratch="")
    for source in (gcs, f"{gcs}/"):
        assert [(entry.uri, entry.name) for entry in list_source(source)] == [(f"{gcs}/1.jpg", "1.jpg")]
