"""Parsers and decoders met by files gone wrong: refused in our own words, or taken; never a crash."""

from __future__ import annotations

from pathlib import Path
from random import Random

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from archivae.storage.archive_layout import index_uri, shard_uri
from tests.archives import make_archive, pictures
from tests.fuzz.mutants import mutant, resealed, scarred, seeds
from tests.fuzz.outside import KINDS as KINDS_OUTSIDE
from tests.fuzz.outside import outside_mutant
from tests.fuzz.targets import decodes, indexes, parses, scans

KINDS = ("learned", "learned grey", "learned alpha", "lossless", "original", "deep", "frames")

# Mutants are numbers, not draws: what fails is made again from its number, and the same command makes a million.
numbers = st.integers(0, 1 << 40)
quick = settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


@pytest.fixture(scope="module")
def archive(tmp_path_factory: pytest.TempPathFactory) -> str:
    uri = str(tmp_path_factory.mktemp("archive"))
    make_archive(uri, [pictures()])
    return uri


def test_the_seeds_are_what_they_are_called() -> None:
    assert tuple(seeds()) == KINDS
    for data in seeds().values():
        assert parses(data) and decodes(data) and resealed(data) == data


@given(st.sampled_from(KINDS), numbers)
@quick
def test_mutants_with_right_checksums_are_parsed_or_refused(kind: str, number: int) -> None:
    parses(mutant(seeds()[kind], Random(number)))


@given(st.sampled_from(KINDS), numbers)
@quick
def test_mutants_with_wrong_checksums_are_never_accepted(kind: str, number: int) -> None:
    data = scarred(seeds()[kind], Random(number))
    assert data == seeds()[kind] or not parses(data)


@given(st.sampled_from(KINDS), numbers)
@settings(quick, max_examples=60)
def test_mutants_are_decoded_or_refused(kind: str, number: int) -> None:
    decodes(mutant(seeds()[kind], Random(number)))


@given(numbers)
@quick
def test_shards_gone_wrong_are_scanned_to_their_end(archive: str, number: int) -> None:
    scans(scarred(Path(shard_uri(archive, 0)).read_bytes(), Random(number)))


@pytest.mark.parametrize("kind", KINDS_OUTSIDE)
@given(numbers)
@settings(quick, max_examples=25)
def test_all_else_from_outside_is_read_or_refused(kind: str, number: int) -> None:
    """Index, manifest, plans, lists, ledger, dead letters, what is taken out, lease, policy, models, TFRecords."""
    found = KINDS_OUTSIDE[kind]
    found.reads(outside_mutant(kind, Random(number)))


@pytest.mark.parametrize("kind", KINDS_OUTSIDE)
def test_the_seeds_from_outside_are_right(kind: str) -> None:
    found = KINDS_OUTSIDE[kind]
    assert found.reads(found.seed())


@given(numbers)
@quick
def test_indexes_gone_wrong_are_read_or_refused(archive: str, number: int) -> None:
    indexes(scarred(Path(index_uri(archive)).read_bytes(), Random(number)))
