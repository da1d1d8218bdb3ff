"""What may be asked of a restoration."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from archivae.errors import UsageError
from archivae.models import TASKS
from archivae.models.restore.turns import check_passes
from archivae.operations.masks import check_pattern, parse_colour

AUTO, INPAINT = "auto", "inpaint"
RESTORE_TASKS = (*TASKS, AUTO)
BLIND_TASKS = tuple(name for name, task in TASKS.items() if task.blind)


@dataclass(frozen=True)
class Restoration:
    """A task and how to do it. UsageError where that makes no sense.

    Attributes:
        task: denoise, dejpeg, inpaint, lowlight; or auto, which applies what a picture needs.
        strength: of the damage, in the unit of the task (`archivae.models.restore.tasks`), in place of the estimate.
        masks: to inpaint: where the mask of each picture lies, a pattern in which ``*`` stands for the picture's name
            without its ending; relative to the source's folder, or a whole URI.
        mask_colour: to inpaint: the colour of holes, RRGGBB. Without both, holes are what is not opaque.
        restorers: a folder of TASK.safetensors, in place of the shipped ones.
        passes: 1, 4 or 8: the mean over so many turned and mirrored copies. Better, and so many times slower.
    """

    task: str = AUTO
    strength: float | None = None
    masks: str = ""
    mask_colour: str = ""
    restorers: str = ""
    passes: int = 1

    def __post_init__(self) -> None:
        if self.task not in RESTORE_TASKS:
            raise UsageError(f"expected a task of {', '.join(RESTORE_TASKS)}, found {self.task!r}")
        check_passes(self.passes)
        if self.strength is not None:
            self._check_strength(self.strength)
        if (self.masks or self.mask_colour) and self.task != INPAINT:
            raise UsageError(f"expected masks for {INPAINT} alone, found them for {self.task}: leave them out")
        if self.masks and self.mask_colour:
            raise UsageError("expected masks or a colour that tells the holes, found both: choose one")
        if self.masks:
            check_pattern(self.masks)
        if self.mask_colour:
            parse_colour(self.mask_colour)

    @property
    def tasks(self) -> tuple[str, ...]:
        """Whose restorers it may need."""
        return BLIND_TASKS if self.task == AUTO else (self.task,)

    def asked(self) -> dict[str, Any]:
        """All that decides what becomes of a picture, the weights aside, as plain values."""
        words = {"strength": self.strength, "masks": self.masks, "mask_colour": self.mask_colour.lower()}
        given = {word: value for word, value in words.items() if value not in (None, "")}
        return {"task": self.task, **given, **({"passes": self.passes} if self.passes > 1 else {})}

    def _check_strength(self, strength: float) -> None:
        if self.task not in BLIND_TASKS:
            raise UsageError(f"expected no strength for {self.task}, found {strength:g}: leave it out")
        TASKS[self.task].check(strength)
