"""A process that holds a codec, as an SDK worker does, and works on demand. Importable by spawned processes."""

from __future__ import annotations

import multiprocessing
from multiprocessing.connection import Connection
from typing import Any

from archivae.transforms.residency import CodecSource
from tests.samples import photo

PATIENCE = 120.0  # seconds; a worker that answers nothing for so long has failed


def _serve(source: CodecSource, pipe: Connection) -> None:
    codec = source.codec()
    pipe.send("ready")
    while True:
        quality = pipe.recv()
        tiles = codec.encode([photo()], quality)
        (back,) = codec.decode(tiles, 64, 64, quality, 1024)
        # A codec asked for again names the copy that is in use now.
        pipe.send((source.codec().copy, tiles, back))


class Worker:
    """A spawned process; every wait ends after `PATIENCE`."""

    def __init__(self, source: CodecSource) -> None:
        context = multiprocessing.get_context("spawn")
        self._pipe, theirs = context.Pipe()
        self._process = context.Process(target=_serve, args=(source, theirs), daemon=True)
        self._process.start()
        theirs.close()

    def wait_until_ready(self) -> Worker:
        assert self._answer() == "ready"
        return self

    def work(self, quality: int) -> tuple[str, list[Any], Any]:
        """The token of the copy that worked, the tiles, and the decoded picture."""
        self._pipe.send(quality)
        return self._answer()

    def kill(self) -> None:
        """SIGKILL: no goodbye, no clean-up."""
        self._process.kill()
        self._process.join(PATIENCE)

    def _answer(self) -> Any:
        assert self._pipe.poll(PATIENCE), "the worker does not answer"
        return self._pipe.recv()
