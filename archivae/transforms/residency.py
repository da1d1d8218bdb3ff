"""A model is loaded once per process, or once per machine, and stays.

On a CPU, and wherever one process with many threads serves the accelerator, the process keeps it
(`CodecSource.codec`). Where several processes must share a device that holds the model only once,
one of them owns it and the others call it (`archivae.transforms.sharing`).
"""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from archivae.bitstream import Tile
from archivae.models import codec_path, parse_codec, shipped_codecs
from archivae.operations.codec import HardCodec, LocalCodec, put_on_device
from archivae.storage import read_object
from archivae.transforms.sharing import Shared

Pixels = npt.NDArray[np.uint8]

_lock = threading.Lock()
_kept: dict[tuple[bytes, str], LocalCodec] = {}


@dataclass(frozen=True)
class CodecSource:
    """Where workers get a codec: small, hashable, and pickled with the pipeline instead of the model.

    ``model`` is a shipped model's name or a weight file's URI. With ``share``, ``tag`` must be unique on the machine to
    this job and model, or a later job would get an older job's model.
    """

    model: str
    accelerator: str = "auto"
    share: bool = False
    tag: str = ""

    def weight_file(self) -> bytes:
        """The bytes of the weight file."""
        return codec_path(self.model).read_bytes() if self.model in shipped_codecs() else read_object(self.model)

    def load(self) -> LocalCodec:
        """A new copy of the codec, on its device."""
        return put_on_device(parse_codec(self.weight_file()), self.accelerator)

    def codec(self) -> HardCodec:
        """The codec to use here: this process's own, loaded by the first thread that asks, or the shared one."""
        if self.share:
            return SharedCodec(self)
        data = self.weight_file()  # by content: a file may have changed from one job of the process to the next
        key = (hashlib.sha256(data).digest(), self.accelerator)
        with _lock:
            if key not in _kept:
                _kept[key] = put_on_device(parse_codec(data), self.accelerator)
            return _kept[key]


class CodecServer:
    """What the owning process shares."""

    def __init__(self, source: CodecSource) -> None:
        self._codec = source.load()

    def describe(self) -> tuple[bytes, int, str]:
        """The model's id, its batch limit, and a token that names this very copy."""
        return self._codec.id, self._codec.batch_limit, self._codec.copy

    def encode(self, pictures: Sequence[Pixels], quality: int, effort: int) -> list[list[Tile]]:
        return self._codec.encode(pictures, quality, effort=effort)

    def decode(
        self, pictures: Sequence[Sequence[Tile]], height: int, width: int, quality: int, side: int
    ) -> list[Pixels]:
        return self._codec.decode(pictures, height, width, quality, side)

    def squared_errors(
        self, originals: Sequence[Pixels], pictures: Sequence[Sequence[Tile]], quality: int, side: int
    ) -> list[int]:
        return self._codec.squared_errors(originals, pictures, quality, side)


class SharedCodec:
    """A codec that lives in another process."""

    def __init__(self, source: CodecSource) -> None:
        self._shared = Shared(lambda: CodecServer(source), source.tag)
        self.id, self.batch_limit, self.copy = self._shared.call(lambda server: server.describe())

    def encode(self, pictures: Sequence[Pixels], quality: int, *, effort: int = 0) -> list[list[Tile]]:
        return self._shared.call(lambda server: server.encode(pictures, quality, effort))

    def decode(
        self, pictures: Sequence[Sequence[Tile]], height: int, width: int, quality: int, side: int
    ) -> list[Pixels]:
        return self._shared.call(lambda server: server.decode(pictures, height, width, quality, side))

    def squared_errors(
        self, originals: Sequence[Pixels], pictures: Sequence[Sequence[Tile]], quality: int, side: int
    ) -> list[int]:
        return self._shared.call(lambda server: server.squared_errors(originals, pictures, quality, side))
