from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from archivae.errors import StorageError, UnsafeNameError, UsageError
from archivae.storage import DeadLetter, dead_letters, read_dead_letters, write_dead_letters, write_object

LETTERS = [
    DeadLetter("gs://b/IMG[1].jpg", "read", "StorageError", "gone"),
    DeadLetter("/in/\udcff\n\u2028.jpg", "encode", "DamagedPictureError", 'cut "short"\r\n'),
]


def test_letters_of_all_runs_come_back(place: str) -> None:
    uri = write_dead_letters(place, LETTERS, "run-1")
    assert uri.startswith(f"{place}/_archivae/dead-letters-run-1-") and uri.endswith(".jsonl")
    write_dead_letters(place, LETTERS[:1], "run-2")
    assert read_dead_letters(place) == [*LETTERS, LETTERS[0]]


def test_there_are_none_yet(place: str) -> None:
    assert read_dead_letters(place) == []


@given(values=st.tuples(*[st.text(st.characters())] * 4))
def test_any_text_survives_its_line(values: tuple[str, str, str, str]) -> None:
    letter = DeadLetter(*values)
    line = dead_letters._line(letter)
    assert line.count(b"\n") == 1
    assert dead_letters._letter("x", 1, line) == letter


@pytest.mark.parametrize("line", [b"{", b"[1]", b'{"object": "a"}', b"7", b"\xff"])
def test_a_line_that_is_no_letter_is_named(place: str, line: bytes) -> None:
    good = dead_letters._line(LETTERS[0])
    write_object(f"{place}/_archivae/dead-letters-x-1.jsonl", good + line, scratch=f"{place}/_archivae/tmp")
    with pytest.raises(StorageError, match=r"line 2 of .*dead-letters-x-1\.jsonl"):
        read_dead_letters(place)


def test_no_letters_and_bad_run_ids_are_refused(place: str) -> None:
    with pytest.raises(UsageError, match="at least one dead letter"):
        write_dead_letters(place, [], "run-1")
    with pytest.raises(UnsafeNameError):
        write_dead_letters(place, LETTERS, "../../run")
