"""Libraries that are installed only where their formats are needed, imported only when a picture needs them."""

from __future__ import annotations

import importlib
from typing import Any

from archivae.errors import UnsupportedPictureError


def import_extra(module: str, extra: str, what: str) -> Any:
    """The module; UnsupportedPictureError that names the extra to install where it is missing."""
    try:
        return importlib.import_module(module)
    except ImportError as error:
        raise UnsupportedPictureError(
            f"found {what}, which needs {module}, and that isn't installed: install archivae[{extra}]"
        ) from error
