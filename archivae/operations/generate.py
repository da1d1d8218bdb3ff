"""New pictures: samples of a model, the way between two pictures, a texture like a sample.

A job is an `Order` of so many pictures, made in chunks. A chunk is a function of the order and its number alone: whoever
makes it, on how many machines, makes the same.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from archivae.errors import UsageError
from archivae.images import MAX_PIXELS, open_picture
from archivae.models import RunningModel
from archivae.models.running import Latents
from archivae.models.texture.synthesis import synthesise

Pixels = npt.NDArray[np.uint8]
Read = Callable[[str], bytes]
"""From the URI of a picture to its bytes."""

CHUNK = 64
"""Samples made together, with one seed. Part of what a seed means: never to be changed."""


class Order(ABC):
    """What to make. ``count`` pictures, ``chunk`` at a time."""

    needs_model = True

    @property
    @abstractmethod
    def count(self) -> int:
        """How many pictures."""

    @property
    def chunk(self) -> int:
        """How many are made together; all, unless an order says otherwise."""
        return self.count

    @property
    def chunks(self) -> int:
        """How many chunks."""
        return -(-self.count // self.chunk)

    def numbers(self, chunk: int) -> range:
        """Which pictures are in a chunk."""
        return range(chunk * self.chunk, min((chunk + 1) * self.chunk, self.count))

    @abstractmethod
    def make(self, chunk: int, model: RunningModel | None, read: Read) -> list[Pixels]:
        """The pictures of a chunk."""

    @abstractmethod
    def asked(self) -> dict[str, Any]:
        """All that decides the pictures besides the model, as plain values."""


@dataclass(frozen=True)
class Samples(Order):
    """``many`` new pictures, of class ``label`` if it names one."""

    many: int
    seed: int = 0
    label: str | None = None

    def __post_init__(self) -> None:
        if self.many < 1 or self.seed < 0:
            raise UsageError(f"expected a count of at least 1 and a seed from 0 up, found {self.many} and {self.seed}")

    @property
    def count(self) -> int:
        return self.many

    @property
    def chunk(self) -> int:
        return CHUNK

    def make(self, chunk: int, model: RunningModel | None, read: Read) -> list[Pixels]:
        assert model is not None
        # The last chunk is made whole as well, so that a larger count begins with the same pictures.
        latents = model.sample([model.label(self.label)] * CHUNK, chunk_seed(self.seed, chunk))
        return model.decode(latents)[: len(self.numbers(chunk))]

    def asked(self) -> dict[str, Any]:
        # Not the count: more of the same may be added to what is there.
        return {"seed": self.seed} | ({"label": self.label} if self.label is not None else {})


@dataclass(frozen=True)
class Between(Order):
    """``steps`` pictures on the way from ``first`` to ``last``, two URIs, both ends included as the model sees them."""

    first: str
    last: str
    steps: int = 8

    def __post_init__(self) -> None:
        if self.steps < 2:
            raise UsageError(f"expected at least 2 steps from one picture to another, found {self.steps}")

    @property
    def count(self) -> int:
        return self.steps

    def make(self, chunk: int, model: RunningModel | None, read: Read) -> list[Pixels]:
        assert model is not None
        first, last = (open_picture(read(uri), max_pixels=MAX_PIXELS).pixels for uri in (self.first, self.last))
        return interpolate(model, first, last, self.steps)

    def asked(self) -> dict[str, Any]:
        return {"interpolate": [self.first, self.last], "steps": self.steps}


@dataclass(frozen=True)
class Texture(Order):
    """One picture of any size that looks like the one at ``sample``, a URI. It takes no model: its own is fitted."""

    sample: str
    height: int
    width: int
    seed: int = 0

    needs_model = False

    def __post_init__(self) -> None:
        if self.height < 1 or self.width < 1 or self.height * self.width > MAX_PIXELS:
            raise UsageError(f"expected a size of 1 to {MAX_PIXELS:,} pixels, found {self.width}x{self.height}")

    @property
    def count(self) -> int:
        return 1

    def make(self, chunk: int, model: RunningModel | None, read: Read) -> list[Pixels]:
        return [synthesise(open_picture(read(self.sample)).pixels, self.height, self.width, self.seed)]

    def asked(self) -> dict[str, Any]:
        return {"texture": self.sample, "size": [self.height, self.width], "seed": self.seed}


def generate(model: RunningModel, count: int, *, seed: int = 0, label: str | None = None) -> list[Pixels]:
    """``count`` new pictures, (H, W, C) uint8, of class ``label`` if given.

    The same for the same model, seed and label; the first of more pictures are those of fewer. ModelError for a model
    that cannot sample, UsageError for a label that it does not have.
    """
    order = Samples(count, seed, label)
    return [picture for chunk in range(order.chunks) for picture in order.make(chunk, model, _nothing_to_read)]


def interpolate(model: RunningModel, first: Pixels, last: Pixels, steps: int = 8) -> list[Pixels]:
    """Pictures at even steps along the straight line between the latents of two, both ends included."""
    start, end = model.encode([first]), model.encode([last])
    return model.decode(np.concatenate([_mixed(start, end, step / (steps - 1)) for step in range(steps)]))


def chunk_seed(seed: int, chunk: int) -> int:
    """The seed of one chunk, 63 bits that have nothing in common with its neighbours'."""
    return int(np.random.SeedSequence((seed, chunk)).generate_state(1, np.uint64)[0] >> np.uint64(1))


def _mixed(start: Latents, end: Latents, part: float) -> Latents:
    return ((1 - part) * start + part * end).astype(np.float32)


def _nothing_to_read(uri: str) -> bytes:
    raise AssertionError(f"samples are made of nothing, yet {uri} was asked for")
