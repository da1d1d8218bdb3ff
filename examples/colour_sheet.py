"""Before and after for colour-managed pictures: what a viewer that ignores profiles shows, what is coded, what is restored.

python examples/colour_sheet.py PHOTO SHEET
"""

from __future__ import annotations

import io
import sys
from pathlib import Path

import numpy as np
from PIL import Image, ImageCms, ImageDraw

from archivae.images import Picture, fit, open_picture

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from tests.profiles import ADOBE_RGB, DISPLAY_P3, grey_profile, ink_profile, rgb_profile  # noqa: E402

WIDTH, TITLE = 260, 18


def main(photo: str, sheet: str) -> None:
    image = Image.open(photo).convert("RGB")
    image = image.resize((WIDTH, WIDTH * image.height // image.width))
    profiles = {
        "Adobe RGB": (rgb_profile(ADOBE_RGB, 2.2), "RGB"),
        "Display P3": (rgb_profile(DISPLAY_P3, 2.2), "RGB"),
        "grey, gamma 1.8": (grey_profile(1.8), "L"),
        "CMYK (made up)": (ink_profile(), "CMYK"),
    }
    rows = [_row(image, name, *profile) for name, profile in profiles.items()]
    whole = Image.new("RGB", (max(row.width for row in rows), sum(row.height for row in rows)), "white")
    for number, row in enumerate(rows):
        whole.paste(row, (0, number * row.height))
    whole.save(sheet, quality=92)


def _row(image: Image.Image, name: str, icc: bytes, mode: str) -> Image.Image:
    """Meant, its samples taken as sRGB, as coded, and restored to the profile and then shown right."""
    source = image.convert(mode) if mode != "RGB" else _to_profile(image, icc)
    file = io.BytesIO()
    source.save(file, "TIFF", icc_profile=icc)
    coded = open_picture(file.getvalue())
    restored = fit(coded, "png", restore_profile=True)
    tiles = {
        f"{name}: profile ignored": source.convert("RGB"),
        "coded, in sRGB": _shown(coded),
        "restored, profile ignored": _shown(restored),
    }
    return _beside({"meant": image.convert("L") if mode == "L" else image, **tiles})


def _to_profile(image: Image.Image, icc: bytes) -> Image.Image:
    srgb, target = ImageCms.createProfile("sRGB"), ImageCms.ImageCmsProfile(io.BytesIO(icc))
    transform = ImageCms.buildTransform(srgb, target, "RGB", "RGB", ImageCms.Intent.RELATIVE_COLORIMETRIC)
    return transform.apply(image)


def _shown(picture: Picture) -> Image.Image:
    return Image.fromarray(np.broadcast_to(picture.pixels, (*picture.pixels.shape[:2], 3)).copy())


def _beside(tiles: dict[str, Image.Image]) -> Image.Image:
    height = next(iter(tiles.values())).height
    row = Image.new("RGB", (len(tiles) * (WIDTH + 6), height + TITLE + 4), "white")
    draw = ImageDraw.Draw(row)
    for number, (title, tile) in enumerate(tiles.items()):
        draw.text((number * (WIDTH + 6) + 2, 3), title, fill="black")
        row.paste(tile.convert("RGB"), (number * (WIDTH + 6), TITLE))
    return row


if __name__ == "__main__":
    main(*sys.argv[1:])
