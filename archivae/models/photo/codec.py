"""The shipped photo codec: pixels to entropy-coded tiles and back, on one device."""

from __future__ import annotations

import uuid
from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn

from archivae.bitstream import Tile, tile_grid
from archivae.models.photo.architecture import ANCHORS, HYPER_STRIDE, LATENT_STRIDE, Z_LIMIT, anchor_mix
from archivae.models.photo.coder import choose_integers, decode_tiles, encode_tiles
from archivae.models.photo.exact import QUALITY_SCALE, EntropyNetworks
from archivae.models.photo.integer import PARAMETER_UNIT
from archivae.models.photo.layers import blend, run_branches_in
from archivae.models.photo.quantiser import Quantiser
from archivae.models.photo.transforms import Analysis, HyperAnalysis, Synthesis
from archivae.models.photo.weights import PhotoWeights

TILE_SIDE = 1024
"""Pictures larger than this are coded in tiles of this side."""
HALO = 64
"""How far a pixel reaches through either transform, rounded up: tiles are cut with this much around them."""
GPU_BATCH = 8

Pixels = npt.NDArray[np.uint8]


class Cell(NamedTuple):
    """One tile and the same with its halo, both (top, left, bottom, right) in pixels of the padded picture."""

    inner: tuple[int, int, int, int]
    outer: tuple[int, int, int, int]


