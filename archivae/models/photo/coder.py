"""Latents to entropy-coded bytes and back, tile by tile.

Everything that chooses a table is an integer made from integers already decoded, so a stream made anywhere decodes
everywhere.
"""

from __future__ import annotations

from collections.abc import Sequence

import google_crc32c
import numpy as np
import torch
from torch import Tensor

from archivae.bitstream import Tables, Tile, ValueDecoder, encode_values
from archivae.errors import CorruptBitstreamError
from archivae.models.photo.architecture import PASS_ORDER, PASSES
from archivae.models.photo.exact import EntropyNetworks, phase_of
from archivae.models.photo.integer import PARAMETER_UNIT
from archivae.models.photo.quantiser import Quantiser
from archivae.stopwatch import timed

PHASES = 4


def _slots(x: Tensor, step: int, phase: int) -> Tensor:
    """The view of (N, latents, h, w) that pass ``step`` decodes at ``phase``."""
    return phase_of(x[:, (phase ^ PASS_ORDER[step]) :: PASSES], phase)


def encode_tiles(
    networks: EntropyNetworks, quantise: Quantiser, tables: Tables, latents: Tensor, z: Tensor, quality: int
) -> list[Tile]:
    """Code a batch: ``latents`` (N, latents, 4h, 4w) float32, ``z`` (N, hyper, h, w) whole numbers; a tile each."""
    values, indices = choose_integers(networks, quantise, latents, z, quality)
    tiles = []
    for n in range(len(latents)):
        with timed("entropy coder"):
            stream = encode_values(values[n], indices[n], tables)
        tiles.append(Tile(stream, integers_crc(values[n])))
    return tiles


def choose_integers(
    networks: EntropyNetworks, quantise: Quantiser, latents: Tensor, z: Tensor, quality: int
) -> tuple[np.ndarray, np.ndarray]:
    """Quantise a batch: all values (N, count) int32 and their table numbers (N, count) uint8, in order."""
    z_tables = _expand(networks.hyper_tables(quality), z)
    z = torch.where(z_tables == 0, 0, z.to(torch.int32))
    values, indices = [z.flatten(1)], [z_tables.flatten(1)]
    features = networks.features(z, quality)
    known = torch.zeros_like(latents)
    for step in range(PASSES):
        context = networks.context(step, known, features) if step else None
        for phase in range(PHASES):
            mean, index = networks.parameters(step, phase, features, context, quality)
            residual = quantise(_slots(latents, step, phase) - mean.float() / PARAMETER_UNIT, index)
            _slots(known, step, phase).copy_(residual)
            values.append(residual.flatten(1))
            indices.append(index.flatten(1))
    return torch.cat(values, 1).cpu().numpy(), torch.cat(indices, 1).cpu().numpy()


def decode_tiles(
    networks: EntropyNetworks, tables: Tables, tiles: Sequence[Tile], height: int, width: int, quality: int
) -> Tensor:
    """Restored latents (N, latents, height, width), int32 in steps of 1/16, of tiles of one size.

    ``height`` and ``width`` count latent positions and are multiples of 4. Raises CorruptBitstreamError where a
    stream ends early or late, or its integers are not those that were coded.
    """
    device, arch = networks.device, networks.arch
    decoders = [ValueDecoder(tile.stream, tables) for tile in tiles]
    decoded: list[list[np.ndarray]] = [[] for _ in tiles]

    def read(index: Tensor) -> Tensor:
        rows = index.flatten(1).cpu().numpy()
        with timed("entropy coder"):
            for decoder, row, values in zip(decoders, rows, decoded, strict=True):
                values.append(decoder.decode(row))
        fresh = np.stack([values[-1] for values in decoded])
        return torch.from_numpy(fresh).to(device).view(index.shape)

    z_shape = torch.empty(len(tiles), arch.hyper, height // 4, width // 4)
    z = read(_expand(networks.hyper_tables(quality), z_shape))
    features = networks.features(z, quality)
    known = torch.zeros(len(tiles), arch.latents, height, width, device=device)
    restored = torch.empty(known.shape, dtype=torch.int32, device=device)
    for step in range(PASSES):
        context = networks.context(step, known, features) if step else None
        for phase in range(PHASES):
            mean, index = networks.parameters(step, phase, features, context, quality)
            residual = read(index)
            _slots(known, step, phase).copy_(residual)
            _slots(restored, step, phase).copy_(residual * PARAMETER_UNIT + mean)
    for decoder, values, tile in zip(decoders, decoded, tiles, strict=True):
        decoder.finish()
        if integers_crc(np.concatenate(values)) != tile.integers_crc:
            raise CorruptBitstreamError(
                "the decoded integers fail their checksum: the file is damaged, or decoding is not exact on this device"
            )
    return restored


def integers_crc(values: np.ndarray) -> int:
    """CRC-32C of all integers of a tile, z first, in the order of coding, as little-endian int16."""
    return int(google_crc32c.value(values.astype("<i2").tobytes()))


def _expand(channel_tables: Tensor, like: Tensor) -> Tensor:
    return channel_tables.view(1, -1, 1, 1).expand(like.shape).to(like.device)
