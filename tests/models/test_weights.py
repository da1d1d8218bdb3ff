from __future__ import annotations

import hashlib
import json
import struct
from dataclasses import replace
from functools import cache

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from safetensors.torch import load, save

from archivae.errors import ModelError
from archivae.models.photo.exact import TABLES
from archivae.models.photo.export import COUNTED, fit_tables
from archivae.models.photo.weights import FORMAT, PhotoWeights, parse_weights
from archivae.models.weight_file import with_sorted_metadata
from tests.models.small_codec import small_weights


@pytest.fixture(scope="module")
def data(weights: PhotoWeights) -> bytes:
    return weights.to_bytes()


@cache
def _small_file() -> tuple[bytes, str]:
    """For hypothesis, which would print a fixture's weights in full."""
    weights = small_weights()
    return weights.to_bytes(), weights.name


def test_the_same_model_gives_the_same_bytes(data: bytes) -> None:
    assert small_weights().to_bytes() == data


def test_round_trip(weights: PhotoWeights, data: bytes) -> None:
    back = parse_weights(data)
    assert back.name == weights.name and back.arch == weights.arch and back.model_id() == weights.model_id()
    assert back.to_bytes() == data
    for name, tensor in weights.tensors().items():
        assert torch.equal(back.tensors()[name], tensor)


def test_other_tools_can_read_it(weights: PhotoWeights, data: bytes) -> None:
    assert load(data).keys() == weights.tensors().keys()
    (length,) = struct.unpack_from("<Q", data)
    metadata = json.loads(data[8 : 8 + length])["__metadata__"]
    assert metadata["format"] == FORMAT and metadata["id"] == weights.model_id().hex()


def test_the_id_is_the_hash_that_the_format_tells(weights: PhotoWeights, data: bytes) -> None:
    """docs/format.md, section "The model's id", word for word."""
    arch = ", ".join(f'"{name}": {size}' for name, size in sorted(weights.arch.asdict().items()))
    text = b'["archivae-photo-0", {' + arch.encode() + b"}]"
    dtypes = {torch.float16: "<f2", torch.float32: "<f4", torch.int8: "|i1", torch.uint8: "|u1", torch.int32: "<i4"}
    for name, tensor in sorted(load(data).items()):
        shape = "(" + ", ".join(map(str, tensor.shape)) + ("," if tensor.dim() == 1 else "") + ")"
        text += f"{name} {dtypes[tensor.dtype]} {shape}".encode() + tensor.numpy().tobytes()
    assert hashlib.sha256(text).digest()[:8] == weights.model_id()


def test_the_id_ignores_the_name(weights: PhotoWeights) -> None:
    assert replace(weights, name="another").model_id() == weights.model_id()


def test_the_id_changes_with_every_tensor(weights: PhotoWeights, data: bytes) -> None:
    tensors = load(data)
    for name in tensors:
        if not name.startswith("tables."):  # of which few changes leave valid tables
            changed = tensors[name].clone()
            changed.view(-1)[0] += 1
            with pytest.raises(ModelError, match="do not match the id"):
                parse_weights(with_tensors(weights, **{name: changed}))
    other = replace(weights, tables=fit_tables(np.ones((TABLES, 2 * COUNTED + 1))))
    assert other.model_id() != weights.model_id()


def with_tensors(weights: PhotoWeights, **changes: torch.Tensor) -> bytes:
    """A weight file with other tensors, under the id of ``weights``."""
    arch = json.dumps(weights.arch.asdict())
    metadata = {"format": FORMAT, "name": "x", "architecture": arch, "id": weights.model_id().hex()}
    return with_sorted_metadata(save({**weights.tensors(), **changes}), metadata)


def test_the_id_changes_with_the_architecture(weights: PhotoWeights) -> None:
    assert replace(weights, arch=replace(weights.arch, fine_blocks=7)).model_id() != weights.model_id()


@settings(max_examples=150, deadline=None)
@given(draw=st.data())
def test_a_flipped_bit_is_noticed_or_changes_only_the_name(draw: st.DataObject) -> None:
    data, name = _small_file()
    (length,) = struct.unpack_from("<Q", data)
    # The text at the start is as likely as all the tensors.
    byte = draw.draw(st.one_of(st.integers(0, 8 + length - 1), st.integers(8 + length, len(data) - 1)))
    damaged = bytearray(data)
    damaged[byte] ^= 1 << draw.draw(st.integers(0, 7))
    try:
        back = parse_weights(bytes(damaged))
    except ModelError:
        return
    assert byte < 8 + length and replace(back, name=name).to_bytes() == data


@pytest.mark.parametrize("length", [0, 7, 8, 100, 5000, -1])
def test_a_file_cut_short_is_refused(data: bytes, length: int) -> None:
    with pytest.raises(ModelError):
        parse_weights(data[:length])


def test_weights_that_are_not_exact_are_refused(weights: PhotoWeights) -> None:
    name = "contexts.0.enter"
    layer = weights.layers[name]
    for field, value, problem in (
        ("shift", torch.full(layer.shift.shape, 200, dtype=torch.uint8), "shifts lie within"),
        ("weight", torch.full(layer.weight.shape, -128, dtype=torch.int8), "beyond 127"),
        ("bias", torch.full(layer.bias.shape, 2**31 - 1, dtype=torch.int32), "reaches 2\\^24"),
    ):
        with pytest.raises(ModelError, match=problem):
            parse_weights(with_tensors(weights, **{f"{name}.{field}": value}))


def test_hostile_tables_are_refused(weights: PhotoWeights) -> None:
    cumulative, radius = weights.tables.cumulative.astype(np.int32), weights.tables.radius
    narrow, few = torch.from_numpy(cumulative[:, :9].copy()), torch.from_numpy(cumulative[:9].copy())
    with pytest.raises(ModelError, match="too wide for rows of 9"):
        parse_weights(with_tensors(weights, **{"tables.cumulative": narrow}))
    fewer = {"tables.cumulative": few, "tables.radius": torch.from_numpy(radius[:9].copy())}
    with pytest.raises(ModelError, match="expected 64 tables of 16-bit numbers, found 9"):
        parse_weights(with_tensors(weights, **fewer))
    with pytest.raises(ModelError, match="16-bit numbers, found 64 up to 81920"):
        parse_weights(with_tensors(weights, **{"tables.cumulative": torch.from_numpy(cumulative + 65536)}))


@pytest.mark.parametrize("format_name", ["archivae-photo-99", "pt"])
def test_another_format_is_refused(weights: PhotoWeights, format_name: str) -> None:
    data = with_sorted_metadata(save(weights.tensors()), {"format": format_name})
    with pytest.raises(ModelError, match=f"expected a weight file of format {FORMAT}, found '{format_name}'"):
        parse_weights(data)


@pytest.mark.parametrize("data", [b"", b"PK\x03\x04" + bytes(60), struct.pack("<Q", 4) + b"null", b"\xff" * 99])
def test_what_is_no_weight_file_is_refused(data: bytes) -> None:
    with pytest.raises(ModelError, match="not a safetensors weight file"):
        parse_weights(data)


def test_a_missing_tensor_is_named(weights: PhotoWeights) -> None:
    tensors = weights.tensors()
    del tensors["hyper_index"]
    metadata = {"format": FORMAT, "name": "x", "architecture": json.dumps(weights.arch.asdict())}
    with pytest.raises(ModelError, match="hyper_index"):
        parse_weights(with_sorted_metadata(save(tensors), metadata))
