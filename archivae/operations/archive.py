"""An archive of shards as a mapping from names to pictures, each read alone."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Mapping

import numpy as np

from archivae.bitstream import Bitstream, read_bitstream
from archivae.errors import ModelError, UnknownModelError
from archivae.images import MAX_PIXELS, OutputFormat
from archivae.models import parse_codec, shipped_ids
from archivae.operations.codec import LocalCodec, named_codec, put_on_device
from archivae.operations.decode import as_array, decode_first, decode_stream, picture_file
from archivae.operations.names import member_name
from archivae.storage import own_path, read_object, stat_object
from archivae.storage.archive_index import ArchiveIndex, IndexRow
from archivae.storage.archive_layout import index_uri, shard_uri
from archivae.storage.escaping import escape_name, unescape_name
from archivae.storage.names import normal
from archivae.storage.objects import read_span
from archivae.storage.store import Span


class Archive(Mapping[str, np.ndarray]):
    """Pictures by their sources' names: ``archive["a/b.jpg"]`` is what `archivae.decode` gives.

    Opening reads the index's footer. A picture costs one row group of the index, at most 1 MiB and kept for the next,
    and the picture's own bytes of its shard with the tar header before them. KeyError for a name that is not there;
    WrongMemberError where the header has another name; StorageError, BitstreamError for what is damaged.
    """

    def __init__(self, uri: str, *, accelerator: str = "auto", max_pixels: int = MAX_PIXELS) -> None:
        self.uri = normal(uri)
        self.index = ArchiveIndex(index_uri(self.uri))
        self._accelerator = accelerator
        self._max_pixels = max_pixels
        self._codecs: dict[bytes, LocalCodec] = {}
        self._lock = threading.Lock()

    def __getitem__(self, name: str) -> np.ndarray:
        return as_array(decode_first(self._stream(name), self.codec))

    def __iter__(self) -> Iterator[str]:
        return (unescape_name(row.name) for row in self.index.rows())

    def __len__(self) -> int:
        return len(self.index)

    def __contains__(self, name: object) -> bool:
        return isinstance(name, str) and self.find(name) is not None

    def find(self, name: str) -> IndexRow | None:
        """The index's row of a picture, by its source's name or by the one that the index has; None if there is none."""
        return self.index.find(escape_name(name)) or self.index.find(name)

    def read(self, name: str) -> bytes:
        """The ``.avae`` file of a picture, its CRC-32C and its name in the shard checked."""
        row = self.find(name)
        if row is None:
            raise KeyError(name)
        return read_span(span_of(self.uri, row))

    def picture_file(self, name: str, format: OutputFormat, restore_profile: bool = False) -> bytes:
        """A picture as a file of ``format``, with all its frames and metadata, as decode makes it of a single object."""
        stream = self._stream(name)
        return picture_file(stream, decode_stream(stream, self.codec, self._max_pixels), format, restore_profile)

    def codec(self, model_id: bytes) -> LocalCodec:
        """The codec with that id: shipped, or the archive's own; thread-safe. UnknownModelError if it is neither."""
        with self._lock:
            if model_id not in self._codecs:
                shipped = shipped_ids().get(model_id)
                codec = named_codec(shipped, self._accelerator) if shipped else self._own_codec(model_id.hex())
                self._codecs[model_id] = codec
            return self._codecs[model_id]

    def _stream(self, name: str) -> Bitstream:
        return read_bitstream(self.read(name), max_pixels=self._max_pixels)

    def _own_codec(self, model_id: str) -> LocalCodec:
        uri = own_path(self.uri, f"models/{model_id}.safetensors")
        if stat_object(uri) is None:
            raise UnknownModelError(
                f"model {model_id} is neither shipped with this release nor at {uri!r}: put it back"
            )
        codec = put_on_device(parse_codec(read_object(uri)), self._accelerator)
        if codec.id.hex() != model_id:
            raise ModelError(f"expected model {model_id} in {uri!r}, found {codec.id.hex()}: restore the file")
        return codec


def open_archive(uri: str, *, accelerator: str = "auto", max_pixels: int = MAX_PIXELS) -> Archive:
    """An archive that ``archivae encode --archive`` made, local or ``gs://``: a mapping from names to pictures.

    ``accelerator`` as in `archivae.decode`; pictures over ``max_pixels`` are refused before they are decoded.
    StorageError where there is no archive.
    """
    return Archive(uri, accelerator=accelerator, max_pixels=max_pixels)


def span_of(archive: str, row: IndexRow) -> Span:
    """Where the ``.avae`` file of a row lies."""
    return Span(shard_uri(archive, row.shard), row.offset, row.length, row.crc, member=member_name(row.name))
