"""What encode and decode ask of a codec, and the one that a process keeps for plain calls."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import numpy.typing as npt

from archivae.bitstream import Tile
from archivae.errors import ModelError, UnknownModelError, UsageError
from archivae.models import (
    MOST_EFFORT,
    CodecWeights,
    FamilyCodec,
    FamilyWeights,
    PhotoCodec,
    codec_path,
    fastest_dtype,
    parse_codec,
    pick_device,
    shipped_ids,
)
from archivae.models.weight_file import DAMAGE
from archivae.untrusted import shown

Pixels = npt.NDArray[np.uint8]


class Codec(Protocol):
    """Pixels to tiles and back: a `LocalCodec`, or a proxy of one in another process."""

    @property
    def id(self) -> bytes:
        """The model's id, 8 bytes."""

    @property
    def batch_limit(self) -> int:
        """How many pictures of one size are worth giving at once."""

    def encode(self, pictures: Sequence[Pixels], quality: int) -> list[list[Tile]]:
        """The tiles of each picture, all (H, W, 1 or 3) uint8 of one size; quality in steps of 1/256."""

    def decode(
        self, pictures: Sequence[Sequence[Tile]], height: int, width: int, quality: int, side: int
    ) -> list[Pixels]:
        """The pictures, from the tiles of each."""

    def squared_errors(
        self, originals: Sequence[Pixels], pictures: Sequence[Sequence[Tile]], quality: int, side: int
    ) -> list[int]:
        """The sum of squared differences of each decoded picture to its original, (H, W, 1 or 3)."""


class HardCodec(Codec, Protocol):
    """A codec that can encode harder."""

    def encode(self, pictures: Sequence[Pixels], quality: int, *, effort: int = 0) -> list[list[Tile]]:
        """As `Codec.encode`; ``effort`` as in `with_effort`. UsageError for one that the model does not have."""


@dataclass(frozen=True)
class WithEffort:
    """``codec``, encoding with ``effort``; what it writes any codec of the same model decodes."""

    codec: HardCodec
    effort: int

    @property
    def id(self) -> bytes:
        return self.codec.id

    @property
    def batch_limit(self) -> int:
        """1: each picture is worked on alone."""
        return 1

    def encode(self, pictures: Sequence[Pixels], quality: int) -> list[list[Tile]]:
        return self.codec.encode(pictures, quality, effort=self.effort)

    def decode(
        self, pictures: Sequence[Sequence[Tile]], height: int, width: int, quality: int, side: int
    ) -> list[Pixels]:
        return self.codec.decode(pictures, height, width, quality, side)

    def squared_errors(
        self, originals: Sequence[Pixels], pictures: Sequence[Sequence[Tile]], quality: int, side: int
    ) -> list[int]:
        return self.codec.squared_errors(originals, pictures, quality, side)


def with_effort(codec: HardCodec, effort: int) -> Codec:
    """``codec`` encoding so hard, 0 to `MOST_EFFORT`: each takes longer and makes smaller files of the same quality.

    UsageError for an effort that there is not.
    """
    check_effort(effort)
    return WithEffort(codec, effort) if effort else codec


def without_effort(codec: Codec) -> Codec:
    """The codec that ``codec`` is without effort."""
    return codec.codec if isinstance(codec, WithEffort) else codec


def check_effort(effort: int) -> None:
    """UsageError unless it is a whole number from 0 to `MOST_EFFORT`."""
    if isinstance(effort, bool) or not isinstance(effort, int) or not 0 <= effort <= MOST_EFFORT:
        raise UsageError(f"effort goes from 0 to {MOST_EFFORT} in whole numbers, found {effort!r}")


LocalCodec = PhotoCodec | FamilyCodec

FindCodec = Callable[[bytes], Codec]
"""From a model's id to a codec; UnknownModelError if it is not to be had."""

_lock = threading.Lock()
_kept: dict[tuple[str, str], LocalCodec] = {}


def put_on_device(weights: CodecWeights, accelerator: str) -> LocalCodec:
    """A codec on the device that ``accelerator`` names, in its fastest exact-enough dtype.

    ModelError for weights that do not make one, as those of an archive may be.
    """
    device = pick_device(accelerator)
    try:
        if isinstance(weights, FamilyWeights):
            return FamilyCodec(weights, device)
        return PhotoCodec(weights, device, fastest_dtype(device))
    except DAMAGE as error:
        raise ModelError(f"the weights of {shown(weights.name, 200)} make no codec: {shown(error)}") from error


def named_codec(model: str, accelerator: str = "auto") -> LocalCodec:
    """The process's codec of a shipped model's name or a weight file's path, made at the first call; thread-safe."""
    path = codec_path(model)
    key = (f"{path} {path.stat().st_mtime_ns}", accelerator)
    with _lock:
        if key not in _kept:
            _kept[key] = put_on_device(parse_codec(path.read_bytes()), accelerator)
        return _kept[key]


def find_shipped_codec(model_id: bytes, accelerator: str = "auto") -> LocalCodec:
    """The process's codec with that id: a shipped model's, or one that `named_codec` gave before."""
    with _lock:
        for (_, kept_accelerator), codec in _kept.items():
            if codec.id == model_id and kept_accelerator == accelerator:
                return codec
    name = shipped_ids().get(model_id)
    if name is None:
        raise UnknownModelError(
            f"the bitstream needs model {model_id.hex()}, which this release does not ship: "
            "give its weights, as found in the archive's _archivae/models/, with model=..."
        )
    return named_codec(name, accelerator)
