"""The picture in a ``tf.train.Example``, found in its bytes without TensorFlow.

Source: tensorflow/core/example/{example,feature}.proto, and "Encoding", protobuf.dev: a message is fields, each a number
with a wire type and, for those that matter here, a length and so many bytes.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

_PICTURES = ("image/encoded", "image", "image_bytes", "image_raw", "encoded", "jpeg", "jpg", "png", "webp")
_NAMES = ("image/filename", "filename", "file_name", "image/source_id", "__key__")
_LONGEST_NAME = 1024
_DELIMITED = 2
_FIXED = {1: 8, 5: 4}  # wire types of a fixed size, in bytes


class Picture(NamedTuple):
    """Where a picture's bytes lie in a record, and the name that the record gives it, empty if it gives none."""

    start: int
    end: int
    name: str


def find_picture(data: bytes) -> Picture:
    """The picture of an Example; the whole of ``data`` where that is no Example with a picture in it."""
    try:
        features = dict(_features(data))
    except (ValueError, IndexError, UnicodeDecodeError):
        features = {}
    found = next((features[key] for key in _PICTURES if key in features), (0, len(data)))
    named = next((features[key] for key in _NAMES if key in features), (0, 0))
    return Picture(*found, _spelled(data[slice(*named)]))


def _spelled(name: bytes) -> str:
    try:
        text = name.decode("utf-8")
    except UnicodeDecodeError:
        return ""
    return text if text.isprintable() and len(name) <= _LONGEST_NAME else ""


def _features(data: bytes) -> Iterator[tuple[str, tuple[int, int]]]:
    """The features that are byte strings, by key: where the first string lies."""
    for features in _inside(data, (0, len(data)), 1):
        for entry in _inside(data, features, 1):
            parts = dict(_fields(data, *entry))
            if 1 in parts and 2 in parts:
                strings = [span for found in _inside(data, parts[2], 1) for span in _inside(data, found, 1)]
                if strings:
                    yield data[slice(*parts[1])].decode("utf-8"), strings[0]


def _inside(data: bytes, span: tuple[int, int], number: int) -> list[tuple[int, int]]:
    return [found for field, found in _fields(data, *span) if field == number]


def _fields(data: bytes, at: int, end: int) -> Iterator[tuple[int, tuple[int, int]]]:
    """Numbers and places of the delimited fields between ``at`` and ``end``. ValueError where there is no message."""
    while at < end:
        key, at = _varint(data, at)
        kind = key & 7
        if kind == 0:
            _, at = _varint(data, at)
        elif kind in _FIXED:
            at += _FIXED[kind]
        elif kind == _DELIMITED:
            length, at = _varint(data, at)
            if length > end - at:
                raise ValueError("a field that reaches beyond its message")
            yield key >> 3, (at, at + length)
            at += length
        else:
            raise ValueError(f"wire type {kind}")
    if at != end:
        raise ValueError("a field that reaches beyond its message")


def _varint(data: bytes, at: int) -> tuple[int, int]:
    value = 0
    for shift in range(0, 70, 7):
        byte = data[at]
        value |= (byte & 0x7F) << shift
        at += 1
        if byte < 0x80:
            return value, at
    raise ValueError("a number of over ten bytes")
