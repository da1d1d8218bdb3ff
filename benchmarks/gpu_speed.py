"""Frames a second on a CUDA device, 1080p, entropy coding on the CPU included."""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from itertools import product
from typing import Any

import torch

from archivae.models import PhotoCodec, PhotoWeights, fastest_dtype
from archivae.models.photo.codec import TILE_SIDE
from benchmarks.pictures import Pixels, mirrored
from benchmarks.timing import seconds_of
from benchmarks.unverified import steps_of

HEIGHT, WIDTH = 1080, 1920
ONE_TILE = 1920
BATCHES = (1, 2, 4, 8, 16)


class BatchCodec(PhotoCodec):
    """A codec with batches of a size of our choice; the shipped one has 8 on every GPU."""

    batch = 1

    @property
    def batch_limit(self) -> int:
        return self.batch


def gpu_speed(weights: PhotoWeights, pictures: Sequence[Pixels], quality: float, rounds: int) -> list[dict[str, Any]]:
    """A row for each batch and tile side; [] without a CUDA device."""
    if not torch.cuda.is_available():
        return []
    cuda = torch.device("cuda")
    codec = BatchCodec(weights, cuda, fastest_dtype(cuda))
    frames = [mirrored(picture, HEIGHT, WIDTH, shift) for shift in range(0, 400, 100) for picture in pictures]
    frames = (frames * BATCHES[-1])[: BATCHES[-1]]
    return [_row(codec, frames, *how, quality, rounds) for how in product(BATCHES, (TILE_SIDE, ONE_TILE))]


def _row(
    codec: BatchCodec, frames: Sequence[Pixels], batch: int, side: int, quality: float, rounds: int
) -> dict[str, Any]:
    codec.batch = batch
    steps = steps_of(quality)
    tiles = codec.encode(frames, steps, side)
    codec.decode(tiles, HEIGHT, WIDTH, steps, side)
    encoding = [seconds_of(lambda: codec.encode(frames, steps, side)) for _ in range(rounds)]
    decoding = [seconds_of(lambda: codec.decode(tiles, HEIGHT, WIDTH, steps, side)) for _ in range(rounds)]
    return {
        "batch": batch,
        "tile_side": side,
        "encode_frames_per_second": len(frames) / statistics.median(encoding),
        "decode_frames_per_second": len(frames) / statistics.median(decoding),
    }
