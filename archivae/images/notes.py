"""Notes of three kinds on what became of a picture: what is lost, what was changed, and what is good to know."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Notes:
    """What is to be said of a picture. Each text stands once, in the order of its finding.

    Attributes:
        lost: what of the file is kept in no form, each by its name: "comment", "APP3 segment". It bars the deletion of the
            original.
        changed: what was converted, and how: "orientation 6 applied".
        said: for information: "stored losslessly: smaller so".
    """

    lost: tuple[str, ...] = ()
    changed: tuple[str, ...] = ()
    said: tuple[str, ...] = ()

    def __add__(self, other: Notes) -> Notes:
        return Notes(_once(self.lost + other.lost), _once(self.changed + other.changed), _once(self.said + other.said))

    def __bool__(self) -> bool:
        return bool(self.lost or self.changed or self.said)

    def without(self, other: Notes) -> Notes:
        """The notes that aren't in ``other``."""
        return Notes(
            tuple(note for note in self.lost if note not in other.lost),
            tuple(note for note in self.changed if note not in other.changed),
            tuple(note for note in self.said if note not in other.said),
        )

    def each(self, reword: Callable[[str], str]) -> Notes:
        """The same with every text given to ``reword``."""
        return Notes(tuple(map(reword, self.lost)), tuple(map(reword, self.changed)), tuple(map(reword, self.said)))

    def lines(self) -> tuple[str, ...]:
        """All texts, of what is lost first."""
        return self.lost + self.changed + self.said


NO_NOTES = Notes()


def lost(*names: str) -> Notes:
    """Notes of what is kept in no form."""
    return Notes(lost=_once(names))


def changed(*texts: str) -> Notes:
    """Notes of what was converted."""
    return Notes(changed=_once(texts))


def said(*texts: str) -> Notes:
    """Notes for information."""
    return Notes(said=_once(texts))


def _once(texts: Iterable[str]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(texts))
