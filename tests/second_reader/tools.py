"""Independent decoders: pyvips, libtiff's, libjpeg-turbo's and OpenJPEG's commands, ImageMagick."""

from __future__ import annotations

import io
import shutil
import subprocess
import tempfile
from pathlib import Path

import numpy as np
from PIL import Image

COMMANDS = ("tiff2rgba", "tiffcp", "djpeg", "cjpeg", "opj_compress", "opj_decompress")
"""Of Debian's libtiff-tools, libjpeg-turbo-progs and libopenjp2-tools."""


def missing() -> list[str]:
    """Tools that aren't installed here."""
    return [command for command in COMMANDS if shutil.which(command) is None]


def ran(command: str, data: bytes, ending: str, out: str, *arguments: str) -> bytes:
    """What ``command ARGUMENTS in out`` makes of a file; ``{in}`` and ``{out}`` stand for their names."""
    with tempfile.TemporaryDirectory() as folder:
        source, target = Path(folder) / f"in{ending}", Path(folder) / f"out{out}"
        source.write_bytes(data)
        names = [a.replace("{in}", str(source)).replace("{out}", str(target)) for a in arguments]
        subprocess.run([command, *names], check=True, capture_output=True)
        return target.read_bytes()


def by_vips(data: bytes) -> np.ndarray:
    """As libvips gives it, upright."""
    import pyvips

    return np.atleast_3d(pyvips.Image.new_from_buffer(data, "").autorot().numpy())


def by_djpeg(data: bytes) -> np.ndarray:
    """libjpeg-turbo with its accurate transform and upsampling."""
    return pixels(ran("djpeg", data, ".jpg", ".ppm", "-dct", "int", "-outfile", "{out}", "{in}"))


def by_opj(data: bytes) -> np.ndarray:
    """Unsigned samples; it writes those of 9 to 15 bits scaled to 16."""
    ending = ".jp2" if data[4:8] == b"jP  " else ".j2k"
    values = pixels(ran("opj_decompress", data, ending, ".png", "-i", "{in}", "-o", "{out}"))
    bits = (data[data.index(b"\xff\x4f\xff\x51") + 42] & 0x7F) + 1
    return values >> (16 - bits) if values.itemsize > 1 else values


def by_libtiff(data: bytes) -> np.ndarray:
    """8-bit RGB as libtiff itself converts it."""
    return pixels(ran("tiff2rgba", data, ".tif", ".tif", "-c", "none", "{in}", "{out}"))[:, :, :3]


def pixels(data: bytes) -> np.ndarray:
    """Of a plain file that one of the tools wrote."""
    return np.atleast_3d(np.asarray(Image.open(io.BytesIO(data))))
