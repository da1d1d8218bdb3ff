"""A restorer at work: pictures in, restored pictures out, on one device."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from archivae.errors import UsageError
from archivae.models.restore.estimator import ESTIMATOR_REACH, Votes
from archivae.models.restore.fill import GRAIN, Coarse, coarsen, complete
from archivae.models.restore.network import RestorationModel
from archivae.models.restore.pixels import Mask, Picture, check_mask, check_picture, from_float, to_float
from archivae.models.restore.tasks import find_task
from archivae.models.restore.tiles import Box, Cell, cells, cut, within
from archivae.models.restore.turns import averaged, check_passes
from archivae.models.restore.weights import RestorerWeights

TILE_SIDE = 1024
"""About the largest part of a picture that goes through the network at once: some 0.5 GiB in bfloat16, as reckoned."""


class Restored(NamedTuple):
    """``pixels`` of the shape and dtype of what was restored; ``strength`` as given or estimated, 0 for inpaint."""

    pixels: Picture
    strength: float


class Restorer:
    """The restorer of one task on ``device``; its network computes in ``dtype``, all sums are float32.

    Pictures are (H, W, 1 or 3) uint8, uint16, or float32 about [0, 1] of any size; they come back the same. Grey stays
    grey. ``side`` bounds the tiles, which overlap by as much as the network sees: they give what the whole would, but
    for rounding.
    """

    def __init__(
        self, weights: RestorerWeights, device: torch.device, dtype: torch.dtype, side: int = TILE_SIDE
    ) -> None:
        self.weights = weights
        self.id = weights.model_id()
        self.copy = uuid.uuid4().hex
        """Names this copy of the model: residency is counted by it."""
        self.task = find_task(weights.task)
        self.device = device
        self._side = side
        self._model = RestorationModel(self.task, weights.arch)
        self._model.load_state_dict({name: tensor.float() for name, tensor in weights.tensors.items()})
        self._model.to(device).to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        self._model.eval().requires_grad_(False)
        self._model.network.to(dtype)  # the estimator stays float32: one number decides for all pixels

    def restore(
        self, picture: Picture, strength: float | None = None, mask: Mask | None = None, passes: int = 1
    ) -> Restored:
        """Restore a picture.

        Args:
            picture: (H, W, 1 or 3) uint8, uint16 or float32.
            strength: of the damage, in the unit of the task (`archivae.models.restore.tasks`); estimated if not given.
            mask: (H, W) bool, true in holes: needed to inpaint, and for nothing else. Pixels outside come back bit
                for bit; what lies inside is not looked at.
            passes: 1, 4 or 8: the mean over so many turned and mirrored copies. Better, and so many times slower.

        Raises:
            UsageError: a picture, strength, mask or number of passes that makes no sense.
        """
        check_picture(picture)
        check_passes(passes)
        if not self.task.blind:
            return Restored(self._inpaint(picture, strength, mask, passes), 0.0)
        if mask is not None:
            raise UsageError(f"expected no mask for {self.task.name}, found one: masks are for inpaint")
        if strength is None:
            strength = self.estimate(picture)
        self.task.check(strength)
        if strength == self.task.none:
            return Restored(picture.copy(), strength)
        return Restored(self._restore(picture, self.task.level(strength), None, passes), strength)

    @torch.inference_mode()
    def estimate(self, picture: Picture) -> float:
        """The strength of a picture's damage as the estimator sees it; that of no damage where it is doubtful."""
        estimator = self._model.estimator
        if estimator is None:
            raise UsageError(f"expected a task whose damage can be estimated, found {self.task.name}")
        total: Votes | None = None
        for cell in self._cells(picture, ESTIMATOR_REACH):
            rows, columns = (slice(part.start // 2, part.stop // 2) for part in within(cell))
            votes = estimator.votes(self._tensor(picture, cell.outer))[:, :, rows, columns]
            sums = estimator.sums(votes)
            total = sums if total is None else Votes(total.values + sums.values, total.weights + sums.weights)
        assert total is not None
        level = min(max(estimator.level(total).item(), 0.0), 1.0)
        return self.task.strength(level) if level > self.task.quiet else self.task.none

    def _inpaint(self, picture: Picture, strength: float | None, mask: Mask | None, passes: int) -> Picture:
        if mask is None or strength is not None:
            raise UsageError(f"expected a mask and no strength to {self.task.name}, found strength {strength}")
        check_mask(mask, picture)
        if not mask.any():
            return picture.copy()
        restored = self._restore(picture, 0.0, mask, passes)
        restored[~mask] = picture[~mask]
        return restored

    @torch.inference_mode()
    def _restore(self, picture: Picture, level: float, mask: Mask | None, passes: int) -> Picture:
        levels = torch.full((1,), level, device=self.device)
        coarse = self._coarse(picture, mask) if mask is not None else None
        restored = np.empty_like(picture)

        def add(base: Tensor, holes: Tensor) -> Tensor:
            return self._model.add(base, levels, holes)

        for cell in self._cells(picture, self.weights.arch.reach):
            pixels, holes = self._tensor(picture, cell.outer), self._holes(mask, cell.outer)
            known = _part(coarse, cell.outer) if coarse is not None else None
            base = self.task.base(pixels, levels, holes, known)
            whole = averaged(add, passes, base, holes)[0].permute(1, 2, 0).cpu().numpy()
            top, left, bottom, right = cell.inner
            place = restored[top:bottom, left:right]
            place[:] = from_float(whole[within(cell)], picture)[: place.shape[0], : place.shape[1]]
        return restored

    def _coarse(self, picture: Picture, mask: Mask) -> Tensor:
        """What the whole picture says of its holes, at 1/32: (1, 3, h, w)."""
        rows: list[list[Coarse]] = []
        for cell in self._cells(picture, 0):
            if cell.inner[1] == 0:
                rows.append([])
            rows[-1].append(coarsen(self._tensor(picture, cell.inner), self._holes(mask, cell.inner)))
        bands = [Coarse(*(torch.cat(parts, 3) for parts in zip(*row, strict=True))) for row in rows]
        return complete(Coarse(*(torch.cat(parts, 2) for parts in zip(*bands, strict=True))))

    def _cells(self, picture: Picture, halo: int) -> Iterator[Cell]:
        return cells(*picture.shape[:2], side=self._side, halo=halo, grain=self.task.grain)

    def _tensor(self, picture: Picture, box: Box) -> Tensor:
        """(1, 3, H, W) float32, channels last in memory."""
        return torch.from_numpy(to_float(cut(picture, box))).to(self.device).permute(2, 0, 1)[None]

    def _holes(self, mask: Mask | None, box: Box) -> Tensor:
        """(1, 1, H, W) float32, 1 in holes; beyond the picture nothing is known."""
        top, left, bottom, right = box
        holes = torch.zeros((1, 1, bottom - top, right - left))
        if mask is not None:
            part = torch.from_numpy(np.ascontiguousarray(mask[top:bottom, left:right]))  # it may be mirrored
            holes.fill_(1)[0, 0, : part.shape[0], : part.shape[1]] = part
        return holes.to(self.device)


def _part(coarse: Tensor, box: Box) -> Tensor:
    top, left, bottom, right = (edge // GRAIN for edge in box)
    return coarse[:, :, top:bottom, left:right]
