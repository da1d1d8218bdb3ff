"""Files made once decode as they did then, on every machine and release."""

from __future__ import annotations

import json

import numpy as np
import pytest
import torch
from PIL import Image

from archivae.bitstream import Bitstream, Coding, ValueDecoder, encode_values, read_bitstream, write_bitstream
from archivae.models.photo.architecture import LATENT_STRIDE, PASSES
from archivae.models.photo.codec import PhotoCodec, cells
from archivae.models.photo.coder import integers_crc
from archivae.models.photo.integer import PARAMETER_UNIT
from archivae.models.photo.numpy_reference import NumpyEntropyNetworks, NumpyField, slots
from archivae.models.photo.weights import PhotoWeights, parse_weights
from tests.golden.plain_decoder import PlainDecoder
from tests.golden.regenerate import FOLDER, LEARNED, WEIGHTS, decode, golden_codec, restored_crc

DECODED = json.loads((FOLDER / "decoded.json").read_text())
MODEL_ID = "8cd674f0ffd30496"


@pytest.fixture(scope="module")
def golden() -> PhotoCodec:
    return golden_codec()


def file_of(name: str) -> bytes:
    return (FOLDER / f"{name}.avae").read_bytes()


def test_the_weight_file_is_as_it_was(golden: PhotoCodec) -> None:
    assert golden.id.hex() == MODEL_ID
    assert parse_weights(WEIGHTS.read_bytes()).to_bytes() == WEIGHTS.read_bytes()


@pytest.mark.parametrize("name", LEARNED)
def test_golden_files_decode_as_they_did(golden: PhotoCodec, name: str) -> None:
    bitstream = read_bitstream(file_of(name))
    assert bitstream.model_id == golden.id
    assert (bitstream.height, bitstream.width, bitstream.quality, bitstream.tile_side) == LEARNED[name]
    assert [f"{tile.integers_crc:08x}" for tile in bitstream.tiles] == DECODED[name]["integers"]
    assert f"{restored_crc(golden, bitstream):08x}" == DECODED[name]["restored"]
    pixels = np.asarray(Image.open(FOLDER / f"{name}.png")).astype(int)
    assert np.abs(decode(golden, bitstream) - pixels).max() <= 1


@pytest.mark.parametrize("name", [*LEARNED, "original-2x3"])
def test_golden_files_are_written_as_they_were(name: str) -> None:
    assert write_bitstream(read_bitstream(file_of(name))) == file_of(name)


def test_the_stored_source_is_as_it_was() -> None:
    bitstream = read_bitstream(file_of("original-2x3"))
    assert bitstream.coding is Coding.ORIGINAL and bitstream.payload == b"P5 3 2 255\nabcdef"


def numpy_integers(weights: PhotoWeights, bitstream: Bitstream, n: int) -> tuple[np.ndarray, np.ndarray]:
    """Values and table numbers of tile ``n``, decoded with the NumPy definition alone."""
    cell = list(cells(bitstream.height, bitstream.width, bitstream.tile_side))[n]
    height, width = ((cell.inner[i + 2] - cell.inner[i]) // LATENT_STRIDE for i in range(2))
    networks = NumpyEntropyNetworks(weights.arch, weights.layers, weights.index_offset, weights.hyper_index)
    decoder = ValueDecoder(bitstream.tiles[n].stream, weights.tables)
    values: list[np.ndarray] = []
    indices: list[np.ndarray] = []

    def read(index: np.ndarray) -> np.ndarray:
        indices.append(index.ravel().astype(np.uint8))
        values.append(decoder.decode(indices[-1]))
        return values[-1].reshape(index.shape).astype(np.int64)

    def put(values: np.ndarray, x: np.ndarray, step: int) -> None:
        at = 0
        for slot in slots(x, step):
            slot[:] = values[0, at : at + slot.size].reshape(slot.shape)
            at += slot.size

    def restore(field: NumpyField) -> np.ndarray:
        known, restored = np.zeros(field.shape, np.int64), np.zeros(field.shape, np.int64)
        for step in range(PASSES):
            context = networks.context(field, step, known) if step else None
            mean, index = networks.parameters(field, step, context)
            value = read(index)
            fresh = value * PARAMETER_UNIT + mean
            put(fresh, restored, step)
            put(field.shown(value, fresh), known, step)
        return restored

    z = restore(networks.hyper_field(1, height // 4, width // 4, bitstream.quality))
    restore(networks.latent_field(z, bitstream.quality))
    decoder.finish()
    return np.concatenate(values), np.concatenate(indices)


@pytest.mark.parametrize("name", LEARNED)
def test_the_numpy_definition_decodes_golden_files_and_codes_the_same_bytes(golden: PhotoCodec, name: str) -> None:
    bitstream = read_bitstream(file_of(name))
    for n, tile in enumerate(bitstream.tiles):
        values, indices = numpy_integers(golden.weights, bitstream, n)
        assert integers_crc(values) == tile.integers_crc
        assert encode_values(values, indices, golden.weights.tables) == tile.stream


@pytest.mark.parametrize("name", LEARNED)
def test_a_decoder_written_from_the_format_alone_sees_the_same_picture(name: str) -> None:
    """`plain_decoder` checks on its way that the integers have the CRC-32C in the file."""
    pixels = PlainDecoder(str(WEIGHTS)).decode(file_of(name))
    assert np.abs(pixels.astype(int) - np.asarray(Image.open(FOLDER / f"{name}.png"))).max() <= 1


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs CUDA")
@pytest.mark.parametrize("name", LEARNED)
def test_cuda_decodes_golden_files(golden: PhotoCodec, name: str) -> None:
    bitstream = read_bitstream(file_of(name))
    cuda = PhotoCodec(golden.weights, torch.device("cuda"), torch.float32)
    assert f"{restored_crc(cuda, bitstream):08x}" == DECODED[name]["restored"]
