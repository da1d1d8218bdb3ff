"""What runs did, under ``DST/_archivae/runs/``: a JSON document a run, written again at each stage, and beside it what the
run meant to take away, written before anything is."""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field, fields, replace
from typing import Any, Literal

from archivae.errors import StorageError
from archivae.storage import own_path, read_object, scratch_of, write_object
from archivae.storage.names import is_below
from archivae.storage.objects import store_of
from archivae.untrusted import LARGEST_JSON, load_json, shown

_FOLDER = "runs"
_REMOVALS, _PURGED, _STAYS = "-removals.jsonl", "-purged.json", "-stays.jsonl"
_NAMED = 10  # originals that a run's own document names
_QUOTED = 200  # characters of what is wrong in a line
_LONGEST = 1e15  # seconds, as in a policy
_LONGEST_TEXT = 8192  # characters; a path has at most 4,096
_SHA256 = re.compile("[0-9a-f]{64}")

Stage = Literal["encoding", "verifying", "removing", "purging", "finished", "failed"]


@dataclass(frozen=True)
class Stay:
    """An original that stays, and why."""

    uri: str
    reason: str

    @property
    def kind(self) -> str:
        """The reason without what is this original's own, which stands behind a colon."""
        return self.reason.partition(":")[0]


@dataclass(frozen=True)
class Run:
    """One run of a policy. Times in seconds since 1970; ``kept``: originals that stayed, by reason;
    ``first_kept``: the first ten, each with its own."""

    run: str
    policy: str
    began: float
    stage: Stage = "encoding"
    ended: float = 0.0
    encoded: int = 0
    failed: int = 0
    bytes_in: int = 0
    bytes_out: int = 0
    verified: int = 0
    bad: int = 0
    removed: int = 0
    purged: int = 0
    kept: dict[str, int] = field(default_factory=dict)
    first_kept: tuple[str, ...] = ()
    problems: tuple[str, ...] = ()
    remark: str = ""  # no problem, but good to know

    def keeping(self, stayed: Sequence[Stay]) -> Run:
        """The run after these originals stayed, too."""
        kept = Counter(self.kept) + Counter(stay.kind for stay in stayed)
        named = [f"{stay.uri}: {stay.reason}" for stay in stayed[:_NAMED]]
        return replace(self, kept=dict(kept), first_kept=(*self.first_kept, *named)[:_NAMED])

    def with_problem(self, problem: str) -> Run:
        return replace(self, problems=(*self.problems, problem))

    def with_remark(self, remark: str) -> Run:
        return replace(self, remark=f"{self.remark}; {remark}" if self.remark else remark)


@dataclass(frozen=True)
class Removal:
    """An original that a run means to set aside. ``archive``, ``name`` and ``psnr`` as in its manifest row, ``psnr`` None
    where nothing was lost; ``moved_to``: empty unless moved; ``planned``: seconds since 1970. ``policy`` and ``grace``
    (seconds): the policy's file, and what it said when the original was set aside.

    Others may be able to write what a removal is read from: `bound` says whether it may count.
    """

    uri: str
    fingerprint: str
    sha256: str
    aside: str
    archive: str
    name: str
    psnr: float | None
    moved_to: str
    planned: float
    policy: str
    grace: float

    def __post_init__(self) -> None:
        _check_types(self)
        for name in ("planned", "grace"):
            if not 0 <= (value := getattr(self, name)) <= _LONGEST:
                raise ValueError(f"expected {name} to be a number of seconds, found {value!r}")
        if any(isinstance(text, str) and len(text) > _LONGEST_TEXT for text in vars(self).values()):
            raise ValueError(f"expected texts of at most {_LONGEST_TEXT:,} characters, found a longer one")
        if not _SHA256.fullmatch(self.sha256):
            raise ValueError(f"expected sha256 to be 64 hexadecimal digits, found {self.sha256!r}")


@dataclass(frozen=True)
class Planned:
    """What a run meant to take away and has not been deleted for good; ``problems``: lines that can't be read."""

    run: str
    removals: tuple[Removal, ...]
    problems: tuple[str, ...]


def record(destination: str, run: Run) -> None:
    """Write the run's document, in place of an earlier stage's."""
    _write(destination, f"{run.run}.json", json.dumps(asdict(run), indent=2))


