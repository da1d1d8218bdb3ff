"""What do tiles cost? Large pictures coded in tiles beside the same coded whole, and one file decoded either way.

    python -m benchmarks.tiles [--pictures FOLDER] [--count 4] [--size 2000 3000] [--side 1024] [--out FILE]

Pictures smaller than the size are continued by their mirror images, from row and column 100 on, so that no mirror line
lies where tiles meet. Measured are sizes and PSNR; how far pixels are apart when one file is decoded in tiles and
whole; whether every tile, decoded alone, gives the integers that it gives among the others; and the squared error in
a band around the lines where tiles meet, in both files. Where integers differ, the exit code is 1.
"""

from __future__ import annotations

import argparse
import math
import statistics
import sys
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch
from rich import box
from rich.console import Console
from rich.table import Table

from archivae.bitstream import Tile
from archivae.models import DEFAULT_MODEL, PhotoCodec
from archivae.models.photo.architecture import LATENT_STRIDE
from archivae.models.photo.codec import TILE_SIDE, cells, padded_size
from archivae.operations.codec import named_codec
from archivae.operations.quality import psnr
from benchmarks.machine import RESULTS, write_json
from benchmarks.pictures import KODAK, Pixels, mirrored, read_pictures
from benchmarks.unverified import steps_of

SHIFT = 100
BAND = 8
"""Pixels on either side of a line where tiles meet."""
TILE_BYTES = 8
"""What a tile's stream costs in a file besides itself: its length and checksum."""


@dataclass(frozen=True)
class Comparison:
    """One picture at one quality.

    Percent and dB are those of tiles less those of the whole. Squared errors are means over pixels, of levels.
    """

    picture: str
    quality: float
    bytes_whole: int
    size_percent: float
    psnr_whole: float
    psnr_difference: float
    same_integers: bool
    levels: int
    band_error_tiled: float
    band_error_whole: float
    elsewhere_error_tiled: float

    @property
    def band_decibels(self) -> float:
        """How much more error tiles leave where they meet than the whole leaves there."""
        return 10 * math.log10(self.band_error_tiled / self.band_error_whole)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--pictures", type=Path, default=KODAK)
    parser.add_argument("--count", type=int, default=4)
    parser.add_argument("--size", type=int, nargs=2, default=(2000, 3000), metavar=("HEIGHT", "WIDTH"))
    parser.add_argument("--side", type=int, default=TILE_SIDE)
    parser.add_argument("--qualities", type=float, nargs="+", default=[25.0, 50.0, 75.0])
    parser.add_argument("--model", default=DEFAULT_MODEL)
    parser.add_argument("--out", type=Path, default=RESULTS / "tiles.json")
    arguments = parser.parse_args()
    codec = named_codec(arguments.model)
    pictures = read_pictures(arguments.pictures, arguments.count)
    found = [
        compare(codec, name, enlarged(pixels, *arguments.size), quality, arguments.side)
        for name, pixels in pictures.items()
        for quality in arguments.qualities
    ]
    rows = [asdict(comparison) | {"band_decibels": comparison.band_decibels} for comparison in found]
    how = {
        "model": codec.id.hex(),
        "size": arguments.size,
        "tile_side": arguments.side,
        "threads": torch.get_num_threads(),
    }
    write_json(arguments.out, {**how, "pictures": rows})
    Console().print(as_table(found, arguments.side))
    sys.exit(not all(comparison.same_integers for comparison in found))


def enlarged(picture: Pixels, height: int, width: int) -> Pixels:
    """At least of this size; what is larger is left as it is."""
    if picture.shape[0] >= height and picture.shape[1] >= width:
        return picture
    return mirrored(picture, height, width, SHIFT)


