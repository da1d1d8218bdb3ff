"""What the tests of whole jobs do to folders and buckets, and to the command."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from google.auth.credentials import AnonymousCredentials
from google.cloud.storage import Client

from archivae.pipeline.cli import main
from archivae.storage import (
    DeadLetter,
    ManifestRow,
    read_dead_letters,
    read_manifest,
    read_object,
    write_object,
)
from archivae.storage.objects import store_of
from tests.samples import MODEL, photo_file


@dataclass(frozen=True)
class Folder:
    """A folder or bucket under test; file names are relative to it."""

    uri: str

    def put(self, files: Mapping[str, bytes]) -> Folder:
        for name, data in files.items():
            write_object(self.path(name), data, scratch=f"{self.uri}-scratch")
        return self

    def path(self, name: str) -> str:
        return f"{self.uri}/{name}"

    def read(self, name: str) -> bytes:
        return read_object(self.path(name))

    def delete(self, *names: str) -> None:
        for name in names:
            if not self.uri.startswith("gs://"):
                Path(self.path(name)).unlink()
                continue
            bucket, _, key = self.path(name).removeprefix("gs://").partition("/")
            Client(project="emulator", credentials=AnonymousCredentials()).bucket(bucket).blob(key).delete()

    def files(self) -> dict[str, bytes]:
        """Everything but our own ``_archivae/``: bytes by name."""
        return {name: self.read(name) for name in self.everything() if not name.startswith("_archivae/")}

    def everything(self) -> dict[str, str]:
        """Fingerprints (size and time, or generation and checksum) of all there is, by name."""
        return {entry.name: entry.fingerprint for entry in store_of(self.uri).walk(self.uri)}

    def own(self, start: str) -> list[str]:
        """Names of what lies in ``_archivae/`` and begins with ``start``."""
        return [name for name in self.everything() if name.startswith(f"_archivae/{start}")]

    def rows(self) -> dict[str, ManifestRow]:
        """The newest row of each source, by name."""
        return {row.name: row for row in read_manifest(self.uri).values()}

    def letters(self) -> dict[str, DeadLetter]:
        """By the object's name in its folder."""
        return {letter.object.rpartition("/")[2]: letter for letter in read_dead_letters(self.uri)}


PHOTOS = {"a.png": photo_file(64, 64, 1), "sub/b.png": photo_file(64, 96, 2), "sub/deep/c.png": photo_file(96, 64, 3)}


def encode(source: Folder | str, archive: Folder | str, *options: str, model: str = MODEL) -> int:
    """The exit code of ``archivae encode``."""
    return command("encode", source, archive, f"--model={model}", *options)


def decode(archive: Folder | str, restored: Folder | str, *options: str) -> int:
    """The exit code of ``archivae decode``."""
    return command("decode", archive, restored, *options)


def command(operation: str, source: Folder | str, destination: Folder | str, *options: str) -> int:
    uris = [folder.uri if isinstance(folder, Folder) else folder for folder in (source, destination)]
    return main([operation, *uris, "--accelerator=cpu", *options])