def read_runs(destination: str) -> list[Run]:
    """All runs, oldest first."""
    names = [name for name in _names(destination) if name.endswith(".json") and not name.endswith(_PURGED)]
    runs = [_run(uri_of(destination, name)) for name in names]
    return sorted(runs, key=lambda run: run.began)


def record_removals(destination: str, run: str, removals: Sequence[Removal]) -> None:
    """Write down what shall be taken away. Nothing may be taken that is not written here first."""
    lines = [json.dumps(asdict(removal)) for removal in removals]
    _write(destination, f"{run}{_REMOVALS}", "".join(f"{line}\n" for line in lines))


def record_stays(destination: str, run: str, stayed: Sequence[Stay]) -> None:
    """Write down every original that stays, and why."""
    _write(destination, f"{run}{_STAYS}", "".join(f"{json.dumps(asdict(stay))}\n" for stay in stayed))


def open_removals(destination: str) -> list[Planned]:
    """What earlier runs meant to take away and has not been deleted for good, oldest run first."""
    names = _names(destination)
    closed = {name.removesuffix(_PURGED) for name in names if name.endswith(_PURGED)}
    runs = [name.removesuffix(_REMOVALS) for name in names if name.endswith(_REMOVALS)]
    return [_planned(destination, run) for run in runs if run not in closed]


def close_removals(destination: str, run: str, count: int) -> None:
    """Say that nothing of the run lies aside any more; ``count`` were deleted."""
    _write(destination, f"{run}{_PURGED}", json.dumps({"deleted": count}))


def uri_of(destination: str, name: str) -> str:
    """Where a file of the ledger lies."""
    return own_path(destination, f"{_FOLDER}/{name}")


def is_list_of_ours(destination: str, source: str) -> bool:
    """Whether ``source`` is a list of objects that some run wrote beside its ledger."""
    return is_below(source, own_path(destination, _FOLDER))


def _planned(destination: str, run: str) -> Planned:
    uri = uri_of(destination, f"{run}{_REMOVALS}")
    removals, problems = [], []
    for number, line in enumerate(read_object(uri).decode(errors="replace").split("\n"), 1):
        try:
            if line:
                removals.append(Removal(**load_json(line)))
        except (TypeError, ValueError) as error:
            problems.append(
                f"{uri}, line {number}: no entry of a ledger, it counts for nothing ({shown(error, _QUOTED)})"
            )
    return Planned(run, tuple(removals), tuple(problems))


def _run(uri: str) -> Run:
    """The document of a run, whatever fields it may lack. StorageError for what is none."""
    try:
        content = load_json(read_object(uri, limit=LARGEST_JSON))
        texts = {name: tuple(content.get(name, ())) for name in ("problems", "first_kept")}
        run = Run(**{**content, **texts})
        _check_types(run)
        if not all(type(count) is int for count in run.kept.values()):
            raise TypeError("counts that are none")
        if not all(isinstance(text, str) for text in (*run.problems, *run.first_kept)):
            raise TypeError("problems or originals that are none")
    except (AttributeError, TypeError, ValueError) as error:
        raise StorageError(
            f"expected {uri!r} to be the record of a run, found something else ({shown(error)}); move it elsewhere"
        ) from error
    return run


def _check_types(record: Any) -> None:
    """TypeError where a field of a record holds another type than what is written there."""
    for known in fields(record):
        value = getattr(record, known.name)
        kinds = _TYPES.get(known.type, object)
        right = isinstance(value, kinds) and isinstance(value, bool) <= (kinds in (bool, object))
        if not right or value != value:  # NaN is no time and no count
            raise TypeError(f"{known.name} of {type(value).__name__}")


_TYPES: dict[Any, Any] = {
    "str": str,
    "Stage": str,
    "int": int,
    "float": (int, float),
    "dict[str, int]": dict,
    "tuple[str, ...]": tuple,
    "float | None": (int, float, type(None)),
}


def _names(destination: str) -> list[str]:
    folder = own_path(destination, _FOLDER)
    return [entry.name for entry in store_of(folder).walk(folder, depth=1) if "/" not in entry.name]


def _write(destination: str, name: str, text: str) -> None:
    write_object(uri_of(destination, name), text.encode(), scratch=scratch_of(destination))
