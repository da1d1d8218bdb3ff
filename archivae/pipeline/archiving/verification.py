"""Is an archived picture really there, whole and good enough? Read from storage, and decoded as a machine in ten years
would: CPU, float32, one thread, with the model that lies in the archive itself. What manifest, index and ledger say is
believed only as far as it makes the check stricter."""

from __future__ import annotations

import hashlib
import math
import multiprocessing
from collections.abc import Iterable, Iterator
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import islice
from typing import Literal

import torch

from archivae.bitstream import Bitstream, Coding, read_bitstream
from archivae.errors import ArchivaeError, ChangedError, VerificationError
from archivae.images import Picture
from archivae.models import CodecWeights, FamilyCodec, FamilyWeights, PhotoCodec, parse_codec, shipped_ids
from archivae.operations.codec import Codec
from archivae.operations.compare import level_of, open_as, reading_of
from archivae.operations.decode import decode_stream, own_bytes
from archivae.operations.encode import options_for
from archivae.pipeline.archiving.archived import Archived
from archivae.pipeline.archiving.policy import Policy
from archivae.pipeline.archiving.quality import LOST_DB, shortfall
from archivae.storage import ManifestRow, generation_of, own_path, read_object, stat_object
from archivae.transforms.residency import CodecSource

_WINDOW = 16  # rows in hand for each process


@dataclass(frozen=True)
class Claim:
    """That the archive holds an original, as its row in the manifest says. ``aside``: where the original lies if it was
    set aside; empty: at ``row.source``."""

    row: ManifestRow
    aside: str = ""


@dataclass(frozen=True)
class Finding:
    """``good``; ``changed``: the original is not that any more which was archived; ``bad``: the archive does not hold it;
    ``worse``: it does, but not as the policy says. ``row``: the claim's, with the coding that was found, and what is lost."""

    row: ManifestRow
    result: Literal["good", "worse", "changed", "bad"]
    reason: str = ""


class Verifier:
    """Verifies what an archive is said to hold, each of its models loaded once."""

    def __init__(self, policy: Policy) -> None:
        self._policy = policy
        self._archived = Archived(policy.destination)
        self._codecs: dict[bytes, Codec] = {}

    def verify(self, claim: Claim) -> Finding:
        """Never raises: what goes wrong makes the picture bad, and its original stays."""
        try:
            with _one_thread():
                return self._compare(claim.row, _original(claim))
        except ChangedError as error:
            return Finding(claim.row, "changed", str(error))
        except Exception as error:
            return Finding(claim.row, "bad", f"{type(error).__name__}: {error}")

    def _compare(self, row: ManifestRow, original: bytes) -> Finding:
        stream = read_bitstream(self._archived.read(row.archive, row.name))
        if stream.source_sha256.hex() != row.sha256:
            raise VerificationError(f"{row.archive} was made of another file than {row.source}")
        row = replace(row, coding=stream.coding.name.lower())  # type: ignore[arg-type]
        if stream.coding is Coding.ORIGINAL:
            if own_bytes(stream) != original:
                raise VerificationError(f"{row.archive} does not hold the bytes of its original")
            return Finding(row, "good")
        return self._compare_pixels(row, original, stream, decode_stream(stream, self._find))

    def _compare_pixels(self, row: ManifestRow, original: bytes, stream: Bitstream, decoded: Picture) -> Finding:
        picture = open_as(original, reading_of(row.options))
        level = level_of(picture, decoded)
        if level < math.inf and not (row.coding == "learned" and level >= row.psnr - LOST_DB):
            raise VerificationError(f"{row.archive} decodes to {level:.2f} dB, the manifest says {row.psnr:.2f}")
        found = [name for frame in picture.frames for name in frame.notes.lost]
        row = replace(row, lost=tuple(dict.fromkeys((*row.lost, *found))))
        rate = self._policy.rate
        if reading_of(row.options) != options_for(rate, self._policy.reading):
            return Finding(row, "worse", "it was read with other options than the policy's")
        reason = shortfall(stream, picture, decoded, level, rate, self._find, self._models)
        return Finding(row, "worse" if reason else "good", reason)

    @cached_property
    def _models(self) -> frozenset[bytes]:
        """The ids of the models by which the policy's pictures may have been encoded."""
        try:
            own = {parse_codec(CodecSource(self._policy.model).weight_file()).model_id()}
        except ArchivaeError:
            own = set()
        return frozenset(own | shipped_ids().keys())

    def _find(self, model_id: bytes) -> Codec:
        """From the archive alone: a model that this machine has, but the archive has lost, is none."""
        if model_id not in self._codecs:
            uri = own_path(self._policy.destination, f"models/{model_id.hex()}.safetensors")
            weights = parse_codec(read_object(uri))
            if weights.model_id() != model_id:
                raise VerificationError(f"{uri} is not the model that its name says")
            self._codecs[model_id] = _as_anywhere(weights)
        return self._codecs[model_id]


def _as_anywhere(weights: CodecWeights) -> Codec:
    """The codec as any machine can run it."""
    cpu = torch.device("cpu")
    return FamilyCodec(weights, cpu) if isinstance(weights, FamilyWeights) else PhotoCodec(weights, cpu, torch.float32)


def verify_all(policy: Policy, claims: Iterable[Claim], processes: int = 1) -> Iterator[Finding]:
    """A finding for each of ``claims``, in order, by so many processes of one thread each."""
    if processes == 1:
        yield from map(Verifier(policy).verify, claims)
        return
    # spawn: a fork of a process with threads, as torch's and Google's clients have, may hang.
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(processes, context, _begin, (policy,)) as pool:
        waiting = iter(claims)
        while window := list(islice(waiting, processes * _WINDOW)):
            yield from pool.map(_verify_here, window)


_verifiers: list[Verifier] = []  # this process's, in a list so that it can be set from the initializer


def _begin(policy: Policy) -> None:
    _verifiers[:] = [Verifier(policy)]


def _verify_here(claim: Claim) -> Finding:
    return _verifiers[0].verify(claim)


def _original(claim: Claim) -> bytes:
    """The original's bytes, if they are still those that were archived. ChangedError if not."""
    row, generation = claim.row, None
    if not claim.aside:
        found = stat_object(row.source)
        if found is None or found.fingerprint != row.fingerprint:
            raise ChangedError(f"{row.source} has changed or gone since it was archived")
        generation = generation_of(row.fingerprint)
    place = claim.aside or row.source
    data = read_object(place, generation=generation)
    if hashlib.sha256(data).hexdigest() != row.sha256:
        raise ChangedError(f"{place} holds other bytes than were archived")
    return data


@contextmanager
def _one_thread() -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)