def compare(codec: PhotoCodec, name: str, pixels: Pixels, quality: float, side: int) -> Comparison:
    """A picture in tiles of ``side`` and whole."""
    height, width = pixels.shape[:2]
    steps, whole_side = steps_of(quality), max(padded_size(height, width))
    (tiles,), (whole,) = (codec.encode([pixels], steps, s) for s in (side, whole_side))
    restored = codec.restore_latents([tiles], height, width, steps, side)
    (tiled_pixels,) = codec.decode([tiles], height, width, steps, side)
    joined_pixels = synthesised_whole(codec, restored, height, width, steps)
    (whole_pixels,) = codec.decode([whole], height, width, steps, whole_side)
    band = band_of(height, width, side)
    errors, whole_errors = (squared_error(pixels, decoded) for decoded in (tiled_pixels, whole_pixels))
    return Comparison(
        picture=name,
        quality=quality,
        bytes_whole=size_of(whole),
        size_percent=100 * (size_of(tiles) / size_of(whole) - 1),
        psnr_whole=psnr(pixels, whole_pixels),
        psnr_difference=psnr(pixels, tiled_pixels) - psnr(pixels, whole_pixels),
        same_integers=bool(torch.equal(restored, tile_by_tile(codec, tiles, height, width, steps, side))),
        levels=int(np.abs(tiled_pixels.astype(np.int16) - joined_pixels).max()),
        band_error_tiled=float(errors[band].mean()),
        band_error_whole=float(whole_errors[band].mean()),
        elsewhere_error_tiled=float(errors[~band].mean()),
    )


def synthesised_whole(codec: PhotoCodec, restored: torch.Tensor, height: int, width: int, quality: int) -> Pixels:
    """Pixels of restored latents, the whole picture at once, whatever tiles they were coded in."""
    (everything,) = cells(height, width, max(padded_size(height, width)))
    # No public way: `decode` cuts the pixel half as the file is cut.
    return np.asarray(codec._synthesise(restored, [everything], quality)[0, :height, :width])


def tile_by_tile(
    codec: PhotoCodec, tiles: Sequence[Tile], height: int, width: int, quality: int, side: int
) -> torch.Tensor:
    """The restored latents, (1, latents, h, w), with each tile decoded as if it were a picture."""
    tall, wide = (padded // LATENT_STRIDE for padded in padded_size(height, width))
    restored = torch.empty((1, codec.weights.arch.latents, tall, wide), dtype=torch.int32, device=codec.device)
    for cell, tile in zip(cells(height, width, side), tiles, strict=True):
        top, left, bottom, right = cell.inner
        alone = codec.restore_latents([[tile]], bottom - top, right - left, quality, side)
        top, left, bottom, right = (edge // LATENT_STRIDE for edge in cell.inner)
        restored[:, :, top:bottom, left:right] = alone
    return restored


def band_of(height: int, width: int, side: int) -> npt.NDArray[np.bool_]:
    """Where tiles meet: (height, width), true within BAND pixels of an inner edge."""
    rows, columns = (
        ((np.arange(length) + BAND) % side < 2 * BAND) & (np.arange(length) >= BAND) for length in (height, width)
    )
    return np.asarray(rows[:, None] | columns)


def squared_error(pixels: Pixels, decoded: Pixels) -> npt.NDArray[np.float64]:
    """Mean over the three channels: (height, width)."""
    return np.asarray(np.square(pixels.astype(np.float64) - decoded).mean(axis=2))


def size_of(tiles: Sequence[Tile]) -> int:
    """Bytes in a file, without its header, which is the same either way."""
    return sum(len(tile.stream) + TILE_BYTES for tile in tiles)


def as_table(found: Sequence[Comparison], side: int) -> Table:
    """A row for each quality: means over pictures, and the worst where a promise hangs on it."""
    title = f"tiles of {side} against the whole, means over pictures"
    table = Table("quality", title=title, box=box.SIMPLE, title_justify="left")
    for column in ("bytes", "PSNR", "error at seams", "seams / elsewhere", "integers", "levels"):
        table.add_column(column, justify="right")
    for quality in sorted({comparison.quality for comparison in found}):
        table.add_row(f"{quality:g}", *cells_of([c for c in found if c.quality == quality]))
    table.add_row("wanted", "+-0.2 %", "+-0.02 dB", "", "", "the same", "<= 1")
    return table


def cells_of(group: Sequence[Comparison]) -> list[str]:
    mean = statistics.mean
    return [
        f"{mean([c.size_percent for c in group]):+.3f} %",
        f"{mean([c.psnr_difference for c in group]):+.4f} dB",
        f"{mean([c.band_decibels for c in group]):+.3f} dB",
        f"{mean([c.band_error_tiled / c.elsewhere_error_tiled for c in group]):.3f}",
        "the same" if all(c.same_integers for c in group) else "[red]DIFFER",
        str(max(c.levels for c in group)),
    ]


if __name__ == "__main__":
    main()
