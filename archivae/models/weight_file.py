"""What every weight file of ours has in common: safetensors, metadata in a fixed order, an id that hashes the content."""

from __future__ import annotations

import hashlib
import json
import struct
from collections.abc import Mapping
from typing import Any

import numpy as np
from torch import Tensor

from archivae.bitstream.container import MODEL_ID_BYTES
from archivae.errors import ModelError


def content_id(shape: list[Any], tensors: Mapping[str, Tensor]) -> bytes:
    """The first 8 bytes of a SHA-256 over ``shape`` (plain values, as JSON) and the named tensors, little-endian."""
    digest = hashlib.sha256(json.dumps(shape, sort_keys=True).encode())
    for name, tensor in sorted(tensors.items()):
        array = tensor.numpy()
        digest.update(f"{name} {array.dtype.str} {array.shape}".encode())
        digest.update(np.ascontiguousarray(array).astype(array.dtype.newbyteorder("<")).tobytes())
    return digest.digest()[:MODEL_ID_BYTES]


def read_metadata(data: bytes) -> dict[str, str]:
    """The texts at the head of a safetensors file, of which the first bytes are enough. ModelError if it is none."""
    try:
        (length,) = struct.unpack_from("<Q", data)
        return dict(json.loads(data[8 : 8 + length])["__metadata__"])
    except (struct.error, KeyError, TypeError, ValueError) as error:
        raise ModelError(f"not a safetensors weight file: {error!r}") from error


def with_sorted_metadata(data: bytes, metadata: Mapping[str, str]) -> bytes:
    """Put metadata into a safetensors file in sorted order; the library's own order varies from run to run."""
    (length,) = struct.unpack_from("<Q", data)
    header = {"__metadata__": dict(sorted(metadata.items())), **json.loads(data[8 : 8 + length])}
    text = json.dumps(header, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)
    return struct.pack("<Q", len(text)) + text + data[8 + length :]
