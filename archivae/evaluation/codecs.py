"""What is compared: ArchiVAE's models and the classic codecs that Pillow brings, all behind one protocol."""

from __future__ import annotations

import importlib
import importlib.util
import io
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from PIL import Image

import archivae
from archivae.bitstream import Coding, read_bitstream
from archivae.errors import UnsupportedPictureError, UsageError
from archivae.images.pillow import pillow_errors_as, to_image, to_pixels
from archivae.models import MOST_EFFORT, shipped_models

_JXL_PLUGIN = "pillow_jxl"
_EFFORT = re.compile(r"@\d+$")


class Codec(Protocol):
    """Pixels to the bytes of a whole file and back.

    Pixels are uint8, (H, W, 1) or (H, W, 3); a decoder may return three equal channels for one.
    """

    @property
    def name(self) -> str:
        """As asked for on the command line; unique in a run."""

    @property
    def label(self) -> str:
        """As people read it."""

    @property
    def settings(self) -> Sequence[float]:
        """The encoder's qualities to measure, rising."""

    @property
    def ours(self) -> bool:
        """Whether this is one of ArchiVAE's models: what the others are compared with."""

    def encode(self, pixels: np.ndarray, setting: float) -> bytes:
        """The file."""

    def decode(self, data: bytes) -> np.ndarray:
        """The picture."""

    def falls_back(self, pixels: np.ndarray, setting: float, data: bytes) -> bool | None:
        """Whether an archive would hold this picture otherwise than as ``data``; None if there is no other way."""


@dataclass(frozen=True)
class PillowCodec:
    """A classic codec at Pillow's defaults but for ``options``."""

    name: str
    label: str
    format: str
    settings: tuple[int, ...]
    options: Mapping[str, Any] = field(default_factory=dict)
    ours: bool = False

    def encode(self, pixels: np.ndarray, setting: float) -> bytes:
        """A file without metadata. UnsupportedPictureError for what the format cannot hold, such as too long a side."""
        file = io.BytesIO()
        with pillow_errors_as(UnsupportedPictureError, f"encoding {self.name}"):
            to_image(pixels).save(file, self.format, quality=round(setting), **self.options)
        return file.getvalue()

    def decode(self, data: bytes) -> np.ndarray:
        """Grey as one channel where the format has grey, three otherwise."""
        with pillow_errors_as(UnsupportedPictureError, f"decoding {self.name}"):
            image = Image.open(io.BytesIO(data), formats=[self.format])
            return to_pixels(image if image.mode == "L" else image.convert("RGB"))

    def falls_back(self, pixels: np.ndarray, setting: float, data: bytes) -> None:
        """Never: a classic codec is all there is."""
        return


@dataclass(frozen=True)
class ArchivaeCodec:
    """One of ArchiVAE's models, by the name of a shipped one or the path of a weight file, with ``@2`` for an effort of 2.

    With ``fallbacks`` files are what an archive would hold; without, the model codes every picture, which is what a
    rate-distortion curve is about.
    """

    name: str
    settings: tuple[float, ...]
    fallbacks: bool = False
    ours: bool = True

    @property
    def label(self) -> str:
        """``ArchiVAE``, the model and the effort, if any."""
        return f"ArchiVAE {self.model}" + (f", effort {self.effort}" if self.effort else "")

    @property
    def model(self) -> str:
        """The model's name, or its path."""
        return _EFFORT.sub("", self.name)

    @property
    def effort(self) -> int:
        """How hard it encodes: what stands behind the mark."""
        return int(self.name.removeprefix(self.model)[1:] or 0)

    def encode(self, pixels: np.ndarray, setting: float) -> bytes:
        """An ``.avae`` file, verified: the encoder decodes it once."""
        return self._encode(pixels, setting, self.fallbacks)

    def decode(self, data: bytes) -> np.ndarray:
        """The picture, with as many channels as it had."""
        return np.asarray(archivae.decode(data))

    def falls_back(self, pixels: np.ndarray, setting: float, data: bytes) -> bool:
        """Whether encode, left to choose, stores the picture losslessly. Encodes it once more where it was not."""
        if not self.fallbacks:
            data = self._encode(pixels, setting, True)
        return read_bitstream(data).coding is not Coding.LEARNED

    def _encode(self, pixels: np.ndarray, setting: float, fallbacks: bool) -> bytes:
        return archivae.encode(pixels, quality=setting, model=self.model, effort=self.effort, fallbacks=fallbacks)


