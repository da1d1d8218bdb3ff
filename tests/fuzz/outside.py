"""All else that is read from an archive or a policy: seeds, and what the readers are asked.

Each reader gives back whether it took the bytes. Whatever it raises that is no ArchivaeError is a find, and so is an
AssertionError: something was taken that can't be right.
"""

from __future__ import annotations

import json
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from random import Random
from typing import Any

from archivae.errors import ArchivaeError, DestinationError
from archivae.models import FamilyWeights, parse_codec
from archivae.models.restore.weights import parse_restorer
from archivae.operations.codec import put_on_device
from archivae.pipeline.archiving.ledger import Removal, Run, open_removals, read_runs, record, record_removals
from archivae.pipeline.archiving.policy import read_policy
from archivae.storage import DeadLetter, ManifestRow, StoredObject, own_path, write_dead_letters, write_fragment
from archivae.storage.archive_index import ArchiveIndex, index_pieces
from archivae.storage.archive_layout import REWRITE, index_uri, plan_uri, shard_plan_uri
from archivae.storage.archive_plan import read_round, read_shard_plan, write_plan
from archivae.storage.archive_rewrite import Rewrite, Taken, read_rewrite, write_rewrite
from archivae.storage.dead_letters import read_dead_letters
from archivae.storage.fence import Fence
from archivae.storage.lease import leased
from archivae.storage.manifest import read_fragment, read_fragments
from archivae.storage.objects import read_span
from archivae.storage.tfrecord import list_records
from archivae.storage.uri_lists import read_given_names, read_uri_list, write_uri_list
from archivae.transforms.read import encoded_picture
from tests.archives import make_archive, pictures
from tests.autoencoders import pictures as small_pictures
from tests.autoencoders import weights as family_weights
from tests.fuzz.forging import forged_model, forged_table, forged_text
from tests.fuzz.mutants import scarred
from tests.models.restore.small_restorer import small_restorer_weights
from tests.samples import MODEL, photo, photo_file, small_codec
from tests.tfrecords import example, tfrecord

_folder = tempfile.TemporaryDirectory(prefix="archivae-fuzz-")


@dataclass(frozen=True)
class Kind:
    """``seed``: bytes that are right; ``reads``: the reader; ``forges``: bytes made wrong on purpose, from a random number."""

    seed: Callable[[], bytes]
    reads: Callable[[bytes], bool]
    forges: Callable[[bytes, Random], bytes]


def outside_mutant(kind: str, random: Random) -> bytes:
    """Every other one with bytes changed at random, the rest forged with knowledge of the format."""
    seed = KINDS[kind].seed()
    return scarred(seed, random) if random.random() < 0.5 else KINDS[kind].forges(seed, random)


def _place(name: str) -> str:
    return str(Path(_folder.name, name))


def _put(uri: str, data: bytes) -> str:
    path = Path(uri)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)
    return uri


def _taken(read: Callable[[], Any]) -> bool:
    said = ""
    try:
        read()
    except ArchivaeError as error:
        said = str(error) or type(error).__name__
    assert len(said) < 10_000, "an error message of unbounded length"
    return not said


# Tables


@cache
def _archive() -> str:
    uri = _place("archive")
    make_archive(uri, [pictures()])
    return uri


@cache
def _index_rows() -> frozenset[Any]:
    return frozenset(ArchiveIndex(index_uri(_archive())).rows())


def _index_seed() -> bytes:
    _index_rows()
    return Path(index_uri(_archive())).read_bytes()


def _reads_index(data: bytes) -> bool:
    uri = _put(_place("index.parquet"), data)

    def read() -> None:
        index = ArchiveIndex(uri)
        assert len(index) == sum(index.group_sizes) < 10**6
        for row in index.rows():
            index.find(row.name)

    return _taken(read)


def _row(number: int) -> ManifestRow:
    return ManifestRow(
        source=f"/source/{number}", name=f"{number}.png", bytes=number, sha256="0" * 64, fingerprint="local:1:1",
        height=1, width=1, status="done", coding="lossless", operation="encode", run="run", written=float(number),
        lost=("a",) * (number % 3),
    )  # fmt: skip


@cache
def _manifest_seed() -> bytes:
    return Path(write_fragment(_place("m"), [*map(_row, range(20))])).read_bytes()


def _reads_manifest(data: bytes) -> bool:
    uri = _put(read_fragments(_place("m"))[0], data)
    return _taken(lambda: read_fragment(uri))


