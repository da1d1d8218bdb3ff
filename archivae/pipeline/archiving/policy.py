"""A policy: what is archived, how, and what becomes of the originals. One YAML file, checked whole before anything is done."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields
from typing import Any, Literal, get_args

from archivae.errors import ArchivaeError, UsageError
from archivae.images import ReadOptions
from archivae.models import DEFAULT_MODEL
from archivae.operations.codec import check_effort
from archivae.operations.rate import RATE_WORDS, Lossless, Rate, pick_rate
from archivae.pipeline.plain_yaml import found_value, load_yaml
from archivae.pipeline.quantities import bytes_of, seconds_of
from archivae.storage import read_object
from archivae.storage.names import is_below, normal, scheme_of
from archivae.untrusted import shown

Originals = Literal["keep", "delete", "move"]
KeptWord = Literal["lost"]
_MAX_POLICY_BYTES = 256 << 10
_GREATEST = 1e15
_TARGETS = tuple(word for word in RATE_WORDS if word != "max_bytes")
"""`max_bytes` is a run's budget in a policy; as a target for each picture it is called ``max_picture_bytes``."""


@dataclass(frozen=True, kw_only=True)
class Policy:
    """``older_than`` and ``grace`` in seconds, sizes in bytes. ``include`` empty: everything; both are globs of names
    relative to their source. ``keep_bytes_of``: "lost" archives the own bytes of files of which something would be lost. The
    three ``max_`` are a run's budget, None for no bound."""

    sources: tuple[str, ...]
    destination: str
    rate: Rate
    model: str = DEFAULT_MODEL
    effort: int = 0
    older_than: float = 0.0
    include: tuple[str, ...] = ()
    exclude: tuple[str, ...] = ()
    shard_size: int | None = None
    originals: Originals = "keep"
    accept_loss: bool = False
    keep_bytes_of: tuple[KeptWord, ...] = ()
    grace: float = 7 * 86400.0
    move_to: str = ""
    max_objects: int | None = None
    max_bytes: int | None = None
    max_hours: float | None = None

    def __post_init__(self) -> None:
        _check_places(self)
        _check_originals(self)

    @property
    def reading(self) -> ReadOptions:
        """How its pictures are read."""
        return ReadOptions(keep_bytes_of="lost") if "lost" in self.keep_bytes_of else ReadOptions()

    @property
    def removes(self) -> bool:
        """Whether originals may go."""
        return self.originals != "keep"


def read_policy(uri: str) -> Policy:
    """The policy in a YAML file, local or gs://. UsageError says which word is wrong, and why."""
    content = load_yaml(read_object(uri, limit=_MAX_POLICY_BYTES), uri)
    if not isinstance(content, dict):
        raise UsageError(
            f"expected {uri!r} to hold words such as sources: and destination:, found {found_value(content)}"
        )
    try:
        return parse_policy(content)
    except ArchivaeError as error:
        raise UsageError(f"{uri}: {error}") from error


def parse_policy(content: Mapping[str, Any]) -> Policy:
    """A policy from the words of its file; an unknown one is refused, for a misspelt ``keep`` must not delete."""
    known = {*_READERS, *_TARGETS, "max_picture_bytes"}
    if unknown := {*map(str, content)} - known:
        raise UsageError(
            f"unknown words: {shown(', '.join(sorted(unknown)), 200)}; known are {', '.join(sorted(known))}"
        )
    for word in ("sources", "destination"):
        if not content.get(word):
            raise UsageError(f"{word}: is missing")
    targets = {word: _number(content[word], word) for word in _TARGETS if word in content and word != "lossless"}
    targets |= {"lossless": _boolean(content["lossless"], "lossless")} if "lossless" in content else {}
    if "max_picture_bytes" in content:
        targets["max_bytes"] = bytes_of(content["max_picture_bytes"], "max_picture_bytes")
    values = {word: _READERS[word](content[word], word) for word in _READERS if content.get(word) is not None}
    return Policy(rate=pick_rate(**targets), **values)


