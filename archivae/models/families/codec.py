"""Small pictures to entropy streams and back through a family's model: what `PhotoCodec` does for photographs."""

from __future__ import annotations

import uuid
from collections.abc import Sequence

import google_crc32c
import numpy as np
import numpy.typing as npt
import torch

from archivae.bitstream import Tables, Tile, ValueDecoder, encode_values
from archivae.errors import CorruptBitstreamError, UsageError
from archivae.models.families.quantiser import Indices, Integers, make_quantiser
from archivae.models.families.weights import FamilyWeights
from archivae.models.running import check_picture, to_pixels, to_tensor

Pixels = npt.NDArray[np.uint8]


class FamilyCodec:
    """A family's model on ``device``, in float32: these models are small.

    A picture is one tile, whatever the side of tiles is said to be. Quality is an integer in steps of 1/256.
    """

    batch_limit = 1
    """One at a time, so that no neighbour can matter."""

    def __init__(self, weights: FamilyWeights, device: torch.device) -> None:
        self.weights = weights
        self.id = weights.model_id()
        self.copy = uuid.uuid4().hex
        """Names this copy of the model: residency is counted by it."""
        self.device = device
        self._quantiser = make_quantiser(weights.build().to(device), weights.codec)

    @torch.inference_mode()
    def encode(self, pictures: Sequence[Pixels], quality: int, *, effort: int = 0) -> list[list[Tile]]:
        """The one tile of each picture, (H, W, 1 or 3). UsageError for pictures the model does not take.

        These models have one way to encode: an ``effort`` but 0 is a UsageError.
        """
        if effort:
            raise UsageError(f"{self.weights.name} encodes with effort 0 alone, found {effort}: leave --effort out")
        return [[self._encode_one(picture, quality)] for picture in pictures]

    @torch.inference_mode()
    def decode(
        self, pictures: Sequence[Sequence[Tile]], height: int, width: int, quality: int, side: int
    ) -> list[Pixels]:
        """The pictures, (H, W, 3); grey ones with three equal channels."""
        form = self.weights.form
        if (height, width) != (form.height, form.width):
            raise CorruptBitstreamError(f"{self.weights.name} makes {form}; found a size of {height}x{width}")
        return [np.broadcast_to(self._decode_one(tiles, quality), (height, width, 3)) for tiles in pictures]

    def squared_errors(
        self, originals: Sequence[Pixels], pictures: Sequence[Sequence[Tile]], quality: int, side: int
    ) -> list[int]:
        """Decode ``pictures`` and compare: the sum of squared differences to each of ``originals``, (H, W, 1 or 3)."""
        height, width = originals[0].shape[:2]
        decoded = self.decode(pictures, height, width, quality, side)
        return [
            int(np.square(rgb[:, :, : original.shape[2]].astype(np.int64) - original).sum())
            for original, rgb in zip(originals, decoded, strict=True)
        ]

    def _encode_one(self, picture: Pixels, quality: int) -> Tile:
        check_picture(self.weights.form, picture, self.weights.name)
        batch = to_tensor([picture], self.weights.form, self.device)
        values = self._quantiser.integers(batch, quality)[0]
        stream = encode_values(values, self._quantiser.indices(quality), self._quantiser.tables)
        return Tile(stream, integers_crc(values))

    def _decode_one(self, tiles: Sequence[Tile], quality: int) -> Pixels:
        (tile,) = tiles
        values = _read(tile, self._quantiser.indices(quality), self._quantiser.tables)
        return to_pixels(self._quantiser.pictures(values[None], quality))[0]


def _read(tile: Tile, indices: Indices, tables: Tables) -> Integers:
    decoder = ValueDecoder(tile.stream, tables)
    values = decoder.decode(indices)
    decoder.finish()
    if integers_crc(values) != tile.integers_crc:
        raise CorruptBitstreamError("the decoded integers fail their checksum: the file is damaged")
    return values


def integers_crc(values: Integers) -> int:
    """CRC-32C of the integers in the order of coding, as little-endian int16."""
    return int(google_crc32c.value(values.astype("<i2").tobytes()))
