"""tensorflow-io, started in a process of its own when the first picture needs it, and kept."""

from __future__ import annotations

import atexit
import importlib.util
import json
import subprocess
import sys
import threading
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np

from archivae.errors import DamagedPictureError, UnsupportedPictureError

_WORKER = Path(__file__).with_name("tensorflow_worker.py")
# The smallest Radiance file there is: with another TensorFlow than its own, tensorflow-io imports and only a call fails.
_ONE_PIXEL = b"#?RADIANCE\nFORMAT=32-bit_rle_rgbe\n\n-Y 1 +X 1\n" + bytes(4)


def decode(operation: str, data: bytes, arguments: Any, what: str) -> np.ndarray:
    """The array that an operation of `tensorflow_worker` makes of ``data``; ``what`` names the kind of file.

    Raises UnsupportedPictureError, naming the extra, where tensorflow-io is missing or doesn't work; DamagedPictureError where
    the operation fails, or crashes its process.
    """
    if importlib.util.find_spec("tensorflow_io") is None:
        raise UnsupportedPictureError(
            f"found {what}, which needs tensorflow_io, and that isn't installed: install archivae[tfio]"
        )
    if not _works():
        raise UnsupportedPictureError(
            f"found {what}, and a tensorflow-io whose operations don't load: "
            "install archivae[tfio] with constraints-tfio.txt"
        )
    try:
        return _worker.ask(operation, data, arguments)
    except _OperationFailed as error:
        raise DamagedPictureError(f"tensorflow-io can't decode {what}: {error}") from error


@lru_cache(maxsize=1)
def _works() -> bool:
    try:
        return _worker.ask("hdr", _ONE_PIXEL, None).shape == (1, 1, 3)
    except _OperationFailed:
        return False


class _OperationFailed(Exception):
    pass


class _Worker:
    """One process at a time, for whichever thread asks; started anew after a crash."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._process: subprocess.Popen[bytes] | None = None

    def ask(self, operation: str, data: bytes, arguments: Any) -> np.ndarray:
        with self._lock:
            try:
                return self._ask(operation, data, arguments)
            except (OSError, ValueError) as error:  # a closed pipe, or half an answer
                self.stop()
                raise _OperationFailed("it crashed") from error

    def stop(self) -> None:
        if self._process is not None:
            self._process.kill()
            self._process.communicate()
            self._process = None

    def _ask(self, operation: str, data: bytes, arguments: Any) -> np.ndarray:
        if self._process is None:
            command = [sys.executable, str(_WORKER)]
            self._process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        into, out = self._process.stdin, self._process.stdout
        assert into is not None and out is not None
        request = {"operation": operation, "arguments": arguments, "bytes": len(data)}
        into.write(json.dumps(request).encode() + b"\n" + data)
        into.flush()
        answer = json.loads(out.readline() or b"none")  # no line: the process is gone, and "none" is no JSON
        body = out.read(answer["bytes"])
        if "error" in answer:
            raise _OperationFailed(answer["error"])
        return np.frombuffer(body, np.dtype(answer["dtype"])).reshape(answer["shape"])


_worker = _Worker()
atexit.register(_worker.stop)
