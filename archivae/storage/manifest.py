"""What was done to which object: immutable Parquet fragments, one a bundle, that together are the manifest."""

from __future__ import annotations

import io
import uuid
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime, timezone
from itertools import chain
from typing import Any, Literal, get_args

import pyarrow as pa
import pyarrow.parquet

from archivae.errors import StorageError, UsageError
from archivae.storage.escaping import spell_text, unspell_text
from archivae.storage.names import own_path, scratch_of
from archivae.storage.objects import read_object, store_of, write_object
from archivae.storage.parquet import Limits, read_parquet
from archivae.storage.threads import map_in_order

Status = Literal["done", "failed", "not-a-picture"]
Coding = Literal["learned", "lossless", "original", ""]
Operation = Literal["encode", "decode", "restore", "verify", "generate", "embed", "transform"]

_ALLOWED = {"status": get_args(Status), "coding": get_args(Coding), "operation": get_args(Operation)}
_NAMES = ("source", "name", "archive")
_LISTS = ("tasks", "strengths", "lost", "changed", "said")
_OLDER_LOST = "notes"  # of rows that knew no kinds of them: any may be of what is lost
_FOLDER = "manifest"
_SUFFIX = ".parquet"
_LIMITS = Limits(rows=20_000, size=64 << 20)
"""Of one fragment: a bundle writes a thousand rows at a time."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ManifestRow:
    """What became of one source object. Raises UsageError for a status, coding or operation that is none."""

    source: str  # URI
    name: str  # relative to the job's source
    bytes: int  # of the source
    sha256: str  # of the source, hexadecimal
    fingerprint: str  # of the source as it was listed
    height: int  # pixels, 0 unknown
    width: int
    status: Status
    coding: Coding = ""
    archive: str = ""  # URI of what was written
    archive_bytes: int = 0  # 0 also for a picture that lay there already, and was not written by us
    bpp: float = 0.0  # bits of the archive per pixel
    psnr: float = 0.0  # dB; inf if lossless, 0 unknown
    quality: float = 0.0
    model: str = ""  # id
    operation: Operation
    options: str = "{}"  # canonical JSON
    tasks: tuple[str, ...] = ()  # restorations that changed the picture, in order
    strengths: tuple[float, ...] = ()  # of each, in its unit; 0 for inpaint
    lost: tuple[str, ...] = ()  # what of the source is in the archive in no form, by name
    changed: tuple[str, ...] = ()  # what was converted, and how
    said: tuple[str, ...] = ()  # for information
    error: str = ""
    run: str  # id of the job
    seconds: float = 0.0  # of work
    written: float  # seconds since 1970, UTC

    @property
    def notes(self) -> tuple[str, ...]:
        """All of them, of what is lost first."""
        return self.lost + self.changed + self.said

    def __post_init__(self) -> None:
        for field, allowed in _ALLOWED.items():
            if getattr(self, field) not in allowed:
                raise UsageError(f"expected {field} to be one of {allowed}, found {getattr(self, field)!r}")


SCHEMA = pa.schema(
    [
        pa.field(name, kind, nullable=False)
        for name, kind in (
            ("source", pa.string()),
            ("name", pa.string()),
            ("bytes", pa.int64()),
            ("sha256", pa.string()),
            ("fingerprint", pa.string()),
            ("height", pa.int32()),
            ("width", pa.int32()),
            ("status", pa.string()),
            ("coding", pa.string()),
            ("archive", pa.string()),
            ("archive_bytes", pa.int64()),
            ("bpp", pa.float64()),
            ("psnr", pa.float64()),
            ("quality", pa.float64()),
            ("model", pa.string()),
            ("operation", pa.string()),
            ("options", pa.string()),
            ("tasks", pa.list_(pa.string())),
            ("strengths", pa.list_(pa.float64())),
            ("lost", pa.list_(pa.string())),
            ("changed", pa.list_(pa.string())),
            ("said", pa.list_(pa.string())),
            ("error", pa.string()),
            ("run", pa.string()),
            ("seconds", pa.float64()),
            ("written", pa.float64()),
        )
    ]
)


def write_fragment(destination: str, rows: Sequence[ManifestRow]) -> str:
    """Write rows, whose objects must be durable already, as one new fragment; its URI. UsageError if there are none."""
    if not rows:
        raise UsageError("expected at least one row for a manifest fragment, found none; write none")
    newest = datetime.fromtimestamp(max(row.written for row in rows), timezone.utc)
    uri = own_path(destination, f"{_FOLDER}/{newest:%Y%m%dT%H%M%S.%fZ}-{uuid.uuid4().hex}{_SUFFIX}")
    write_object(uri, fragment_bytes(rows), scratch=scratch_of(destination))
    return uri


def fragment_bytes(rows: Sequence[ManifestRow]) -> bytes:
    """A fragment of these rows."""
    table = pa.Table.from_pylist([_encodable(row) for row in rows], schema=SCHEMA)
    sink = io.BytesIO()
    pa.parquet.write_table(table, sink, compression="zstd")
    return sink.getvalue()


def read_fragments(destination: str) -> list[str]:
    """The URIs of all fragments, oldest first; none if nothing was written yet."""
    folder = own_path(destination, _FOLDER)
    return [entry.uri for entry in store_of(folder).walk(folder, depth=1) if entry.name.endswith(_SUFFIX)]


def read_fragment(uri: str) -> list[ManifestRow]:
    """The rows of one fragment. StorageError if it is torn, or no fragment of ours."""
    data = read_object(uri, limit=_LIMITS.size)
    try:
        table = _with_lists(read_parquet(data, limits=_LIMITS, columns=(*SCHEMA.names, _OLDER_LOST)))
        return _rows(table.select(SCHEMA.names).cast(SCHEMA))
    except (pa.ArrowException, OSError, KeyError, TypeError, ValueError, UsageError) as error:
        raise StorageError(
            f"expected {uri!r} to be a fragment of the manifest, found something else or a damaged file ({error}); "
            f"move it out of the folder"
        ) from error


def read_rows(destination: str) -> Iterator[ManifestRow]:
    """Every row that was ever written, fragment by fragment, oldest first."""
    return chain.from_iterable(map_in_order(read_fragment, read_fragments(destination)))


def read_manifest(destination: str) -> dict[str, ManifestRow]:
    """The newest row of each source, by its URI; of equally new ones, that of the later fragment."""
    newest: dict[str, ManifestRow] = {}
    keep_newest(newest, read_rows(destination))
    return newest


def keep_newest(newest: dict[str, ManifestRow], rows: Iterable[ManifestRow]) -> None:
    """Put ``rows`` into ``newest``, which has a row for each source's URI, where they are no older."""
    for row in rows:
        known = newest.get(row.source)
        if known is None or row.written >= known.written:
            newest[row.source] = row


