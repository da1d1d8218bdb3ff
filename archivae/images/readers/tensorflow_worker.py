"""A process of its own for tensorflow-io, run as a script: it imports nothing of archivae, and never talks but when asked.

Damaged files have been seen to crash these operations; that must not take a worker and its pictures along. Requests come on
standard input, answers go to standard output: a line of JSON that tells the size of the bytes after it, then those bytes.
What the native libraries print, which may be a patient's name, goes nowhere.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable
from typing import Any, BinaryIO

import numpy as np


def main() -> None:
    sys.path.pop(0)  # this folder, where a file is called like the module tensorflow_io
    answers = os.fdopen(os.dup(1), "wb")
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, 1)
    os.dup2(nowhere, 2)
    import tensorflow as tf
    import tensorflow_io as tfio

    while line := sys.stdin.buffer.readline():
        request = json.loads(line)
        data = sys.stdin.buffer.read(request["bytes"])
        try:
            array = np.ascontiguousarray(_OPERATIONS[request["operation"]](tf, tfio, data, request["arguments"]))
            _answer(answers, {"dtype": array.dtype.str, "shape": array.shape}, array.tobytes())
        except Exception as error:
            _answer(answers, {"error": type(error).__name__}, b"")  # its text may quote the file


def _answer(answers: BinaryIO, head: dict[str, Any], body: bytes) -> None:
    answers.write(json.dumps({**head, "bytes": len(body)}).encode() + b"\n" + body)
    answers.flush()


def _tags(tf: Any, tfio: Any, data: bytes, tags: list[int]) -> np.ndarray:
    """Texts of DICOM tags as fixed-width bytes."""
    texts = tfio.image.decode_dicom_data(data, tf.constant(tags, tf.uint32)).numpy()
    return np.array(texts.tolist(), "S64")


def _dicom(tf: Any, tfio: Any, data: bytes, bits: int) -> np.ndarray:
    dtype = tf.uint8 if bits == 8 else tf.uint16
    return tfio.image.decode_dicom_image(data, on_error="strict", scale="preserve", dtype=dtype).numpy()


def _hdr(tf: Any, tfio: Any, data: bytes, _: None) -> np.ndarray:
    return tfio.experimental.image.decode_hdr(data).numpy()


def _exr(tf: Any, tfio: Any, data: bytes, names: list[str]) -> np.ndarray:
    """(H, W, channels) float32."""
    planes = [tfio.experimental.image.decode_exr(data, 0, name, tf.float32).numpy() for name in names]
    return np.dstack([np.reshape(plane, plane.shape[:2]) for plane in planes])


_OPERATIONS: dict[str, Callable[[Any, Any, bytes, Any], np.ndarray]] = {
    "tags": _tags,
    "dicom": _dicom,
    "hdr": _hdr,
    "exr": _exr,
}

if __name__ == "__main__":
    main()
