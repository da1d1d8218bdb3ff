"""What opens doors never gets into output, logs, errors or files."""

from __future__ import annotations

import io
import logging
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import requests
from google.api_core.exceptions import ServiceUnavailable
from google.auth.exceptions import RefreshError
from google.cloud.storage.exceptions import InvalidResponse

from archivae.errors import ArchivaeError
from archivae.pipeline.cli import main
from archivae.pipeline.showing import start_logging
from archivae.storage import gcs
from archivae.storage.objects import read_object, write_object
from archivae.untrusted import shown_cause, without_secrets
from tests.end_to_end.jobs import PHOTOS, Folder
from tests.samples import MODEL

TOKEN = "ya29.A0ARrdaM-s3cr3t_s3cr3t"
KEY = "wJalrXUtnFEMI-K7MDENG-s3cr3t"
SIGNED = (
    f"https://storage.googleapis.com/b/o.jpg?X-Goog-Algorithm=GOOG4-RSA-SHA256&X-Goog-Credential=me%40p.iam-{KEY}"
    f"&X-Goog-Date=20260101T000000Z&X-Goog-Signature={KEY}"
)
AMAZON = f"https://b.s3.amazonaws.com/o?X-Amz-Credential={KEY}&X-Amz-Security-Token={KEY}&X-Amz-Signature={KEY}&x=1"
OLD = f"https://b.s3.amazonaws.com/o?AWSAccessKeyId={KEY}&Signature={KEY}%3D&Expires=1"
ENDPOINT = f"http://me:{KEY}@127.0.0.1:9000/o?token={KEY}"
TEXTS = [
    SIGNED, AMAZON, OLD, ENDPOINT,
    f"https://{KEY}@host/x", f"headers={{'Authorization': 'Bearer {TOKEN}', 'Accept': '*/*'}}",
    f'{{"Authorization": "Bearer {TOKEN}"}}', f"authorization: Bearer {TOKEN}\r\nHost: x", f"Authorization=Basic {KEY}==",
    f"header: {{b'authorization': b'AWS4-HMAC-SHA256 Credential={KEY}, Signature={KEY}'}}",
    f'{{"access_token": "{TOKEN}", "expires_in": 3599}}', f"refresh_token={KEY}&client_secret={KEY}",
    f"AWS_SECRET_ACCESS_KEY={KEY}", f"x-amz-security-token: {KEY}", f"token {TOKEN} was refused", f"'password': '{KEY}'",
]  # fmt: skip


def clean(text: str) -> bool:
    return "s3cr3t" not in text and KEY not in text and TOKEN not in text


@pytest.mark.parametrize("text", TEXTS)
def test_no_text_keeps_its_secret(text: str) -> None:
    found = without_secrets(f"cannot read: {text}; check the network")
    assert clean(found) and "***" in found
    assert without_secrets(found) == found
    assert found.startswith("cannot read: ")


@pytest.mark.parametrize("text", ["gs://bucket/a?b=1.jpg", "a@b.jpg", "key = none", "the token of a model", "x:y@z"])
def test_ordinary_text_stays(text: str) -> None:
    assert without_secrets(text) == text


def failing(error: Exception) -> Callable[..., Any]:
    def fail(*_: Any, **__: Any) -> Any:
        try:
            raise ConnectionError(f"HTTPSConnectionPool: Max retries exceeded with url: {SIGNED}")
        except ConnectionError as inner:
            raise error from inner

    return fail


ERRORS = [kind(text) for text in TEXTS for kind in (requests.ConnectionError, ServiceUnavailable, RefreshError)]


@pytest.mark.parametrize("error", ERRORS, ids=range(len(ERRORS)))
def test_errors_of_storage_and_their_traces_are_clean(error: Exception, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(gcs, "client", failing(error))
    with pytest.raises(ArchivaeError) as raised:
        read_object("gs://bucket/a.jpg")
    assert clean(str(raised.value)) and clean(repr(raised.value))
    assert clean("".join(traceback.format_exception(raised.value)))


def test_a_file_uri_with_a_password_is_refused_without_it() -> None:
    with pytest.raises(ArchivaeError, match="found the host 'host'") as raised:
        read_object(f"file://me:{KEY}@host/a.jpg")
    assert clean(without_secrets(str(raised.value)))


@pytest.mark.parametrize("uri", [f"s3://me:{KEY}@bucket/a.jpg", f"gs://{KEY}@bucket/a.jpg", f"S3://me:{KEY}@bucket"])
def test_a_bucket_with_a_password_is_refused_without_it(uri: str, capsys: pytest.CaptureFixture[str]) -> None:
    """botocore quoted all of it as the name of a bucket."""
    with pytest.raises(ArchivaeError, match="a user or password") as raised:
        read_object(uri)
    assert clean(str(raised.value)) and clean(repr(raised.value))
    assert main(["ls", uri]) == 2
    said = capsys.readouterr()
    assert clean(said.out) and clean(said.err) and "a user or password" in said.err


def test_a_cause_without_secrets_is_shown() -> None:
    plain = ValueError("no such bucket")
    assert shown_cause(plain) is plain
    assert shown_cause(ValueError(SIGNED)) is None
    inner = ValueError(SIGNED)
    plain.__cause__ = inner
    assert shown_cause(plain) is None


@pytest.mark.parametrize("step", ["read", "write"])
def test_a_job_that_meets_secrets_at_every_turn(
    step: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """All that is printed, logged at the most talkative level, and written is searched."""
    source, archive = Folder(str(tmp_path / "source")).put(PHOTOS), Folder(str(tmp_path / "archive"))
    monkeypatch.setenv("AWS_ENDPOINT_URL", ENDPOINT)
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", KEY)
    stream, root = io.StringIO(), logging.getLogger()
    before, level = root.handlers[:], root.level
    root.handlers[:] = [logging.StreamHandler(stream)]
    start_logging()
    root.setLevel(logging.DEBUG)
    texts = iter(TEXTS * 10)

    def broken(*_: Any, **__: Any) -> Any:
        text = next(texts)
        logging.getLogger("urllib3").debug("GET %s", text)
        with gcs.explained(step, "gs://bucket/x"):
            raise InvalidResponse(None, text)

    with monkeypatch.context() as patched:
        if step == "read":
            patched.setattr("archivae.transforms.read.read_listed", broken)
        else:
            patched.setattr("archivae.transforms.write.write_target", broken)
        try:
            code = main(["encode", source.uri, archive.uri, f"--model={MODEL}", "--accelerator=cpu"])
        finally:
            root.handlers[:] = before
            root.setLevel(level)
    assert code == 1
    said = capsys.readouterr()
    written = [path.read_bytes().decode("latin-1") for path in Path(archive.uri).rglob("*") if path.is_file()]
    rows = archive.rows()
    assert len(rows) == len(PHOTOS) and all("***" in row.error for row in rows.values())
    assert "***" in said.out and "***" in stream.getvalue() and len(archive.letters()) == len(PHOTOS)
    for text in (said.out, said.err, stream.getvalue(), *written, *(str(row) for row in rows.values())):
        assert clean(text)
    write_object(f"{archive.uri}/works", b"", scratch=f"{archive.uri}/tmp")
