"""The shipped photo codec: pixels to entropy-coded tiles and back, on one device."""

from __future__ import annotations

import uuid
from collections.abc import Iterator, Sequence
from functools import cached_property
from itertools import groupby
from typing import TypeVar

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn

from archivae.bitstream import Tile
from archivae.models.photo.adjoint import Adjoint
from archivae.models.photo.architecture import (
    ANCHORS,
    LATENT_STRIDE,
    Z_LIMIT,
    anchor_mix,
)
from archivae.models.photo.coder import choose_integers, decode_tiles, encode_tiles
from archivae.models.photo.distortion import Renderer
from archivae.models.photo.effort import HardEncoder
from archivae.models.photo.exact import QUALITY_SCALE, EntropyNetworks
from archivae.models.photo.grey import from_rgb, to_rgb
from archivae.models.photo.integer import PARAMETER_UNIT
from archivae.models.photo.layers import Pointwise, blend
from archivae.models.photo.packed import pack
from archivae.models.photo.quantiser import BitCount, Quantiser
from archivae.models.photo.refine import Refiner
from archivae.models.photo.tiling import Cell, Pixels, cells, crop_padded, cut, padded_size, with_neighbours
from archivae.models.photo.transforms import Analysis, HyperAnalysis, Synthesis
from archivae.models.photo.weights import PhotoWeights

TILE_SIDE = 1024
"""Pictures larger than this are coded in tiles of this side."""
GPU_BATCH = 8
HALF_RANGE = 127.5
"""Levels from the middle to either end."""

Transform = TypeVar("Transform", bound=nn.Module)


