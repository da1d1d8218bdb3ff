"""tensorflow-io, imported only when a picture needs it: that costs seconds and hundreds of megabytes."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

from archivae.errors import UnsupportedPictureError
from archivae.images.readers.extras import import_extra


def tensorflow(what: str) -> Any:
    """The module tensorflow; UnsupportedPictureError, naming the extra, where it is missing."""
    return import_extra("tensorflow", "tfio", what)


def tensorflow_io(what: str) -> Any:
    """The module tensorflow_io; UnsupportedPictureError where it is missing or, as with another TensorFlow, none of it works."""
    tfio = import_extra("tensorflow_io", "tfio", what)
    if not _works():
        raise UnsupportedPictureError(
            f"found {what}, and a tensorflow-io whose operations don't load: install archivae[tfio] "
            "with constraints-tfio.txt"
        )
    return tfio


@lru_cache(maxsize=1)
def _works() -> bool:
    """Only a call tells. The smallest Radiance file there is: one black pixel."""
    tfio = import_extra("tensorflow_io", "tfio", "a picture")
    pixel = b"#?RADIANCE\nFORMAT=32-bit_rle_rgbe\n\n-Y 1 +X 1\n" + bytes(4)
    try:
        return tuple(tfio.experimental.image.decode_hdr(pixel).shape) == (1, 1, 3)
    except Exception:
        return False
