"""What runs did, under ``DST/_archivae/runs/``: a JSON document a run, written again at each stage, and beside it what the
run meant to take away, written before anything is."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field, fields, replace
from typing import Any, Literal

from archivae.errors import StorageError
from archivae.storage import own_path, read_object, scratch_of, write_object
from archivae.storage.names import is_below
from archivae.storage.objects import store_of
from archivae.untrusted import LARGEST_JSON, load_json, shown

_FOLDER = "runs"
_REMOVALS, _PURGED = "-removals.jsonl", "-purged.json"

Stage = Literal["encoding", "verifying", "removing", "purging", "finished", "failed"]


@dataclass(frozen=True)
class Run:
    """One run of a policy. Times in seconds since 1970; ``kept``: originals that stayed, by reason."""

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
    problems: tuple[str, ...] = ()
    remark: str = ""  # no problem, but good to know

    def keeping(self, reason: str) -> Run:
        """The run after one more original stayed."""
        return replace(self, kept={**self.kept, reason: self.kept.get(reason, 0) + 1})

    def with_problem(self, problem: str) -> Run:
        return replace(self, problems=(*self.problems, problem))


@dataclass(frozen=True)
class Removal:
    """An original that a run means to set aside. ``archive`` and ``name`` as in its manifest row; ``planned``: seconds since
    1970; ``moved_to``: empty unless moved."""

    uri: str
    fingerprint: str
    sha256: str
    aside: str
    archive: str
    name: str
    moved_to: str
    planned: float


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


def open_removals(destination: str) -> dict[str, list[Removal]]:
    """What earlier runs meant to take away and has not been deleted for good, by run."""
    names = _names(destination)
    closed = {name.removesuffix(_PURGED) for name in names if name.endswith(_PURGED)}
    runs = [name.removesuffix(_REMOVALS) for name in names if name.endswith(_REMOVALS)]
    return {run: _removals(destination, run) for run in runs if run not in closed}


def close_removals(destination: str, run: str, count: int) -> None:
    """Say that nothing of the run lies aside any more; ``count`` were deleted."""
    _write(destination, f"{run}{_PURGED}", json.dumps({"deleted": count}))


def uri_of(destination: str, name: str) -> str:
    """Where a file of the ledger lies."""
    return own_path(destination, f"{_FOLDER}/{name}")


def is_list_of_ours(destination: str, source: str) -> bool:
    """Whether ``source`` is a list of objects that some run wrote beside its ledger."""
    return is_below(source, own_path(destination, _FOLDER))


def _removals(destination: str, run: str) -> list[Removal]:
    uri = uri_of(destination, f"{run}{_REMOVALS}")
    try:
        removals = [Removal(**load_json(line)) for line in read_object(uri).decode("ascii").split("\n") if line]
        for removal in removals:
            _check_types(removal)
        return removals
    except (TypeError, ValueError) as error:
        raise StorageError(f"expected {uri!r} to list removals, found something else ({shown(error)})") from error


def _run(uri: str) -> Run:
    """The document of a run. StorageError for what is none."""
    try:
        content = load_json(read_object(uri, limit=LARGEST_JSON))
        run = Run(**{**content, "problems": tuple(content["problems"])})
        _check_types(run)
        if not all(isinstance(n, int) for n in run.kept.values()) or not all(isinstance(p, str) for p in run.problems):
            raise TypeError("counts or problems that are none")
    except (KeyError, TypeError, ValueError) as error:
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
    "bool": bool,
    "Stage": str,
    "int": int,
    "float": (int, float),
    "dict[str, int]": dict,
    "tuple[str, ...]": tuple,
}


def _names(destination: str) -> list[str]:
    folder = own_path(destination, _FOLDER)
    return [entry.name for entry in store_of(folder).walk(folder, depth=1) if "/" not in entry.name]


def _write(destination: str, name: str, text: str) -> None:
    write_object(uri_of(destination, name), text.encode(), scratch=scratch_of(destination))
