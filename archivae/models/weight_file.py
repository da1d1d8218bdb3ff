"""What every weight file of ours has in common: safetensors, metadata in a fixed order, an id that hashes the content."""

from __future__ import annotations

import hashlib
import json
import struct
from collections.abc import Mapping
from typing import Any

import numpy as np
from safetensors import SafetensorError
from torch import Tensor

from archivae.bitstream.container import MODEL_ID_BYTES
from archivae.errors import ModelError, UsageError
from archivae.untrusted import load_json, shown

LARGEST_HEADER = 1 << 20
"""Bytes; the shipped models' have up to 28 thousand."""
LARGEST_ARCHITECTURE = 64 * 1024
"""Characters of a text of the metadata that is parsed."""
DAMAGE = (SafetensorError, UsageError, KeyError, TypeError, ValueError, AttributeError, RuntimeError, ArithmeticError)
"""What libraries raise for weight files that are damaged or altered."""


def check_header(data: bytes) -> None:
    """ModelError for a header that is longer than any of ours: the library would parse a hundred megabytes of it."""
    if int.from_bytes(data[:8], "little") > LARGEST_HEADER:
        raise ModelError(f"not a safetensors weight file: its header is longer than {LARGEST_HEADER:,} bytes")


def parse_architecture(text: str) -> Any:
    """The JSON in a text of the metadata. ValueError for what is none, or too much of it."""
    return load_json(text, largest=LARGEST_ARCHITECTURE)


def check_numbers(numbers: Mapping[str, Any], largest: Mapping[str, int], otherwise: int) -> None:
    """ValueError unless all are whole and from 0 to ``largest``, or to ``otherwise``: a network is built of so much."""
    for name, number in numbers.items():
        most = largest.get(name, otherwise)
        if type(number) is not int or not 0 <= number <= most:
            raise ValueError(f"an architecture with {name} of {shown(repr(number), 80)}, expected 0 to {most}")


def check_finite(tensors: Mapping[str, Tensor]) -> None:
    """ValueError for a weight that is no finite number: it would make pictures of nothing, without an error."""
    for name, tensor in tensors.items():
        if tensor.is_floating_point() and not bool(tensor.isfinite().all()):
            raise ValueError(f"expected finite weights, found others in {shown(name, 200)}")


def content_id(shape: list[Any], tensors: Mapping[str, Tensor]) -> bytes:
    """The first 8 bytes of a SHA-256 over ``shape`` (plain values, as JSON) and the named tensors, little-endian.

    ModelError for a tensor of a type that none of ours has.
    """
    digest = hashlib.sha256(json.dumps(shape, sort_keys=True).encode())
    for name, tensor in sorted(tensors.items()):
        try:
            array = tensor.numpy()
        except TypeError as error:
            raise ModelError(
                f"expected weights of types that NumPy has, found {tensor.dtype} in {shown(name, 200)}"
            ) from error
        digest.update(f"{name} {array.dtype.str} {array.shape}".encode())
        digest.update(np.ascontiguousarray(array).astype(array.dtype.newbyteorder("<")).tobytes())
    return digest.digest()[:MODEL_ID_BYTES]


def read_metadata(data: bytes) -> dict[str, str]:
    """The texts at the head of a safetensors file, of which the first bytes are enough. ModelError if it is none."""
    try:
        (length,) = struct.unpack_from("<Q", data)
        metadata = dict(load_json(data[8 : 8 + length], largest=LARGEST_HEADER)["__metadata__"])
        if not all(isinstance(text, str) for text in metadata.values()):
            raise TypeError("metadata that are no texts")
        return metadata
    except (struct.error, KeyError, TypeError, ValueError) as error:
        raise ModelError(f"not a safetensors weight file: {type(error).__name__}: {shown(error)}") from error


def with_sorted_metadata(data: bytes, metadata: Mapping[str, str]) -> bytes:
    """Put metadata into a safetensors file in sorted order; the library's own order varies from run to run."""
    (length,) = struct.unpack_from("<Q", data)
    header = {"__metadata__": dict(sorted(metadata.items())), **json.loads(data[8 : 8 + length])}
    text = json.dumps(header, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)
    return struct.pack("<Q", len(text)) + text + data[8 + length :]
