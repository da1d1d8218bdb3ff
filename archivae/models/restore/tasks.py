"""What each task calls its strength, what its network starts from, and how much it may change.

Every restorer gives ``base + amplitude * network``. The amplitude is zero where there is no damage, so a clean picture
comes out as it went in, whatever the network says. Networks know the damage as a level in [0, 1]; people give a
strength in the unit of the task.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import ClassVar

from torch import Tensor

from archivae.errors import UsageError
from archivae.models.restore.architecture import STRIDE
from archivae.models.restore.brighten import brighten, gain_of
from archivae.models.restore.fill import GRAIN, fill, fill_alone


class Task(ABC):
    """A kind of damage.

    Attributes:
        name: as on the command line.
        unit: of the strength, for people.
        none, full: the strengths of level 0 and of level 1.
        quiet: an estimated level up to this is taken for no damage.
        blind: whether the level can be estimated from the picture.
        grain: tiles begin at multiples of so many pixels.
    """

    name: ClassVar[str]
    unit: ClassVar[str]
    none: ClassVar[float]
    full: ClassVar[float]
    quiet: ClassVar[float] = 0.0
    blind: ClassVar[bool] = True
    grain: ClassVar[int] = STRIDE

    def level(self, strength: float) -> float:
        """The level of a strength; linear between `none` and `full` unless a task says otherwise."""
        return (strength - self.none) / (self.full - self.none)

    def strength(self, level: float) -> float:
        """`level` undone."""
        return self.none + level * (self.full - self.none)

    def check(self, strength: float) -> None:
        """UsageError for a strength outside the range of the task."""
        low, high = sorted((self.none, self.full))
        if not low <= strength <= high:
            raise UsageError(
                f"expected a strength for {self.name} of {low:g} to {high:g} ({self.unit}), found {strength:g}"
            )

    def base(self, pixels: Tensor, level: Tensor, mask: Tensor, coarse: Tensor | None = None) -> Tensor:
        """What the network adds to, (N, 3, H, W) float32; arguments as of `RestorationModel.forward`.

        ``coarse`` is only for pictures in tiles with holes: what the whole picture says of them (`fill.complete`).
        """
        return pixels

    @abstractmethod
    def amplitude(self, level: Tensor, mask: Tensor, base: Tensor) -> Tensor:
        """How much a 1 of the network changes, in pixels of [0, 1]: broadcasts against ``base`` (N, 3, H, W)."""


class Denoise(Task):
    """Noise, Gaussian or a camera's. The strength is its root mean square."""

    name = "denoise"
    unit = "noise sigma in levels of 0 to 255"
    none, full = 0.0, 64.0
    quiet = 1 / 64

    def amplitude(self, level: Tensor, mask: Tensor, base: Tensor) -> Tensor:
        return _wide(level) * (self.full / 255)


class Dejpeg(Task):
    """Blocks, ringing and lost colour of JPEG. The strength is the quality it was saved with, as libjpeg counts.

    libjpeg multiplies its tables by S = 5000/quality percent below 50 and by 200 - 2 * quality above; what is lost
    grows about as the square root of S: some 10 levels at quality 10, 4.5 at 50, 2 at 90.
    """

    name = "dejpeg"
    unit = "quality of the JPEG"
    none, full = 100.0, 10.0
    quiet = 0.13  # quality 96

    def level(self, strength: float) -> float:
        percent = 5000 / strength if strength < 50 else 200 - 2 * strength
        return float((percent / 500) ** 0.5)

    def strength(self, level: float) -> float:
        percent = 500 * level**2
        return 5000 / percent if percent > 100 else 100 - percent / 2

    def amplitude(self, level: Tensor, mask: Tensor, base: Tensor) -> Tensor:
        return _wide(level) * (10 / 255)


class Inpaint(Task):
    """Holes. There is no strength: the mask says it all."""

    name = "inpaint"
    unit = "none: the mask says it all"
    none, full = 0.0, 1.0
    blind = False
    grain = GRAIN

    def base(self, pixels: Tensor, level: Tensor, mask: Tensor, coarse: Tensor | None = None) -> Tensor:
        return fill_alone(pixels, mask) if coarse is None else fill(pixels, mask, coarse)

    def amplitude(self, level: Tensor, mask: Tensor, base: Tensor) -> Tensor:
        return mask * 0.25


class Lowlight(Task):
    """Too little light, and the noise that comes with it. The strength is how much to brighten: see `brighten`."""

    name = "lowlight"
    unit = "stops by which the dark is brightened"
    none, full = 0.0, 8.0
    quiet = 0.3 / 8

    def base(self, pixels: Tensor, level: Tensor, mask: Tensor, coarse: Tensor | None = None) -> Tensor:
        return brighten(pixels, _wide(level) * self.full)

    def amplitude(self, level: Tensor, mask: Tensor, base: Tensor) -> Tensor:
        # What was hardly brightened, lamps and skies, has no noise to take out: it stays.
        return 0.5 * (1 - 1 / gain_of(base, _wide(level) * self.full))


TASKS: dict[str, Task] = {task.name: task for task in (Denoise(), Dejpeg(), Inpaint(), Lowlight())}


def find_task(name: str) -> Task:
    """The task of a name. UsageError if there is none."""
    if name not in TASKS:
        raise UsageError(f"expected a task of {', '.join(TASKS)}, found {name!r}")
    return TASKS[name]


def _wide(level: Tensor) -> Tensor:
    return level.view(-1, 1, 1, 1)