# Settings, subsampling and effort as in reference/kodak_classic.json, so that a run over Kodak gives its figures again.
_AVIF_SETTINGS = (15, 30, 42, 55, 68, 80, 90, 96)


def _avif(sampling: str, tune: str, speed: int) -> PillowCodec:
    """AVIF as the reference curves have it, or tuned for PSNR, or with more time: ``avif444-psnr-4`` has all of that."""
    name = f"avif{'444' if sampling == '4:4:4' else ''}{'-psnr' if tune == 'psnr' else ''}{'' if speed == 6 else '-4'}"
    words = [word for word in (sampling if sampling == "4:4:4" else "", f"tune {tune}") if word]
    options = {"speed": speed, "subsampling": sampling, "advanced": {"tune": tune}}
    return PillowCodec(name, f"{AVIF_LABELS[speed]}, {', '.join(words)}", "AVIF", _AVIF_SETTINGS, options)


AVIF_LABELS = {6: "AVIF speed 6", 4: "AVIF speed 4"}
AVIF_VARIANTS = tuple(
    _avif(sampling, tune, speed) for speed in AVIF_LABELS for sampling in ("4:2:0", "4:4:4") for tune in ("iq", "psnr")
)
"""What AVIF is good at depends on how it is tuned, ``iq`` being libavif's default."""
CLASSIC: dict[str, Codec] = {
    codec.name: codec
    for codec in (
        PillowCodec(
            "jpeg",
            "JPEG 4:2:0",
            "JPEG",
            (10, 20, 35, 50, 65, 80, 90, 95),
            {"optimize": True, "subsampling": "4:2:0"},
        ),
        PillowCodec("webp", "WebP method 6", "WEBP", (1, 10, 25, 45, 65, 80, 90, 97), {"method": 6}),
        *AVIF_VARIANTS,
        PillowCodec("jxl", "JPEG XL effort 7", "JXL", (10, 25, 40, 55, 70, 85, 93, 97), {"effort": 7}),
    )
}


ALIASES = {
    "avif-all": ",".join(codec.name for codec in AVIF_VARIANTS),
    "avif-fast": ",".join(codec.name for codec in AVIF_VARIANTS if codec.options["speed"] == 6),
}
"""Names that stand for several codecs."""
RIVALS = {codec.name: AVIF_LABELS[codec.options["speed"]] for codec in AVIF_VARIANTS}
"""Variants of one rival: of them each measure is compared with the one that does best by it."""


def parse_codecs(names: str, qualities: Sequence[float], *, fallbacks: bool = False) -> list[Codec]:
    """The codecs that a comma-separated list names, each once.

    A name is a classic codec's (jpeg, webp, jxl, avif; `AVIF_VARIANTS`, `ALIASES`), a shipped model's, or the path of a
    ``.safetensors`` file, both with ``@2`` for an effort of 2. ``qualities``, 0 to 100, are for models; classic codecs
    have their own.

    Raises:
        UsageError: no name, an unknown one, a weight file that is not there, or JPEG XL without its plugin.
    """
    plain = ",".join(ALIASES.get(name.strip(), name) for name in names.split(","))
    wanted = list(dict.fromkeys(name.strip() for name in plain.split(",") if name.strip()))
    if not wanted:
        raise UsageError(f"expected codecs such as 'photo,jpeg,webp,avif', found {names!r}; name at least one")
    return [_codec(name, qualities, fallbacks) for name in wanted]


def _codec(name: str, qualities: Sequence[float], fallbacks: bool) -> Codec:
    if name == "jxl":
        _load_jxl()
    if name in CLASSIC:
        return CLASSIC[name]
    codec = ArchivaeCodec(name, tuple(sorted(set(qualities))), fallbacks)
    model = codec.model
    if codec.effort > MOST_EFFORT:
        raise UsageError(f"expected codecs with an effort of 0 to {MOST_EFFORT} behind their @, found {name!r}")
    if model not in shipped_models() and not (model.endswith(".safetensors") and Path(model).is_file()):
        known = ", ".join([*shipped_models(), *CLASSIC, *ALIASES])
        raise UsageError(f"expected codecs of {known}, or the path of a .safetensors file, found {name!r}")
    return codec


def _load_jxl() -> None:
    """Importing the plugin registers the format with Pillow."""
    if importlib.util.find_spec(_JXL_PLUGIN) is None:
        raise UsageError("expected Pillow's plugin for JPEG XL, found none; pip install pillow-jxl-plugin")
    importlib.import_module(_JXL_PLUGIN)
