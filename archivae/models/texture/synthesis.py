"""A new texture of any size out of a sample: an arrangement of the sample's latents that looks like it everywhere.

Each position of the new texture holds a position of the sample. From a coarse level on, where blocks of these are drawn at
random, every level doubles the field, shakes it a little, and then mends it: each position takes, of the places that its
neighbours would continue with, and of the places like those, the one whose surroundings are most like what lies around.
Places that are used too much already have to be more like it: the flattest would else win everywhere, for they are not very
unlike anything. The last level's field, looked up in the sample, is the picture. Lefebvre and Hoppe 2005, Parallel
controllable texture synthesis; 2006, Appearance-space texture synthesis; coherent candidates after Ashikhmin 2001 and Tong et
al. 2002; even use of the sample after Kopf et al. 2007, Solid texture synthesis from 2D exemplars.

All chance is a hash of seed, level and position.
"""

from __future__ import annotations

from typing import Any

import numba
import numpy as np
import numpy.typing as npt

from archivae.errors import UsageError
from archivae.models.texture.appearance import Floats, fit_latents, pyramid

Field = npt.NDArray[np.int32]
"""For each position, (H, W, 2), a row and a column of the sample."""

SMALLEST = 16
"""The coarsest level of the sample has at least so many pixels a side."""
BLOCK = 4
"""Neighbours on the coarsest level begin as neighbours of the sample, in blocks of so many a side."""
SHAKEN = 0.3
"""Part of the positions of a level that are moved at first, further at coarse levels; the finest is left as it came."""
LIKES = 3
"""Places like each place of the sample, besides itself..."""
APART = 4
"""...and at least so many pixels from it, and from each other, or they would be the same place again."""
STRANGE = np.float32(1.2)
"""How much more unlike a place counts that no neighbour would continue with: what hangs together stays together."""
CELL = 4
"""How much of the sample is used is counted by squares of so many pixels a side."""
GRID = 48
"""They are looked for at no more than about so many rows and columns."""
LARGEST = 384
"""Of a larger sample the middle is used: more teaches little of a texture, and costs in proportion."""
NOTHING = np.float32(1e30)
AROUND = np.array([(-1, 0), (0, -1), (0, 1), (1, 0), (-1, -1), (-1, 1), (1, -1), (1, 1)], np.int32)
"""The surroundings that are compared. Corners alone would leave two chequered pictures that know nothing of each other."""
PASSES, LAST_PASSES = 4, 2
"""Mendings of a level, and of the finest, which is most of the work and least of the picture."""

_jit = numba.njit(nogil=True, cache=True, parallel=True, fastmath=True)


