"""Latents to entropy-coded bytes and back, tile by tile.

Everything that chooses a table is an integer made from integers already decoded, so a stream made anywhere decodes
everywhere.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple

import google_crc32c
import numpy as np
import torch
from torch import Tensor

from archivae.bitstream import Tables, Tile, ValueDecoder, encode_values
from archivae.errors import CorruptBitstreamError
from archivae.models.photo.architecture import PASSES
from archivae.models.photo.exact import EntropyNetworks, Field, slots
from archivae.models.photo.integer import PARAMETER_UNIT
from archivae.models.photo.quantiser import Quantiser, round_nearest
from archivae.stopwatch import timed

Rounding = Callable[[int, Tensor, Tensor], Tensor]
"""Pass, real residuals and table numbers to whole residuals, int32; all (N, count), in order of coding."""
Fill = Callable[[int, Tensor, Tensor], Tensor]
"""Pass, means and table numbers to the whole residuals there, int32; all (N, count), in order of coding."""


class Chosen(NamedTuple):
    """The integers of a field, int32, and their table numbers, uint8: both (N, count), in order of coding."""

    values: Tensor
    indices: Tensor


def encode_tiles(
    networks: EntropyNetworks, quantise: Quantiser, tables: Tables, latents: Tensor, z: Tensor, quality: int
) -> list[Tile]:
    """Code a batch: ``latents`` (N, latents, 4h, 4w) and ``z`` (N, hyper, h, w), both float32; a tile each."""
    return code_tiles(choose_integers(networks, quantise, latents, z, quality), tables)


def code_tiles(chosen: Chosen, tables: Tables) -> list[Tile]:
    """All integers of a batch, entropy-coded: a tile each."""
    tiles = []
    for values, indices in zip(*(part.cpu().numpy() for part in chosen), strict=True):
        with timed("entropy coder"):
            stream = encode_values(values, indices, tables)
        tiles.append(Tile(stream, integers_crc(values)))
    return tiles


def choose_integers(networks: EntropyNetworks, quantise: Quantiser, latents: Tensor, z: Tensor, quality: int) -> Chosen:
    """Quantise a batch: all its integers, hyper-latents first."""
    hyper, field = choose_hyper(networks, z, quality)
    picked: list[Chosen] = []
    for _ in _passes(networks, field, _quantised(latents, lambda _, r, index: quantise(r, index), picked)):
        pass  # an encoder does not ask what latents are restored to
    return joined([hyper, *picked])


def choose_hyper(networks: EntropyNetworks, z: Tensor, quality: int) -> tuple[Chosen, Field]:
    """Round hyper-latents to the nearest: their integers, and the field of latents that they describe."""
    count, _, height, width = z.shape
    picked: list[Chosen] = []
    rounding = _quantised(z, lambda _, r, index: round_nearest(r, index), picked)
    restored = _restore(networks, networks.hyper_field(count, height, width, quality), rounding)
    return joined(picked), networks.latent_field(restored, quality)


def choose_latents(
    networks: EntropyNetworks, field: Field, latents: Tensor, rounding: Rounding
) -> tuple[Chosen, Tensor]:
    """Quantise latents (N, latents, h, w): their integers, and what they are restored to, int32 in steps of 1/16."""
    picked: list[Chosen] = []
    restored = _restore(networks, field, _quantised(latents, rounding, picked))
    return joined(picked), restored


def joined(parts: Sequence[Chosen]) -> Chosen:
    """Integers that are coded one after the other."""
    return Chosen(*(torch.cat(part, 1) for part in zip(*parts, strict=True)))


def in_order(x: Tensor, step: int) -> Tensor:
    """What of ``x`` (N, C, h, w) pass ``step`` decodes, in order of coding: a new tensor (N, count)."""
    return torch.cat([slot.flatten(1) for slot in slots(x, step)], 1)


def _quantised(wanted: Tensor, rounding: Rounding, picked: list[Chosen]) -> Fill:
    """Residuals of ``wanted``, rounded; ``picked`` gets each pass' integers."""

    def fill(step: int, mean: Tensor, index: Tensor) -> Tensor:
        residual = rounding(step, in_order(wanted, step).sub_(mean, alpha=1 / PARAMETER_UNIT), index)
        picked.append(Chosen(residual, index))
        return residual

    return fill


def decode_tiles(
    networks: EntropyNetworks, tables: Tables, tiles: Sequence[Tile], height: int, width: int, quality: int
) -> Tensor:
    """Restored latents (N, latents, height, width), int32 in steps of 1/16, of tiles of one size.

    ``height`` and ``width`` count latent positions and are multiples of 4. Raises CorruptBitstreamError where a
    stream ends early or late, or its integers are not those that were coded.
    """
    decoders = [ValueDecoder(tile.stream, tables) for tile in tiles]
    decoded: list[list[np.ndarray]] = [[] for _ in tiles]

    def read(step: int, mean: Tensor, index: Tensor) -> Tensor:
        rows = index.cpu().numpy()
        with timed("entropy coder"):
            for decoder, row, values in zip(decoders, rows, decoded, strict=True):
                values.append(decoder.decode(row))
        fresh = np.stack([values[-1] for values in decoded])
        return torch.from_numpy(fresh).to(networks.device)

    z = _restore(networks, networks.hyper_field(len(tiles), height // 4, width // 4, quality), read)
    restored = _restore(networks, networks.latent_field(z, quality), read)
    for decoder, values, tile in zip(decoders, decoded, tiles, strict=True):
        decoder.finish()
        if integers_crc(np.concatenate(values)) != tile.integers_crc:
            raise CorruptBitstreamError(
                "the decoded integers fail their checksum: the file is damaged, or decoding is not exact on this device"
            )
    return restored


def _restore(networks: EntropyNetworks, field: Field, fill: Fill) -> Tensor:
    """A field whose residuals ``fill`` gives: restored values, int32 in steps of 1/16."""
    restored = torch.empty(field.shape, dtype=torch.int32, device=networks.device, memory_format=torch.channels_last)
    for step, fresh in enumerate(_passes(networks, field, fill)):
        _put(fresh, restored, step)
    return restored


def _passes(networks: EntropyNetworks, field: Field, fill: Fill) -> Iterator[Tensor]:
    """Restored values of each of the four passes: (N, count), in order of coding."""
    known = torch.zeros(field.shape, dtype=torch.int8, device=networks.device)
    known = known.contiguous(memory_format=torch.channels_last)
    for step in range(PASSES):
        mean, index = networks.parameters(field, step, networks.context(field, step, known) if step else None)
        residual = fill(step, mean, index)
        fresh = torch.add(mean, residual, alpha=PARAMETER_UNIT)
        if step < PASSES - 1:
            _put(field.shown(residual, fresh), known, step)
        yield fresh


def _put(values: Tensor, x: Tensor, step: int) -> None:
    """Write ``values`` (N, count) where pass ``step`` decodes them."""
    places = slots(x, step)
    parts = values.split([slot[0].numel() for slot in places], 1)
    for slot, part in zip(places, parts, strict=True):
        slot.copy_(part.view(slot.shape))


def integers_crc(values: np.ndarray) -> int:
    """CRC-32C of all integers of a tile, z first, in the order of coding, as little-endian int16."""
    return int(google_crc32c.value(values.astype("<i2").tobytes()))
