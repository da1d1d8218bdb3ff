"""TFRecord files and examples, written without TensorFlow."""

from __future__ import annotations

import struct
from collections.abc import Iterable

import google_crc32c

from archivae.images.tf_example import _example


def tfrecord(records: Iterable[bytes]) -> bytes:
    """A file of these records."""
    return b"".join(_length(record) + record + _masked(record) for record in records)


def example(**features: bytes) -> bytes:
    """A ``tf.train.Example`` of texts of bytes; two underscores in a name stand for a slash."""
    message = _example()()
    for name, value in features.items():
        message.features.feature[name.replace("__", "/")].bytes_list.value.append(value)
    return bytes(message.SerializeToString(deterministic=True))


def _length(record: bytes) -> bytes:
    length = struct.pack("<Q", len(record))
    return length + _masked(length)


def _masked(data: bytes) -> bytes:
    crc = google_crc32c.value(data)
    return struct.pack("<I", ((crc >> 15 | crc << 17) + 0xA282EAD8) & 0xFFFFFFFF)
