"""A picture encoded harder, tile by tile: each is refined among its neighbours as they are at that moment.

Those above and to the left are finished, those below and to the right as an encoder without effort would have them. So
every tile's gain is a gain of the whole picture, and no more than three rows of tiles are held.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from archivae.bitstream import Tables, Tile
from archivae.models.photo.architecture import LATENT_STRIDE
from archivae.models.photo.coder import choose_hyper, choose_latents, code_tiles, joined
from archivae.models.photo.distortion import Renderer, TileError, window_of
from archivae.models.photo.exact import EntropyNetworks
from archivae.models.photo.quantiser import Quantiser
from archivae.models.photo.refine import EFFORTS, Refiner, error_worth, seed_of
from archivae.models.photo.tiling import Box, Cell, Pixels

LatentsOf = Callable[[Cell], tuple[Tensor, Tensor]]
"""A tile's latents (1, latents, h, w) and hyper-latents (1, hyper, h/4, w/4), not rounded, float32."""


@dataclass(frozen=True)
class HardEncoder:
    """What it takes to encode pictures harder at one quality; ``halo`` in pixels, as the architecture has it."""

    networks: EntropyNetworks
    quantise: Quantiser
    refiner: Refiner
    renderer: Renderer
    tables: Tables
    halo: int
    quality: int
    effort: int

    def encode(self, picture: Pixels, rows: Sequence[Sequence[Cell]], latents_of: LatentsOf) -> list[Tile]:
        """The tiles of ``picture`` (H, W, 3), whose cells ``rows`` are."""
        tiles = []
        for row, strip in zip(rows, self._strips(rows, latents_of), strict=True):
            for cell in row:
                tiles.append(self._refined(picture, cell, strip, latents_of))
        return tiles

    def _strips(self, rows: Sequence[Sequence[Cell]], latents_of: LatentsOf) -> Iterator[_Strip]:
        """What each row of tiles is refined in; its tiles are written into it before the next is asked for."""
        lent = 2 * self.halo // LATENT_STRIDE
        single = len(rows) == len(rows[0]) == 1  # no neighbour will look at it before it is refined
        plain = (self._plain_row(row, latents_of, blank=single) for row in rows)
        above, current = None, next(plain)
        for row in rows:
            below = next(plain, None)
            parts = [above, current, None if below is None else below[:, :, :lent]]
            top = row[0].inner[0] // LATENT_STRIDE - (0 if above is None else above.shape[2])
            strip = _Strip(torch.cat([part for part in parts if part is not None], 2), top)
            yield strip
            end = row[0].inner[2] // LATENT_STRIDE - top
            above = strip.restored[:, :, max(end - lent, 0) : end].clone()
            if below is not None:
                current = below

    def _plain_row(self, row: Sequence[Cell], latents_of: LatentsOf, blank: bool) -> Tensor:
        """What a row of tiles is restored to without effort, int32 (1, latents, h, w); zeros if ``blank``."""
        parts = []
        for cell in row:
            latents, z = latents_of(cell)
            if blank:
                return torch.zeros_like(latents, dtype=torch.int32)
            _, field = choose_hyper(self.networks, z, self.quality)
            parts.append(choose_latents(self.networks, field, latents, lambda _, r, i: self.quantise(r, i))[1])
        return torch.cat(parts, 3)

    def _refined(self, picture: Pixels, cell: Cell, strip: _Strip, latents_of: LatentsOf) -> Tile:
        latents, z = latents_of(cell)
        hyper, field = choose_hyper(self.networks, z, self.quality)
        seen = _clipped(_grown(cell.inner, self.halo), (0, 0, *picture.shape[:2]))
        outer = _clipped(_grown(cell.inner, 2 * self.halo), strip.box)
        pixels = picture[seen[0] : seen[2], seen[1] : seen[3]]
        levels = torch.from_numpy(pixels.transpose(2, 0, 1)[None].copy()).to(latents.device).float()
        error = TileError(self.renderer, strip.cut(outer), window_of(outer, cell.inner, seen), levels)
        chosen, restored = self.refiner.refine(
            field, latents, error, error_worth(self.quality), EFFORTS[self.effort], seed_of(pixels)
        )
        strip.cut(cell.inner).copy_(restored)
        (tile,) = code_tiles(joined([hyper, chosen]), self.tables)
        return tile


@dataclass(frozen=True)
class _Strip:
    """Restored latents from row ``top`` of positions on, (1, latents, h, w) int32."""

    restored: Tensor
    top: int

    @property
    def box(self) -> Box:
        top = self.top * LATENT_STRIDE
        height, width = (side * LATENT_STRIDE for side in self.restored.shape[2:])
        return top, 0, top + height, width

    def cut(self, box: Box) -> Tensor:
        """A view of the part in ``box``, in pixels of the picture."""
        top, left, bottom, right = (v // LATENT_STRIDE for v in box)
        return self.restored[:, :, top - self.top : bottom - self.top, left:right]


def _grown(box: Box, by: int) -> Box:
    top, left, bottom, right = box
    return top - by, left - by, bottom + by, right + by


def _clipped(box: Box, within: Box) -> Box:
    return max(box[0], within[0]), max(box[1], within[1]), min(box[2], within[2]), min(box[3], within[3])