def _encodable(row: ManifestRow) -> dict[str, Any]:
    """What is no Unicode, from file names that are no UTF-8, spelled out: one such name must not lose a bundle's rows.

    Names and URIs are spelled so that they come back.
    """
    spelled = {name: spell_text(getattr(row, name)) for name in _NAMES}
    return {key: _escaped(value) for key, value in asdict(row).items()} | spelled


def _escaped(value: Any) -> Any:
    if isinstance(value, tuple):
        return [_escaped(item) for item in value]
    return value.encode("utf-8", "backslashreplace").decode() if isinstance(value, str) else value


def _rows(table: pa.Table) -> list[ManifestRow]:
    empty = [name for name in table.column_names if table.column(name).null_count]
    if empty:
        raise ValueError(f"empty values in {', '.join(empty)}")
    return [_row(row) for row in table.to_pylist()]


def _row(found: dict[str, Any]) -> ManifestRow:
    lists = {name: tuple(found[name]) for name in _LISTS}
    return ManifestRow(**found | lists | {name: unspell_text(found[name]) for name in _NAMES})


def _with_lists(table: pa.Table) -> pa.Table:
    """The table with an empty list for each that its rows lack; notes of older archives count as lost."""
    if _OLDER_LOST in table.column_names and "lost" not in table.column_names:
        table = table.append_column("lost", table.column(_OLDER_LOST))
    for name in set(_LISTS) - set(table.column_names):
        table = table.append_column(SCHEMA.field(name), pa.array([[]] * len(table), SCHEMA.field(name).type))
    return table
