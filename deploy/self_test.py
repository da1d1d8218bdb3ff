"""The last check of the image: a picture goes through the shipped model and comes back."""

from __future__ import annotations

import numpy as np

import archivae
from archivae.operations.quality import psnr

rows, columns = np.indices((96, 128))
picture = np.stack([rows * 2, columns, rows + columns], -1).astype(np.uint8)
decoded = archivae.decode(archivae.encode(picture, quality=60, fallbacks=False, accelerator="cpu"), accelerator="cpu")
level = psnr(picture, decoded)
assert decoded.shape == picture.shape and level > 25, level
print(f"archivae {archivae.__file__}: {level:.1f} dB")