@cache
def _plan_seed() -> bytes:
    objects = [StoredObject(f"/s/{n}", f"{n}", n, f"local:{n}:1") for n in range(20)]
    write_plan(_place("p"), iter([objects]), source="/s", options="{}", first=0)
    return Path(shard_plan_uri(_place("p"), 0)).read_bytes()


def _reads_plan(data: bytes) -> bool:
    uri = _put(shard_plan_uri(_place("p"), 0), data)
    assert uri
    return _taken(lambda: read_shard_plan(_place("p"), 0))


@cache
def _list_seed() -> bytes:
    write_uri_list(_place("l.parquet"), {f"/s/{n}": f"n{n}" for n in range(20)}, _place("tmp"))
    return Path(_place("l.parquet")).read_bytes()


def _reads_list(data: bytes) -> bool:
    uri = _put(_place("list.parquet"), data)
    return _taken(lambda: (read_uri_list(uri), read_given_names(uri)))


# Texts


@cache
def _run_seed() -> bytes:
    record(_place("r"), Run("20260101T000000Z-00000000", "policy", 1.5, kept={"why": 1}, problems=("a",)))
    return next(Path(_place("r"), "_archivae", "runs").glob("*.json")).read_bytes()


def _reads_runs(data: bytes) -> bool:
    _put(own_path(_place("r"), "runs/20260101T000000Z-00000000.json"), data)
    return _taken(lambda: read_runs(_place("r")))


@cache
def _removals_seed() -> bytes:
    removals = [
        Removal(
            uri=f"/s/{n}", fingerprint="local:1:1", sha256="0" * 64, aside=f"/s/q/{n}", archive="/a", name=f"{n}",
            psnr=None, moved_to="", planned=1.5, policy="/p.yaml", grace=60.0,
        )
        for n in range(3)
    ]  # fmt: skip
    record_removals(_place("v"), "run", removals)
    return Path(own_path(_place("v"), "runs/run-removals.jsonl")).read_bytes()


def _reads_removals(data: bytes) -> bool:
    _put(own_path(_place("v"), "runs/run-removals.jsonl"), data)
    problems: list[str] = []
    read = _taken(lambda: problems.extend(*(planned.problems for planned in open_removals(_place("v")))))
    assert all(len(problem) < 10_000 for problem in problems), "a problem of unbounded length"
    return read and not problems


@cache
def _letters_seed() -> bytes:
    return Path(write_dead_letters(_place("d"), [DeadLetter("/s/1", "read", "Error", "why")] * 3, "run")).read_bytes()


def _reads_letters(data: bytes) -> bool:
    _put(own_path(_place("d"), "dead-letters-run-1.jsonl"), data)
    for other in Path(own_path(_place("d"), "x")).parent.glob("dead-letters-run-[!1]*"):
        other.unlink()
    return _taken(lambda: read_dead_letters(_place("d")))


def _lease_seed() -> bytes:
    return json.dumps({"host": "there", "process": 1, "renewals": 0, "run": "r", "started": "7"}).encode()


def _reads_lease(data: bytes) -> bool:
    """A young lease is somebody's, and its words are shown harmlessly; a damaged one is stale."""
    _put(own_path(_place("e"), "lease.json"), data)
    said = ""
    try:
        with leased(_place("e"), "ours"):
            pass
    except DestinationError as error:
        said = str(error)
    assert said or data != _lease_seed(), "a young lease was taken over"
    assert len(said) < 10_000, "an error message of unbounded length"
    return bool(said)


def _round_seed() -> bytes:
    _plan_seed()
    return Path(plan_uri(_place("p"))).read_bytes()


def _reads_round(data: bytes) -> bool:
    _put(plan_uri(_place("q")), data)
    return _taken(lambda: read_round(_place("q")))


def _rewrite_seed() -> bytes:
    row = min(_index_rows(), key=lambda row: row.name)
    write_rewrite(Fence(_place("w")), Rewrite(1, (Taken(row, "b.png"), Taken(row)), ("a.png",)))
    return Path(own_path(_place("w"), REWRITE)).read_bytes()


def _reads_rewrite(data: bytes) -> bool:
    """What is taken can be written into an index and under the names that are said."""
    _put(own_path(_place("w"), REWRITE), data)

    def read() -> None:
        found = read_rewrite(_place("w"))
        assert found is not None
        assert b"".join(index_pieces(taken.row for taken in found[0].taken[:1]))
        assert 0 <= found[0].first < 10**9

    return _taken(read)


