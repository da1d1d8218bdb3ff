"""Is an archived picture really there? Read from storage, and decoded as a machine in ten years would: CPU, float32, one
thread, with the model that lies in the archive itself."""

from __future__ import annotations

import hashlib
import math
import multiprocessing
from collections.abc import Iterable, Iterator
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import islice
from typing import Literal

import torch

from archivae.bitstream import read_bitstream
from archivae.errors import ChangedError, VerificationError
from archivae.models import CodecWeights, FamilyCodec, FamilyWeights, PhotoCodec, parse_codec
from archivae.operations.codec import Codec
from archivae.operations.compare import level_against
from archivae.operations.decode import decode_stream
from archivae.pipeline.archiving.archived import Archived
from archivae.storage import ManifestRow, generation_of, own_path, read_object, stat_object

_WINDOW = 16  # rows in hand for each process
_LOST_DB = 0.1
"""How much less than the manifest says another kind of processor may see; what was measured is 0.02 dB."""


@dataclass(frozen=True)
class Finding:
    """``good``; ``changed``: the original is not that any more which was archived; ``bad``: the archive does not hold it."""

    row: ManifestRow
    result: Literal["good", "changed", "bad"]
    reason: str = ""


class Verifier:
    """Verifies rows of one archive, each model loaded once."""

    def __init__(self, destination: str) -> None:
        self._destination = destination
        self._archived = Archived(destination)
        self._codecs: dict[bytes, Codec] = {}

    def verify(self, row: ManifestRow) -> Finding:
        """Never raises: what goes wrong makes the picture bad, and its original stays."""
        try:
            with _one_thread():
                self._compare(row, _original(row))
        except ChangedError as error:
            return Finding(row, "changed", str(error))
        except Exception as error:
            return Finding(row, "bad", f"{type(error).__name__}: {error}")
        return Finding(row, "good")

    def _compare(self, row: ManifestRow, original: bytes) -> None:
        stream = read_bitstream(self._archived.read(row.archive, row.name))
        if stream.source_sha256.hex() != row.sha256:
            raise VerificationError(f"{row.archive} was made of another file than {row.source}")
        level = level_against(original, row.options, stream, decode_stream(stream, self._find))
        if level < math.inf and not (row.coding == "learned" and level >= row.psnr - _LOST_DB):
            raise VerificationError(f"{row.archive} decodes to {level:.2f} dB, the manifest says {row.psnr:.2f}")

    def _find(self, model_id: bytes) -> Codec:
        if model_id not in self._codecs:
            uri = own_path(self._destination, f"models/{model_id.hex()}.safetensors")
            weights = parse_codec(read_object(uri))
            if weights.model_id() != model_id:
                raise VerificationError(f"{uri} is not the model that its name says")
            self._codecs[model_id] = _as_anywhere(weights)
        return self._codecs[model_id]


def _as_anywhere(weights: CodecWeights) -> Codec:
    """The codec as any machine can run it."""
    cpu = torch.device("cpu")
    return FamilyCodec(weights, cpu) if isinstance(weights, FamilyWeights) else PhotoCodec(weights, cpu, torch.float32)


def verify_all(destination: str, rows: Iterable[ManifestRow], processes: int = 1) -> Iterator[Finding]:
    """A finding for each of ``rows``, in order, by so many processes of one thread each."""
    if processes == 1:
        yield from map(Verifier(destination).verify, rows)
        return
    # spawn: a fork of a process with threads, as torch's and Google's clients have, may hang.
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(processes, context, _begin, (destination,)) as pool:
        waiting = iter(rows)
        while window := list(islice(waiting, processes * _WINDOW)):
            yield from pool.map(_verify_here, window)


_verifiers: list[Verifier] = []  # this process's, in a list so that it can be set from the initializer


def _begin(destination: str) -> None:
    _verifiers[:] = [Verifier(destination)]


def _verify_here(row: ManifestRow) -> Finding:
    return _verifiers[0].verify(row)


def _original(row: ManifestRow) -> bytes:
    """The original's bytes, if they are still those that were archived. ChangedError if not."""
    found = stat_object(row.source)
    if found is None or found.fingerprint != row.fingerprint:
        raise ChangedError(f"{row.source} has changed or gone since it was archived")
    data = read_object(row.source, generation=generation_of(row.fingerprint))
    if hashlib.sha256(data).hexdigest() != row.sha256:
        raise ChangedError(f"{row.source} holds other bytes than were archived")
    return data


@contextmanager
def _one_thread() -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)