def _check_places(policy: Policy) -> None:
    places = [*policy.sources, policy.destination, *([policy.move_to] if policy.move_to else [])]
    for place in places:
        if scheme_of(place) not in ("", "gs"):
            raise UsageError(f"expected local or gs:// places, found {place!r}")
    if len({scheme_of(source) for source in policy.sources}) > 1:
        raise UsageError("expected all sources in one kind of storage, found local and gs:// ones: write two policies")
    if policy.max_objects == 0 or policy.max_bytes == 0 or policy.max_hours == 0:
        raise UsageError("a budget of 0 lets nothing be done: leave the word out")


def _check_originals(policy: Policy) -> None:
    if policy.removes and not policy.accept_loss and not isinstance(policy.rate, Lossless):
        raise UsageError(
            f"originals: {policy.originals} of pictures that are stored with loss needs accept_loss: true "
            "(or lossless: true in place of a quality)"
        )
    if (policy.originals == "move") != bool(policy.move_to):
        raise UsageError("originals: move and move_to: FOLDER belong together")
    if policy.move_to:
        target = normal(policy.move_to)
        for taken in (normal(policy.destination), *(normal(_folder(source)) for source in policy.sources)):
            if target == taken or is_below(target, taken) or is_below(taken, target):
                raise UsageError(f"move_to: {policy.move_to} overlaps {taken}: originals would be archived again")


def _folder(source: str) -> str:
    """The part of a source before its first wildcard."""
    literal = source
    for wild in "*?[":
        literal = literal.partition(wild)[0]
    return literal if literal == source else literal.rpartition("/")[0] or literal


def _text(value: Any, word: str) -> str:
    if not isinstance(value, str):
        raise UsageError(f"expected {word} to be text, found {found_value(value)}")
    return value


def _texts(value: Any, word: str) -> tuple[str, ...]:
    values = [value] if isinstance(value, str) else value
    if not isinstance(values, list) or not all(isinstance(item, str) and item for item in values):
        raise UsageError(f"expected {word} to be a list of texts, found {found_value(value)}")
    return tuple(values)


def _boolean(value: Any, word: str) -> bool:
    if not isinstance(value, bool):
        raise UsageError(f"expected {word} to be true or false, found {found_value(value)}")
    return value


def _number(value: Any, word: str) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value <= _GREATEST:
        raise UsageError(f"expected {word} to be a number from 0, found {found_value(value)}")
    return value


def _count(value: Any, word: str) -> int:
    if not isinstance(value, int) or _number(value, word) != value:
        raise UsageError(f"expected {word} to be a whole number, found {found_value(value)}")
    return value


def _effort(value: Any, word: str) -> int:
    check_effort(value)
    return int(value)


def _choice(value: Any, word: str) -> str:
    if value not in get_args(Originals):
        raise UsageError(f"expected {word} to be one of {', '.join(get_args(Originals))}, found {found_value(value)}")
    return str(value)


def _kept_words(value: Any, word: str) -> tuple[str, ...]:
    words = _texts(value, word)
    if unknown := {*words} - {*get_args(KeptWord)}:
        raise UsageError(f"expected {word} to list {', '.join(get_args(KeptWord))}, found {', '.join(sorted(unknown))}")
    return words


_READERS: Mapping[str, Callable[[Any, str], Any]] = {
    "sources": _texts,
    "destination": _text,
    "model": _text,
    "effort": _effort,
    "older_than": seconds_of,
    "include": _texts,
    "exclude": _texts,
    "shard_size": bytes_of,
    "originals": _choice,
    "accept_loss": _boolean,
    "keep_bytes_of": _kept_words,
    "grace": seconds_of,
    "move_to": _text,
    "max_objects": _count,
    "max_bytes": bytes_of,
    "max_hours": _number,
}
assert {*_READERS, "rate"} == {field.name for field in fields(Policy)}