def _policy_seed() -> bytes:
    return (
        b"sources: [gs://in/**]\ndestination: gs://arc\nquality: 80\nolder_than: 90d\nmax_objects: 5\nmax_hours: 1.5\n"
    )


def _reads_policy(data: bytes) -> bool:
    uri = _put(_place("policy.yaml"), data)
    return _taken(lambda: read_policy(uri))


# Models


def _photo_seed() -> bytes:
    return Path(MODEL).read_bytes()


@cache
def _family_seed() -> bytes:
    return family_weights("conv").to_bytes()


@cache
def _restorer_seed() -> bytes:
    return small_restorer_weights("denoise").to_bytes()


@cache
def _coded(family: bool) -> tuple[Any, int]:
    """The tiles of a picture as the seeds code it, and its side."""
    if not family:
        return small_codec().encode([photo()], 60 * 256), 64
    codec = put_on_device(parse_codec(_family_seed()), "cpu")
    return codec.encode([small_pictures(1)[0]], 60 * 256), 12


@cache
def _seed_ids() -> frozenset[bytes]:
    codecs = {parse_codec(seed).model_id() for seed in (_photo_seed(), _family_seed())}
    return frozenset(codecs | {parse_restorer(_restorer_seed()).model_id()})


def _reads_model(data: bytes) -> bool:
    """What is taken has the content that its id says, finite weights, and makes a codec that decodes or refuses."""

    def read() -> None:
        weights = parse_codec(data)
        assert all(t.isfinite().all() for t in weights.tensors().values() if t.is_floating_point())
        codec = put_on_device(weights, "cpu")
        tiles, side = _coded(isinstance(weights, FamilyWeights))
        codec.decode(tiles, side, side, 60 * 256, 1024)

    return _taken(read)


def _reads_restorer(data: bytes) -> bool:
    def read() -> None:
        weights = parse_restorer(data)
        assert all(t.isfinite().all() for t in weights.tensors.values())

    return _taken(read)


# TFRecord


@cache
def _records() -> tuple[bytes, ...]:
    return tuple(example(image__encoded=photo_file(16, 16, seed), image__filename=b"a.png") for seed in range(3))


def _tfrecord_seed() -> bytes:
    return tfrecord(_records())


def _reads_tfrecord(data: bytes) -> bool:
    """Each record that is read is one that was written, unless it was forged whole."""
    uri = _put(_place("a.tfrecord"), data)
    found = []

    def read() -> None:
        file = StoredObject(uri, "a.tfrecord", len(data), f"local:{len(data)}:{Path(uri).stat().st_mtime_ns}")
        for entry in list_records(file):
            if entry.span is not None:
                found.append(read_span(entry.span))
                encoded_picture(found[-1])

    taken = _taken(read)
    assert sum(map(len, found)) <= len(data)
    return taken and bool(found)


def _forged_tfrecord(seed: bytes, random: Random) -> bytes:
    """Examples gone wrong, under checksums that are right; records by the thousand."""
    if random.random() < 0.1:
        return tfrecord([b""] * random.choice((1, 1000, 20_000)))
    return tfrecord([scarred(record, random) for record in _records()])


KINDS = {
    "index": Kind(_index_seed, _reads_index, forged_table),
    "manifest": Kind(_manifest_seed, _reads_manifest, forged_table),
    "shard plan": Kind(_plan_seed, _reads_plan, forged_table),
    "list": Kind(_list_seed, _reads_list, forged_table),
    "ledger": Kind(_run_seed, _reads_runs, forged_text),
    "removals": Kind(_removals_seed, _reads_removals, forged_text),
    "dead letters": Kind(_letters_seed, _reads_letters, forged_text),
    "lease": Kind(_lease_seed, _reads_lease, forged_text),
    "plan": Kind(_round_seed, _reads_round, forged_text),
    "what is taken out": Kind(_rewrite_seed, _reads_rewrite, forged_text),
    "policy": Kind(_policy_seed, _reads_policy, forged_text),
    "photo model": Kind(_photo_seed, _reads_model, forged_model),
    "family model": Kind(_family_seed, _reads_model, forged_model),
    "restorer": Kind(_restorer_seed, _reads_restorer, forged_model),
    "tfrecord": Kind(_tfrecord_seed, _reads_tfrecord, _forged_tfrecord),
}