def synthesise(sample: npt.NDArray[np.uint8], height: int, width: int, seed: int) -> npt.NDArray[np.uint8]:
    """A texture (height, width, C) like ``sample`` (H, W, C), uint8: the same whenever it is asked of one machine.

    Of a sample over 384 pixels a side, the middle is used. UsageError for a sample with a side below 32, or a size of nothing.
    """
    if min(sample.shape[:2]) < 2 * SMALLEST:
        found = f"{sample.shape[1]}x{sample.shape[0]}"
        raise UsageError(
            f"expected a sample of at least {2 * SMALLEST} pixels a side, found {found}: take a larger one"
        )
    if height < 1 or width < 1:
        raise UsageError(f"expected a size of at least 1x1, found {width}x{height}")
    sample = _middle(sample)
    levels = int(np.log2(min(sample.shape[:2]) / SMALLEST))
    steps = pyramid(sample.astype(np.float32), levels)
    # Of even sides, as it is mended in two phases each way and its ends meet.
    field = _drawn(_even(-(-height >> levels)), _even(-(-width >> levels)), steps[0].shape, seed)
    for level, picture in enumerate(steps):
        if level:
            field = np.minimum(_doubled(field), np.array(picture.shape[:2], np.int32) - 1)
        latents = fit_latents(picture)
        last = level == levels
        if not last:
            field = _shaken(field, picture.shape, seed + level, reach=max(2, min(picture.shape[:2]) >> (level + 2)))
        likes = _likes(latents, 1 if last else LIKES)
        for phase in range(4 * (LAST_PASSES if last else PASSES)):
            _mend(field, latents, likes, _crowding(field, latents), phase // 2 % 2, phase % 2)
    field = field[:height, :width]
    return np.ascontiguousarray(sample[field[..., 0], field[..., 1]])


def _middle(sample: npt.NDArray[np.uint8]) -> npt.NDArray[np.uint8]:
    top, left = (max(0, side - LARGEST) // 2 for side in sample.shape[:2])
    return sample[top : top + LARGEST, left : left + LARGEST]


def _even(side: int) -> int:
    return side + side % 2


def _drawn(height: int, width: int, shape: tuple[int, ...], seed: int) -> Field:
    """Random blocks of places."""
    rng = np.random.default_rng((seed, 0))
    tall, wide = shape[:2]
    corners = rng.integers(
        0, (tall - BLOCK, wide - BLOCK), (-(-height // BLOCK), -(-width // BLOCK), 2), dtype=np.int32
    )
    within = np.stack(np.meshgrid(np.arange(height) % BLOCK, np.arange(width) % BLOCK, indexing="ij"), -1)
    return (corners.repeat(BLOCK, 0).repeat(BLOCK, 1)[:height, :width] + within).astype(np.int32)


def _doubled(field: Field) -> Field:
    """Each position becomes four, that hold the four places of the finer sample where it held one."""
    fine = 2 * field.repeat(2, 0).repeat(2, 1)
    fine[1::2, :, 0] += 1
    fine[:, 1::2, 1] += 1
    return fine


def _shaken(field: Field, shape: tuple[int, ...], seed: int, reach: int) -> Field:
    """Some positions hold a place up to ``reach`` pixels from where they did, wrapped into the sample."""
    rng = np.random.default_rng((seed, 1))
    moves = rng.integers(-reach, reach + 1, field.shape, dtype=np.int32)
    moved = rng.random(field.shape[:2]) < SHAKEN
    return np.where(moved[..., None], (field + moves) % np.array(shape[:2], np.int32), field).astype(np.int32)


def _crowding(field: Field, latents: Floats) -> Floats:
    """How many times its fair share each cell of the sample is used, at least 1."""
    tall, wide = latents.shape[:2]
    rows, columns = _cell_sides(tall), _cell_sides(wide)
    fair = np.outer(rows, columns) * (field[..., 0].size / (tall * wide))
    cells = field[..., 0] // CELL * len(columns) + field[..., 1] // CELL
    uses = np.bincount(cells.ravel(), minlength=fair.size).reshape(fair.shape)
    return np.maximum(uses / fair, 1).astype(np.float32)


def _cell_sides(side: int) -> npt.NDArray[np.int64]:
    """The last cell is what is left."""
    return np.minimum(CELL, side - np.arange(0, side, CELL))


def _likes(latents: Floats, count: int) -> Field:
    """For each place of the sample the ``count`` places most like it, (H, W, count, 2); the sample is searched on a grid."""
    height, width = latents.shape[:2]
    rows = np.arange(1, height - 1, 1 + height // GRID)
    columns = np.arange(1, width - 1, 1 + width // GRID)
    grid = np.stack(np.meshgrid(rows, columns, indexing="ij"), -1).reshape(-1, 2).astype(np.int32)
    known = np.ascontiguousarray(latents[grid[:, 0], grid[:, 1]])
    return _nearest(latents, known, grid, count)


@_jit
def _nearest(latents: Any, known: Any, grid: Any, likes: int) -> Any:  # type: ignore[no-untyped-def]
    height, width, count = latents.shape
    found = np.zeros((height, width, likes, 2), np.int32)
    for y in numba.prange(height):
        for x in range(width):
            for n in range(likes):
                best, place = NOTHING, 0
                for k in range(len(grid)):
                    if max(abs(grid[k, 0] - y), abs(grid[k, 1] - x)) < APART:
                        continue
                    again = False
                    for m in range(n):
                        again |= max(abs(grid[k, 0] - found[y, x, m, 0]), abs(grid[k, 1] - found[y, x, m, 1])) < APART
                    if again:
                        continue
                    distance = np.float32(0)
                    for c in range(count):
                        difference = latents[y, x, c] - known[k, c]
                        distance += difference * difference
                    if distance < best:
                        best, place = distance, k
                found[y, x, n, 0], found[y, x, n, 1] = grid[place, 0], grid[place, 1]
    return found


@_jit
def _mend(  # type: ignore[no-untyped-def]
    field: Any, latents: Any, likes: Any, crowding: Any, row_phase: int, column_phase: int
) -> None:
    """Every second position of every second row takes the best of its candidates, judged by those around it.

    ``crowding`` counts against places, as `_crowding` has it.

    None of these is among them, so all can be changed at once and in place; mended all together, neighbours would undo
    one another.
    """
    height, width, _ = field.shape
    tall, wide, _ = latents.shape
    for half in numba.prange(height // 2):
        y = 2 * half + row_phase
        for x in range(column_phase, width, 2):
            best, best_row, best_column = NOTHING, field[y, x, 0], field[y, x, 1]
            for neighbour in range(9):
                dy, dx = neighbour // 3 - 1, neighbour % 3 - 1
                place = field[(y + dy) % height, (x + dx) % width]
                for like in range(likes.shape[2] + 1):
                    at = place if like == 0 else likes[place[0], place[1], like - 1]
                    row, column = at[0] - dy, at[1] - dx
                    if row < 0 or column < 0 or row >= tall or column >= wide:
                        continue
                    if best < NOTHING and row == best_row and column == best_column:
                        continue  # neighbours that continue one another agree
                    weight = crowding[row // CELL, column // CELL] * (STRANGE if like else np.float32(1))
                    cost = weight * _unlikeness(field, latents, y, x, row, column, best / weight)
                    if cost < best:
                        best, best_row, best_column = cost, row, column
            field[y, x, 0], field[y, x, 1] = best_row, best_column


@numba.njit(nogil=True, cache=True, fastmath=True)
def _unlikeness(  # type: ignore[no-untyped-def]
    field: Any, latents: Any, y: int, x: int, row: int, column: int, limit: Any
) -> Any:
    """How far what lies around (y, x) is from what lies around that place of the sample; no further than ``limit``."""
    height, width, _ = field.shape
    tall, wide, count = latents.shape
    cost = np.float32(0)
    for n in range(len(AROUND)):
        dy, dx = AROUND[n, 0], AROUND[n, 1]
        held = field[(y + dy) % height, (x + dx) % width]
        # Past the sample's edge nothing continues: the last place there is stands in for it.
        r, c = min(max(row + dy, 0), tall - 1), min(max(column + dx, 0), wide - 1)
        for k in range(count):
            difference = latents[held[0], held[1], k] - latents[r, c, k]
            cost += difference * difference
        if cost >= limit:
            break
    return cost