def padded_size(height: int, width: int) -> tuple[int, int]:
    """The size rounded up to whole hyper-latents."""
    return -(-height // HYPER_STRIDE) * HYPER_STRIDE, -(-width // HYPER_STRIDE) * HYPER_STRIDE


def cells(height: int, width: int, side: int) -> Iterator[Cell]:
    """The tiles of a picture, row by row.

    >>> [cell.inner for cell in cells(100, 1500, 1024)]
    [(0, 0, 128, 1024), (0, 1024, 128, 1536)]
    """
    tall, wide = padded_size(height, width)
    rows, columns = tile_grid(height, width, side)
    for row in range(rows):
        for column in range(columns):
            top, left = row * side, column * side
            bottom, right = min(top + side, tall), min(left + side, wide)
            outer = max(top - HALO, 0), max(left - HALO, 0), min(bottom + HALO, tall), min(right + HALO, wide)
            yield Cell((top, left, bottom, right), outer)


class PhotoCodec:
    """A photo codec on ``device``; the residual branches of its transforms run in ``branch_dtype``.

    Pictures are (H, W, 3) uint8 arrays. Quality is an integer in steps of 1/256, 0 to 25600.
    """

    def __init__(self, weights: PhotoWeights, device: torch.device, branch_dtype: torch.dtype) -> None:
        self.weights = weights
        self.id = weights.model_id()
        self.copy = uuid.uuid4().hex
        """Names this copy of the model: residency is counted by it."""
        self.device = device
        self.branch_dtype = branch_dtype
        self._analysis = self._transform(Analysis(weights.arch), "analysis.")
        self._synthesis = self._transform(Synthesis(weights.arch), "synthesis.")
        self._hyper_analysis = self._transform(HyperAnalysis(weights.arch), "hyper_analysis.")
        self._quantiser = Quantiser(weights.tables, device)
        self._networks = EntropyNetworks(
            weights.arch, weights.layers, weights.index_offset, weights.hyper_index, device
        )

    @property
    def batch_limit(self) -> int:
        """Pictures that go through the networks together: 1 on a CPU, so that no neighbour can matter."""
        return 1 if self.device.type == "cpu" else GPU_BATCH

    @torch.inference_mode()
    def encode(self, pictures: Sequence[Pixels], quality: int, side: int = TILE_SIDE) -> list[list[Tile]]:
        """The tiles of each picture; the pictures are of one size."""
        height, width = pictures[0].shape[:2]
        coded: list[list[Tile]] = [[] for _ in pictures]
        for cell in cells(height, width, side):
            crops = [_crop_padded(p, cell.outer) for p in pictures]
            for at in range(0, len(crops), self.batch_limit):
                tiles = self._encode_cell(crops[at : at + self.batch_limit], cell, quality)
                for n, tile in enumerate(tiles):
                    coded[at + n].append(tile)
        return coded

    @torch.inference_mode()
    def decode(
        self, pictures: Sequence[Sequence[Tile]], height: int, width: int, quality: int, side: int = TILE_SIDE
    ) -> list[Pixels]:
        """The pictures, (H, W, 3) uint8, of one size, from the tiles that `encode` made of each."""
        decoded: list[Pixels] = []
        for at in range(0, len(pictures), self.batch_limit):
            batch = pictures[at : at + self.batch_limit]
            restored = self.restore_latents(batch, height, width, quality, side)
            decoded += self._synthesise(restored, height, width, quality, side)
        return decoded

    @torch.inference_mode()
    def restore_latents(
        self, pictures: Sequence[Sequence[Tile]], height: int, width: int, quality: int, side: int = TILE_SIDE
    ) -> Tensor:
        """The integer half of `decode`, the same on every device: what the tiles of each picture hold.

        int32 (N, latents, h, w) in steps of 1/16, at 1/16 of the padded size. Raises CorruptBitstreamError.
        """
        tall, wide = padded_size(height, width)
        shape = (len(pictures), self.weights.arch.latents, tall // LATENT_STRIDE, wide // LATENT_STRIDE)
        restored = torch.empty(shape, dtype=torch.int32, device=self.device)
        for cell, tiles in zip(cells(height, width, side), zip(*pictures, strict=True), strict=True):
            top, left, bottom, right = (v // LATENT_STRIDE for v in cell.inner)
            restored[:, :, top:bottom, left:right] = decode_tiles(
                self._networks, self.weights.tables, tiles, bottom - top, right - left, quality
            )
        return restored

    @torch.inference_mode()
    def integers(self, picture: Pixels, quality: int) -> tuple[npt.NDArray[np.int32], npt.NDArray[np.uint8]]:
        """All integers of a picture that is one tile, and their table numbers: both (count,), in order of coding."""
        height, width = picture.shape[:2]
        (cell,) = cells(height, width, max(padded_size(height, width)))
        latents, z = self._latents([_crop_padded(picture, cell.outer)], cell, quality)
        values, indices = choose_integers(self._networks, self._quantiser, latents, z, quality)
        return values[0], indices[0]

    def _encode_cell(self, crops: Sequence[Pixels], cell: Cell, quality: int) -> list[Tile]:
        latents, z = self._latents(_fill(crops, self.batch_limit), cell, quality)
        return encode_tiles(self._networks, self._quantiser, self.weights.tables, latents, z, quality)[: len(crops)]

    def _latents(self, crops: Sequence[Pixels], cell: Cell, quality: int) -> tuple[Tensor, Tensor]:
        """Latents (N, latents, h, w), not rounded, and hyper-latents (N, hyper, h/4, w/4), not rounded, both float32."""
        mix = self._mix(quality)
        latents = _cut(self._analysis(self._to_tensor(crops), mix), cell, LATENT_STRIDE)
        latents = latents * self._gain("encoder_gain", mix)
        z = self._hyper_analysis(latents, mix).clamp_(-Z_LIMIT - 1, Z_LIMIT)
        return latents, z

    def _synthesise(self, restored: Tensor, height: int, width: int, quality: int, side: int) -> list[Pixels]:
        out = np.empty((len(restored), height, width, 3), np.uint8)
        mix = self._mix(quality)
        gain = self._gain("decoder_gain", mix) / PARAMETER_UNIT
        for cell in cells(height, width, side):
            top, left, bottom, right = (v // LATENT_STRIDE for v in cell.outer)
            latents = restored[:, :, top:bottom, left:right].float() * gain
            pixels = _cut(self._synthesis(latents, mix), cell, 1)
            whole = (pixels * 255).round_().clamp_(0, 255).to(torch.uint8).permute(0, 2, 3, 1).cpu().numpy()
            top, left, bottom, right = cell.inner
            bottom, right = min(bottom, height), min(right, width)
            out[:, top:bottom, left:right] = whole[:, : bottom - top, : right - left]
        return list(out)

    def _mix(self, quality: int) -> Tensor:
        """How much of each anchor makes ``quality``: float32 (1, anchors)."""
        return anchor_mix(torch.tensor([quality * (ANCHORS - 1) / QUALITY_SCALE], device=self.device))

    def _gain(self, name: str, mix: Tensor) -> Tensor:
        """(1, latents, 1, 1) of log gains (anchors, latents)."""
        rows = self.weights.floats[name].float().to(self.device)
        return blend(mix, rows).exp()[:, :, None, None]

    def _to_tensor(self, crops: Sequence[Pixels]) -> Tensor:
        batch = torch.from_numpy(np.stack(crops)).to(self.device)
        return batch.permute(0, 3, 1, 2).float().div_(255)

    def _transform(self, module: nn.Module, prefix: str) -> nn.Module:
        floats = self.weights.floats.items()
        module.load_state_dict({n.removeprefix(prefix): t.float() for n, t in floats if n.startswith(prefix)})
        run_branches_in(module, self.branch_dtype)
        module = module.to(device=self.device).to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        return module.eval().requires_grad_(False)


def _cut(x: Tensor, cell: Cell, stride: int) -> Tensor:
    """The inner part of a tensor that covers the outer part of ``cell`` at ``stride`` pixels a position."""
    top, left = ((i - o) // stride for i, o in zip(cell.inner[:2], cell.outer[:2], strict=True))
    height, width = ((cell.inner[i + 2] - cell.inner[i]) // stride for i in range(2))
    return x[:, :, top : top + height, left : left + width]


def _crop_padded(picture: Pixels, box: tuple[int, int, int, int]) -> Pixels:
    """A crop that may reach past the right and bottom edges, whose pixels are repeated there."""
    top, left, bottom, right = box
    crop = picture[top:bottom, left:right]
    missing = ((0, bottom - top - crop.shape[0]), (0, right - left - crop.shape[1]), (0, 0))
    return np.pad(crop, missing, mode="edge")


def _fill(crops: Sequence[Pixels], size: int) -> Sequence[Pixels]:
    """Repeat the last crop until the batch has its fixed size: a GPU's kernels may differ between sizes."""
    return [*crops, *[crops[-1]] * (size - len(crops))]