class PhotoCodec:
    """A photo codec on ``device``; its analysis and the residual branches of its synthesis run in ``fast_dtype``.

    Pictures are (H, W, 3) uint8 arrays. Quality is an integer in steps of 1/256, 0 to 25600.
    """

    def __init__(self, weights: PhotoWeights, device: torch.device, fast_dtype: torch.dtype) -> None:
        self.weights = weights
        self.id = weights.model_id()
        self.copy = uuid.uuid4().hex
        """Names this copy of the model: residency is counted by it."""
        self.device = device
        self.fast_dtype = fast_dtype
        # An encoder's rounding moves a file's size and error by less than 0.2 %; a decoder's must not be seen.
        self._analysis = self._transform(Analysis(weights.arch), "analysis.").to(fast_dtype)
        self._hyper_analysis = self._transform(HyperAnalysis(weights.arch), "hyper_analysis.").to(fast_dtype)
        self._synthesis = self._transform(Synthesis(weights.arch), "synthesis.")
        _scale_to_levels(self._synthesis.patch)
        for blocks in (self._synthesis.coarse, self._synthesis.fine):
            blocks.run_branches_in(fast_dtype)
        if device.type == "cpu":
            _keep_freed_memory()
            for transform in (self._analysis, self._hyper_analysis, self._synthesis):
                pack(transform)
        self._quantiser = Quantiser(weights.tables, device)
        self._count = BitCount(weights.tables, device)
        self._networks = EntropyNetworks(
            weights.arch, weights.layers, weights.index_offset, weights.hyper_index, device
        )

    @property
    def batch_limit(self) -> int:
        """Pictures that go through the networks together: 1 on a CPU, so that no neighbour can matter."""
        return 1 if self.device.type == "cpu" else GPU_BATCH

    @torch.inference_mode()
    def encode(
        self, pictures: Sequence[Pixels], quality: int, side: int = TILE_SIDE, effort: int = 0
    ) -> list[list[Tile]]:
        """The tiles of each picture; the pictures are of one size, (H, W, 1 or 3).

        With an ``effort`` of 1 to 3 better integers are looked for, picture by picture; see `archivae.models.photo.refine`.
        """
        height, width = pictures[0].shape[:2]
        if effort:
            return [self._encode_harder(to_rgb(picture), quality, side, effort) for picture in pictures]
        coded: list[list[Tile]] = [[] for _ in pictures]
        for cell in self._cells(height, width, side):
            crops = [crop_padded(to_rgb(p), cell.outer) for p in pictures]
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
        decoded = np.empty((len(pictures), height, width, 3), np.uint8)
        for members, top, band in self._bands(pictures, height, width, quality, side):
            decoded[members, top : top + band.shape[1]] = band
        return list(decoded)

    def squared_errors(
        self,
        originals: Sequence[Pixels],
        pictures: Sequence[Sequence[Tile]],
        quality: int,
        side: int = TILE_SIDE,
    ) -> list[int]:
        """Decode ``pictures`` and compare: the sum of squared differences to each of ``originals``, (H, W, 1 or 3).

        Only a band of each is ever held in pixels. Raises CorruptBitstreamError.
        """
        height, width = originals[0].shape[:2]
        errors = np.zeros(len(originals), np.int64)
        for members, top, band in self._bands(pictures, height, width, quality, side):
            for n, rows in zip(range(len(originals))[members], band, strict=True):
                difference = from_rgb(rows, originals[n].shape[2]).astype(np.int32)
                difference -= originals[n][top : top + len(rows)]
                errors[n] += np.sum(np.square(difference, out=difference), dtype=np.int64)
        return errors.tolist()

    @torch.inference_mode()
    def restore_latents(
        self, pictures: Sequence[Sequence[Tile]], height: int, width: int, quality: int, side: int = TILE_SIDE
    ) -> Tensor:
        """The integer half of `decode`, the same on every device: what the tiles of each picture hold.

        int32 (N, latents, h, w) in steps of 1/16, at 1/16 of the padded size. Raises CorruptBitstreamError.
        """
        rows = self._rows_of_cells(height, width, side)
        return torch.cat([self._restore_row(pictures, row, n, quality) for n, row in enumerate(rows)], 2)

    @torch.inference_mode()
    def _bands(
        self, pictures: Sequence[Sequence[Tile]], height: int, width: int, quality: int, side: int
    ) -> Iterator[tuple[slice, int, npt.NDArray[np.uint8]]]:
        """The decoded pictures, a row of tiles at a time: which of them, the first row, pixels (n, rows, width, 3)."""
        cell_rows = self._rows_of_cells(height, width, side)
        lent = self.weights.arch.halo // LATENT_STRIDE
        for at in range(0, len(pictures), self.batch_limit):
            members = slice(at, at + self.batch_limit)
            restored = (self._restore_row(pictures[members], row, n, quality) for n, row in enumerate(cell_rows))
            for row, latents in zip(cell_rows, with_neighbours(restored, lent), strict=True):
                band = self._synthesise(latents, row, quality)
                top = row[0].inner[0]
                yield members, top, band[:, : height - top, :width]

    def _cells(self, height: int, width: int, side: int) -> Iterator[Cell]:
        return cells(height, width, side, self.weights.arch.halo)

    def _rows_of_cells(self, height: int, width: int, side: int) -> list[list[Cell]]:
        by_row = groupby(self._cells(height, width, side), key=lambda cell: cell.inner[0])
        return [list(row) for _, row in by_row]

    def _restore_row(self, pictures: Sequence[Sequence[Tile]], row: list[Cell], number: int, quality: int) -> Tensor:
        """Restored latents (N, latents, h, w) of one row of tiles, the row's ``number``-th."""
        parts = []
        for column, cell in enumerate(row):
            top, left, bottom, right = (v // LATENT_STRIDE for v in cell.inner)
            tiles = [tiles[number * len(row) + column] for tiles in pictures]
            parts.append(decode_tiles(self._networks, self.weights.tables, tiles, bottom - top, right - left, quality))
        return torch.cat(parts, 3)

    @torch.inference_mode()
    def integers(self, picture: Pixels, quality: int) -> tuple[npt.NDArray[np.int32], npt.NDArray[np.uint8]]:
        """All integers of a picture that is one tile, and their table numbers: both (count,), in order of coding."""
        height, width = picture.shape[:2]
        (cell,) = self._cells(height, width, max(padded_size(height, width)))
        latents, z = self._latents([crop_padded(picture, cell.outer)], cell, quality)
        chosen = choose_integers(self._networks, self._quantiser, latents, z, quality)
        return chosen.values[0].cpu().numpy(), chosen.indices[0].cpu().numpy()

    def _encode_cell(self, crops: Sequence[Pixels], cell: Cell, quality: int) -> list[Tile]:
        latents, z = self._latents(_fill(crops, self.batch_limit), cell, quality)
        return encode_tiles(self._networks, self._quantiser, self.weights.tables, latents, z, quality)[: len(crops)]

    def _encode_harder(self, picture: Pixels, quality: int, side: int, effort: int) -> list[Tile]:
        mix = self._mix(quality)
        encoder = HardEncoder(
            self._networks, self._quantiser, Refiner(self._networks, self._quantiser, self._count),
            Renderer(self._synthesis, self._adjoint, mix, self._gain("decoder_gain", mix)),
            self.weights.tables, self.weights.arch.halo, quality, effort,
        )  # fmt: skip
        rows = self._rows_of_cells(picture.shape[0], picture.shape[1], side)
        return encoder.encode(
            picture, rows, lambda cell: self._latents([crop_padded(picture, cell.outer)], cell, quality)
        )

    @cached_property
    def _adjoint(self) -> Adjoint:
        """Made when first needed: most processes never encode, or not harder."""
        with torch.inference_mode(False):
            synthesis = self._transform(Synthesis(self.weights.arch), "synthesis.")
            _scale_to_levels(synthesis.patch)
            adjoint = Adjoint(synthesis).to(self.device).to(memory_format=torch.channels_last)  # type: ignore[call-overload]
            adjoint.eval().requires_grad_(False).to(self.fast_dtype)
            if self.device.type == "cpu":
                pack(adjoint)
            return adjoint

    def _latents(self, crops: Sequence[Pixels], cell: Cell, quality: int) -> tuple[Tensor, Tensor]:
        """Latents (N, latents, h, w), not rounded, and hyper-latents (N, hyper, h/4, w/4), not rounded, both float32."""
        mix = self._mix(quality)
        latents = cut(self._analysis(self._to_tensor(crops), mix), cell, LATENT_STRIDE).float()
        latents.mul_(self._gain("encoder_gain", mix))
        z = self._hyper_analysis(latents, mix).float().clamp_(-Z_LIMIT - 1, Z_LIMIT)
        return latents, z

    def _synthesise(self, latents: Tensor, row: list[Cell], quality: int) -> npt.NDArray[np.uint8]:
        """Pixels (N, rows, padded width, 3) of a row of tiles, from its restored latents with those of the halo."""
        mix = self._mix(quality)
        gain = self._gain("decoder_gain", mix) / PARAMETER_UNIT
        columns = []
        for cell in row:
            left, right = cell.outer[1] // LATENT_STRIDE, cell.outer[3] // LATENT_STRIDE
            levels = cut(self._synthesis(latents[:, :, :, left:right].float().mul_(gain), mix), cell, 1)
            whole = levels.round_().clamp_(0, 255).to(torch.uint8)
            columns.append(whole.permute(0, 2, 3, 1).cpu().numpy())
        return np.concatenate(columns, 2) if len(columns) > 1 else columns[0]

    def _mix(self, quality: int) -> Tensor:
        """How much of each anchor makes ``quality``: float32 (1, anchors)."""
        return anchor_mix(torch.tensor([quality * (ANCHORS - 1) / QUALITY_SCALE], device=self.device))

    def _gain(self, name: str, mix: Tensor) -> Tensor:
        """(1, latents, 1, 1) of log gains (anchors, latents)."""
        rows = self.weights.floats[name].float().to(self.device)
        return blend(mix, rows).exp()[:, :, None, None]

    def _to_tensor(self, crops: Sequence[Pixels]) -> Tensor:
        """(N, 3, H, W) in [-1, 1]; until they are divided, bfloat16 holds the levels exactly."""
        batch = torch.from_numpy(np.stack(crops)).to(self.device)
        return batch.permute(0, 3, 1, 2).to(self.fast_dtype).sub_(HALF_RANGE).div_(HALF_RANGE)

    def _transform(self, module: Transform, prefix: str) -> Transform:
        floats = self.weights.floats.items()
        module.load_state_dict({n.removeprefix(prefix): t.float() for n, t in floats if n.startswith(prefix)})
        module = module.to(device=self.device).to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        return module.eval().requires_grad_(False)


def _keep_freed_memory() -> None:
    """Have glibc keep up to 62 MB of freed memory, or every picture's tensors are cleared by the kernel page by page.

    It keeps twice the size of the largest block that it ever gave back at once, if that is below 32 MB. This one is
    never touched. Other allocators don't mind.
    """
    torch.empty(31 << 20, dtype=torch.uint8)


def _scale_to_levels(last: Pointwise) -> None:
    """Let the layer that gives pixels in [-1, 1] give them in [0, 255]: it saves two passes over every pixel."""
    last.weight.mul_(HALF_RANGE)
    last.bias.mul_(HALF_RANGE).add_(HALF_RANGE)


def _fill(crops: Sequence[Pixels], size: int) -> Sequence[Pixels]:
    """Repeat the last crop until the batch has its fixed size: a GPU's kernels may differ between sizes."""
    return [*crops, *[crops[-1]] * (size - len(crops))]
