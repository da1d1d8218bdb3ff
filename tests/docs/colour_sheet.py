"""Before and after for colour-managed pictures, to be looked at: docs/colour_sheet.jpg.

python -m tests.docs.colour_sheet examples/photos/kodim23.png docs/colour_sheet.jpg
"""

from __future__ import annotations

import io
import sys

import numpy as np
from PIL import Image, ImageDraw

from archivae.images import fit, open_picture
from archivae.images.colour import from_srgb
from tests.profiles import ADOBE_RGB, DISPLAY_P3, grey_profile, rgb_profile

WIDTH, GAP, TITLE = 260, 6, 18
RGB_PROFILES = {"Adobe RGB": rgb_profile(ADOBE_RGB, 2.2), "Display P3": rgb_profile(DISPLAY_P3, 2.2)}


def main(photo: str, sheet: str) -> None:
    image = Image.open(photo).convert("RGB")
    image = image.resize((WIDTH, WIDTH * image.height // image.width))
    rows = [row(np.asarray(image), name, icc) for name, icc in RGB_PROFILES.items()]
    rows.append(row(np.asarray(image.convert("L"))[:, :, None], "grey of gamma 1.8", grey_profile(1.8)))
    whole = Image.new("RGB", (rows[0].width, len(rows) * rows[0].height), "white")
    for number, tiles in enumerate(rows):
        whole.paste(tiles, (0, number * tiles.height))
    whole.save(sheet, quality=92)


def row(meant: np.ndarray, name: str, icc: bytes) -> Image.Image:
    """What is meant, in sRGB; a file of it in another profile, shown by a viewer that ignores that; coded; restored."""
    convert = from_srgb(icc, "grey" if meant.shape[2] == 1 else "rgb")
    assert convert is not None
    stored = convert(meant)
    file = io.BytesIO()
    Image.fromarray(stored.squeeze()).save(file, "PNG", icc_profile=icc)
    coded = open_picture(file.getvalue())
    restored = fit(coded, "png", restore_profile=True)
    tiles = {
        "meant": meant,
        f"{name}, ignored": stored,
        "as coded, in sRGB": coded.pixels,
        "restored, profile ignored": restored.pixels,
    }
    strip = Image.new("RGB", (len(tiles) * (WIDTH + GAP), meant.shape[0] + TITLE + GAP), "white")
    draw = ImageDraw.Draw(strip)
    for number, (title, pixels) in enumerate(tiles.items()):
        left = number * (WIDTH + GAP)
        draw.text((left + 2, 3), title, fill="black")
        strip.paste(Image.fromarray(np.broadcast_to(pixels, (*pixels.shape[:2], 3)).copy()), (left, TITLE))
    return strip


if __name__ == "__main__":
    main(*sys.argv[1:])
